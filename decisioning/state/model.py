"""What we remember of one customer: plain frozen values, every list bounded.

Lists are tuples and records never change in place, so a `State` can be shared, compared and put back. Where a bound
is hit, what is forgotten is forgotten to the strict side (contract.md, section 4): the `…_floor` fields say from when
on we no longer know, and the suppressors read that as "no".
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from decisioning.decision import Candidate, Trigger
from decisioning.payload import Money
from decisioning.window import DailyWindow

MAX_SEEN: Final = 512
MAX_ACTS: Final = 256
MAX_ORDERS: Final = 64
MAX_LINES: Final = 1024
MAX_REQUESTS: Final = 1024
MAX_DEFERRED: Final = 64
MAX_WAITING_BYTES: Final = 256 * 1024
MAX_CONSENTS: Final = 64
MAX_LIST: Final = 400
MAX_NAME: Final = 200


class Fact(Struct, frozen=True, array_like=True):
    """A text we were told, and when it was true."""

    value: str
    at: int


class Facts(Struct, frozen=True, array_like=True):
    """A list we were told, in the order told, and when it was true."""

    values: tuple[str, ...]
    at: int


class Limit(Struct, frozen=True, array_like=True):
    """A number the customer set, and when."""

    value: int
    at: int


class OwnWindows(Struct, frozen=True, array_like=True):
    """The customer's own contact windows, local time, and when they were set."""

    windows: tuple[DailyWindow, ...]
    at: int


class Consent(Struct, frozen=True, array_like=True):
    """What holds for one purpose on one channel ("" = on all of them) since `at`; `until` only if it was given.

    `lapses`: another grant of the same time gave no end, so that the usual lifetime counts beside `until`.
    """

    purpose: str
    channel: str
    granted: bool
    at: int
    until: int | None = None
    lapses: bool = False

    def end(self, lifetime: int) -> int:
        """The instant at which a grant is over, if one without an end of its own lasts `lifetime` us."""
        if self.until is None:
            return self.at + lifetime
        return min(self.until, self.at + lifetime) if self.lapses else self.until


class Profile(Struct, frozen=True, array_like=True):
    """Who the customer is and what they asked of us; each field is a fact of its own."""

    name: Fact | None = None
    time_zone: Fact | None = None
    country: Fact | None = None
    language: Fact | None = None
    windows: OwnWindows | None = None
    channels: Facts | None = None
    topics_off: Facts | None = None
    max_marketing_per_week: Limit | None = None
    needs: Facts | None = None


class Line(Struct, frozen=True, array_like=True):
    """So many units of one sku, each at this price."""

    sku: str
    quantity: int
    unit_price: Money


class Kept(Struct, frozen=True):
    """Units of one sku that were bought at `at` and did not come back: what each cost, in which currency."""

    sku: str
    unit_price: str
    currency: str
    at: int


class Returned(Struct, frozen=True, array_like=True):
    """So many units of one sku came back; `at` is the newest return."""

    sku: str
    quantity: int
    at: int


class Order(Struct, frozen=True, array_like=True):
    """One order as far as we know it; without `bought_at` only its cancellation is known."""

    id: str
    bought_at: int | None = None
    currency: str = ""
    lines: tuple[Line, ...] = ()
    returned: tuple[Returned, ...] = ()
    cancelled_at: int | None = None

    @property
    def stands(self) -> bool:
        """Bought and not cancelled; a cancellation at the purchase's own time counts as after it (exact reading 6)."""
        return self.bought_at is not None and (self.cancelled_at is None or self.cancelled_at < self.bought_at)

    def kept(self, sku: str) -> int:
        """Units of `sku` that were bought and did not come back."""
        bought = sum(line.quantity for line in self.lines if line.sku == sku)
        return bought - sum(item.quantity for item in self.returned if item.sku == sku)


class Act(Struct, frozen=True, array_like=True):
    """Something we said: live until `valid_until` or a response; its slot counts until a channel says it never went
    out."""

    id: str
    made: int
    valid_until: int
    candidate: Candidate
    channel: str
    request_id: str | None = None
    campaign: str | None = None
    ended: bool = False
    arrived_at: int | None = None
    undone_at: int | None = None

    @property
    def counts(self) -> bool:
        """Whether its slot is taken: of arrival and give-back the later time holds, at a tie it is taken (reading
        2)."""
        return self.undone_at is None or (self.arrived_at is not None and self.arrived_at >= self.undone_at)

    def live(self, now: int) -> bool:
        """Whether it could still be recalled."""
        return not self.ended and now < self.valid_until


class Request(Struct, frozen=True, array_like=True):
    """A request we answered or deferred, by fingerprint: `at` is the last answer that was no duplicate, `marks` the
    events that asked."""

    id: int
    at: int
    marks: tuple[int, ...]


class Deferred(Struct, frozen=True, array_like=True):
    """A request that waits: at `not_before` we ask ourselves again and give exactly one further answer."""

    cause: Trigger
    request_id: str
    campaign: str | None
    candidates: tuple[Candidate, ...]
    not_before: int
    traceparent: str | None = None


class State(Struct, frozen=True, array_like=True):
    """All that the engine knows of one customer; `now` is the newest instant it was handed for them."""

    subject: str
    now: int = 0
    erased_at: int | None = None
    erased: bool = False
    deceased: bool = False
    degraded: bool = False
    profile: Profile = Profile()
    consents: tuple[Consent, ...] = ()
    orders: tuple[Order, ...] = ()
    orders_floor: int | None = None
    bought_at: int | None = None
    acts: tuple[Act, ...] = ()
    deferred: tuple[Deferred, ...] = ()
    requests: tuple[Request, ...] = ()
    seen: tuple[tuple[int, int], ...] = ()
    seen_floor: int | None = None

    @property
    def wake_at(self) -> int | None:
        """When the engine wants to be asked again, or None."""
        return min((waiting.not_before for waiting in self.deferred), default=None)
