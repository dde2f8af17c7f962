"""What we remember of one customer: plain frozen values, every list bounded.

Lists are tuples and records never change in place, so a `State` can be shared, compared and put back. Where a bound
is hit, what is forgotten is forgotten to the strict side (contract.md, section 4): the `…_floor` fields say from when
on we no longer know, and the suppressors read that as "no".
"""

from __future__ import annotations

from typing import Final, Literal

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
MAX_MARKS: Final = 64
MAX_CASES: Final = 64
MAX_PROMISES: Final = 16
MAX_TOLD: Final = 8
MAX_SAID: Final = 64
MAX_REPETITIONS: Final = 64
MAX_REPLIES: Final = 12
MAX_ATTRIBUTES: Final = 64
MAX_HOLDS: Final = 256
MAX_ABSORBED: Final = 64


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
    """The customer's own contact windows, local time, and when they were set.

    `also`: further plans that must be open as well, each by itself (what a merge brought together).
    """

    windows: tuple[DailyWindow, ...]
    at: int
    also: tuple[tuple[DailyWindow, ...], ...] = ()


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


class Told(Struct, frozen=True, array_like=True):
    """At `at` an event gave `promised_at` as the delivery; `told`: placing, purchase and shipping say it to the
    customer, a change of plan does not."""

    at: int
    promised_at: int
    told: bool


class Said(Struct, frozen=True, array_like=True):
    """What an act of ours told the customer of an order: `what` is the action, with the event's type where it speaks
    once of each (`order_status:order.shipped`).

    `promised_at` is the delivery that a delay alert named, `sku` and `down_to` the price to which an adjustment
    brought a unit.
    """

    act: str
    made: int
    what: str
    promised_at: int | None = None
    sku: str | None = None
    down_to: Money | None = None


class Order(Struct, frozen=True, array_like=True):
    """One order as far as we know it; without `bought_at` its purchase is not known."""

    id: str
    bought_at: int | None = None
    currency: str = ""
    lines: tuple[Line, ...] = ()
    returned: tuple[Returned, ...] = ()
    cancelled_at: int | None = None
    told: tuple[Told, ...] = ()
    postponed: bool = False
    """Whether, of two promises in a row, the later event once gave the later delivery."""
    shipped_at: int | None = None
    delivered_at: int | None = None
    payment_failed_at: int | None = None
    said: tuple[Said, ...] = ()

    @property
    def stands(self) -> bool:
        """Bought and not cancelled; a cancellation at the purchase's own time counts as after it (exact reading 6)."""
        return self.bought_at is not None and (self.cancelled_at is None or self.cancelled_at < self.bought_at)

    def kept(self, sku: str) -> int:
        """Units of `sku` that were bought and did not come back."""
        bought = sum(line.quantity for line in self.lines if line.sku == sku)
        return bought - sum(item.quantity for item in self.returned if item.sku == sku)


class About(Struct, frozen=True, array_like=True):
    """The fact that an act of ours stands on: an order, for a price adjustment one sku of it, and the type of the event
    that told of it."""

    order_id: str
    event: str
    sku: str | None = None


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
    about: About | None = None

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
    request_id: str | None
    campaign: str | None
    candidates: tuple[Candidate, ...]
    not_before: int
    traceparent: str | None = None
    about: About | None = None


class Mark(Struct, frozen=True, array_like=True):
    """Do not contact: a complaint or unsubscribe (`kind`) on a channel, of one purpose, since `at` (rule 2)."""

    purpose: str
    channel: str
    kind: Literal["complained", "unsubscribed"]
    at: int


class Case(Struct, frozen=True, array_like=True):
    """A problem: open or resolved, whichever is later; at equal times it is open (exact reading 6)."""

    id: str
    opened_at: int | None = None
    resolved_at: int | None = None
    severity: str = ""
    topic: str | None = None
    order_id: str | None = None

    @property
    def open(self) -> bool:
        """Whether it is not resolved."""
        return self.opened_at is not None and (self.resolved_at is None or self.resolved_at <= self.opened_at)


class Promise(Struct, frozen=True, array_like=True):
    """Our word to the customer; without `made_at` only its keeping is known."""

    id: str
    made_at: int | None = None
    what: str = ""
    due_at: int = 0
    kept_at: int | None = None


class Life(Struct, frozen=True, array_like=True):
    """Bereavement or vulnerability (`kind`) since `at`; `until` only if it was given (rule 4)."""

    kind: str
    at: int
    until: int | None = None


class Reply(Struct, frozen=True, array_like=True):
    """The customer declined or ignored (`kind`) what a decision said; the decision by fingerprint."""

    decision: int
    kind: Literal["declined", "ignored"]
    at: int


class Repetition(Struct, frozen=True, array_like=True):
    """What the customer answered about one topic, or one action without a topic (rule 13).

    `replies` are those that may still begin a block; `blocks` counts the blocks that they no longer show, and `since`
    is the response that began the last of those.
    """

    name: str
    replies: tuple[Reply, ...] = ()
    blocks: int = 0
    since: int | None = None


class Attribute(Struct, frozen=True, array_like=True):
    """What an upstream service says of the customer under a name of its own, and when it was true."""

    name: str
    value: str | int | float | bool
    at: int


class Scope(Struct, frozen=True):
    """What a hold forbids: everything, or only what all the lists that are there name; lists are sorted."""

    classes: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None
    channels_except: tuple[str, ...] | None = None
    skus: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None

    def as_json(self) -> dict[str, list[str]]:
        """As it stands in a decision, keys sorted."""
        names = ("categories", "channels", "channels_except", "classes", "skus")
        return {name: list(found) for name in names if (found := getattr(self, name)) is not None}


class Hold(Struct, frozen=True, array_like=True):
    """A hold that stands: `facts` name what it stands on (`order:o-9`, `case:7`, `consent:marketing`), `items` are the
    skus of a purchase with their categories ("": none) as of then."""

    id: str
    reason: str
    scope: Scope
    until: int | None
    facts: tuple[str, ...]
    items: tuple[tuple[str, str], ...] = ()
    since: int = 0


class Absorbed(Struct, frozen=True, array_like=True):
    """Another subject that became part of this one, and its newest move that was taken in."""

    name: str
    sequence: int


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
    marks: tuple[Mark, ...] = ()
    cases: tuple[Case, ...] = ()
    promises: tuple[Promise, ...] = ()
    life: tuple[Life, ...] = ()
    repetitions: tuple[Repetition, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    lost: tuple[str, ...] = ()
    """Names of lists above that forgot something which still forbids (`cases`, `orders`): they go on forbidding."""
    holds: tuple[Hold, ...] = ()
    moved_to: str | None = None
    """The customer that this subject became part of: its events are forwarded there."""
    moves: int = 0
    absorbed: tuple[Absorbed, ...] = ()

    @property
    def wake_at(self) -> int | None:
        """When the engine wants to be asked again, or None."""
        return min((waiting.not_before for waiting in self.deferred), default=None)
