"""What we remember of one customer: plain frozen values, every list bounded.

Lists are tuples and records never change in place, so a `State` can be shared, compared and put back; and as nothing in
it can point back, the collector need not look at it (`gc=False`: a worker holds thousands of them). Where a bound is
hit, what is forgotten is forgotten to the strict side (contract.md, section 4): the `…_floor` fields say from when on
we no longer know, and the suppressors read that as "no".
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from decisioning.decision import Candidate, Trigger
from decisioning.state.order import Kept as Kept  # one model for its readers, in two files for their eyes
from decisioning.state.order import Line as Line
from decisioning.state.order import Order as Order
from decisioning.state.order import Returned as Returned
from decisioning.state.order import Said as Said
from decisioning.state.order import Told as Told
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
MAX_GRANTS: Final = 16
MAX_MARKS: Final = 64
MAX_CASES: Final = 64
MAX_PROMISES: Final = 16
MAX_TOLD: Final = 8
MAX_SAID: Final = 64
MAX_REPETITIONS: Final = 64
MAX_REPLIES: Final = 24
MAX_ATTRIBUTES: Final = 64
MAX_HOLDS: Final = 256
MAX_ABSORBED: Final = 64


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """A text we were told, and when it was true."""

    value: str
    at: int


class Facts(Struct, frozen=True, array_like=True, gc=False):
    """A list we were told, in the order told, and when it was true."""

    values: tuple[str, ...]
    at: int


class Limit(Struct, frozen=True, array_like=True, gc=False):
    """A number the customer set, and when."""

    value: int
    at: int


class OwnWindows(Struct, frozen=True, array_like=True, gc=False):
    """The customer's own contact windows, local time, and when they were set.

    `also`: further plans that must be open as well, each by itself (what a merge brought together).
    """

    windows: tuple[DailyWindow, ...]
    at: int
    also: tuple[tuple[DailyWindow, ...], ...] = ()


class Consent(Struct, frozen=True, array_like=True, gc=False):
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


class Profile(Struct, frozen=True, array_like=True, gc=False):
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


class About(Struct, frozen=True, array_like=True, gc=False):
    """The fact that an act of ours stands on: an order, for a price adjustment one sku of it, the type of the event
    that told of it, and the delivery that this event promised."""

    order_id: str
    event: str
    sku: str | None = None
    promised_at: int | None = None


class Act(Struct, frozen=True, array_like=True, gc=False):
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


class Request(Struct, frozen=True, array_like=True, gc=False):
    """A request we answered or deferred, by fingerprint: `at` is the last answer that was no duplicate, `marks` the
    events that asked."""

    id: int
    at: int
    marks: tuple[int, ...]


class Deferred(Struct, frozen=True, array_like=True, gc=False):
    """A request that waits: at `not_before` we ask ourselves again and give exactly one further answer."""

    cause: Trigger
    request_id: str | None
    campaign: str | None
    candidates: tuple[Candidate, ...]
    not_before: int
    traceparent: str | None = None
    about: About | None = None


class Mark(Struct, frozen=True, array_like=True, gc=False):
    """Do not contact: a complaint or unsubscribe (`kind`) on a channel, of one purpose, since `at` (rule 2)."""

    purpose: str
    channel: str
    kind: Literal["complained", "unsubscribed"]
    at: int


class Case(Struct, frozen=True, array_like=True, gc=False):
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


class Promise(Struct, frozen=True, array_like=True, gc=False):
    """Our word to the customer; without `made_at` only its keeping is known."""

    id: str
    made_at: int | None = None
    what: str = ""
    due_at: int = 0
    kept_at: int | None = None


class Life(Struct, frozen=True, array_like=True, gc=False):
    """Bereavement or vulnerability (`kind`) since `at`; `until` only if it was given (rule 4).

    `lasts`: another word of the same time gave no end, so that the usual length counts beside `until`.
    """

    kind: str
    at: int
    until: int | None = None
    lasts: bool = False

    def end(self, usual: int) -> int:
        """The instant at which it is over, if one without an end of its own lasts `usual` us."""
        if self.until is None:
            return self.at + usual
        return max(self.until, self.at + usual) if self.lasts else self.until


class Reply(Struct, frozen=True, array_like=True, gc=False):
    """The customer declined or ignored (`kind`) what a decision said; the decision by fingerprint."""

    decision: int
    kind: Literal["declined", "ignored"]
    at: int


class Repetition(Struct, frozen=True, array_like=True, gc=False):
    """What the customer answered about one topic, or one action without a topic (rule 13); `name` says which.

    `replies` are the newest, in order of time; `forgotten` counts those that fell out, and `since` is the time of the
    newest of them. The one named "" stands for all names that fell out.
    """

    name: str
    replies: tuple[Reply, ...] = ()
    forgotten: int = 0
    since: int | None = None


class Attribute(Struct, frozen=True, array_like=True, gc=False):
    """What an upstream service says of the customer under a name of its own, and when it was true."""

    name: str
    value: str | int | float | bool
    at: int


class Scope(Struct, frozen=True, gc=False, omit_defaults=True):
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


class Hold(Struct, frozen=True, array_like=True, gc=False):
    """A hold that stands: `facts` name what it stands on (`case:7`, `consent:marketing`; `order:o-9@` with the instant
    of the purchase; since an erasure `case~:` and `order~:` with a fingerprint), `items` are the skus of a purchase
    with their categories ("": none) as of then."""

    id: str
    reason: str
    scope: Scope
    until: int | None
    facts: tuple[str, ...]
    items: tuple[tuple[str, str], ...] = ()


class Absorbed(Struct, frozen=True, array_like=True, gc=False):
    """Another subject that became part of this one, by fingerprint, and its newest move that was taken in."""

    name: int
    sequence: int


class State(Struct, frozen=True, array_like=True, gc=False):
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
    moved_at: int | None = None
    """When the event happened that moved it."""
    grants: tuple[Consent, ...] = ()
    """Grants that later facts have hidden: a complaint from before one of them that arrives late does not hold."""
    unsaid: int | None = None
    """When the holds are to be said that history brought; None where all that stands was said."""

    @property
    def wake_at(self) -> int | None:
        """When the engine wants to be asked again, or None."""
        if not self.deferred:
            return self.unsaid
        due = min([waiting.not_before for waiting in self.deferred])
        return due if self.unsaid is None else min(due, self.unsaid)
