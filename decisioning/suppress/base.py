"""The shape that all suppressors share: one question in, no objection or one objection out.

A suppressor owns its rule (the numbers that an author may change), its check and its reasons. It answers for any
instant it is asked about, so that the engine can also find out *when* it would let a candidate through.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, Final, Generic, Literal, Protocol, Self, TypeVar, cast

from msgspec import Struct

from decisioning.catalogue import Catalogue
from decisioning.decision import Candidate
from decisioning.shape import Duration as Duration
from decisioning.shape import Rule as Rule
from decisioning.shape import Then as Then
from decisioning.state import Act, State
from decisioning.zones import Zone

EVERY_CLASS: Final = frozenset({"marketing", "survey", "service", "care"})
PROMOTIONAL: Final = frozenset({"marketing", "survey"})
MARKETING: Final = frozenset({"marketing"})


class Book(Protocol):
    """What a suppressor may be made from: a rulebook, of which most read only their own section."""

    def rule(self, section: str) -> Rule:
        """The numbers of the suppressor that owns this section."""


Answers = dict[Hashable, Any]
"""What conditions answered, by whatever tells two questions apart (`facts.answered`)."""


class Ask(Struct, frozen=True, gc=False):
    """The question: may this candidate go out on this channel at `now`?

    `acts` are those that count (at a recall not the judged one), `zones` where the customer may be (none: unknown),
    `asked_at` the time of the request at its first handling, else None, `campaign` the campaign that it belongs to, if
    any.
    """

    candidate: Candidate
    channel: str
    state: State
    acts: tuple[Act, ...]
    now: int
    catalogue: Catalogue
    zones: tuple[Zone, ...]
    asked_at: int | None = None
    campaign: str | None = None
    answers: Answers | None = None
    """What conditions answered about this customer so far, so that each is asked once; none: they are asked anew."""


class Objection(Struct, frozen=True, gc=False):
    """Why not. `until` is the first instant at which this suppressor objects no more (None: never by itself);
    `waits` asks to be asked again then instead of refusing."""

    reason: str
    because: Mapping[str, object]
    until: int | None
    waits: bool = False


Depends = Literal["customer", "candidate", "everything"]
"""`customer`: the customer's memory, the class and the instant alone; `candidate`: what is to be said as well, but not
the channel, the acts that count or the request."""

R = TypeVar("R", bound=Rule)


class Suppressor(ABC, Generic[R]):
    """One reason family to keep silent. Subclasses set the class variables and `check`."""

    section: ClassVar[str]
    """Its key under `respect:` in a rulebook."""
    classes: ClassVar[frozenset[str]]
    """The classes it speaks about."""
    reasons: ClassVar[tuple[str, ...]]
    """Every reason it can give, in the order in which it looks."""
    shape: ClassVar[type[Rule]]
    """Its rule shape; every field has a default, so that it is on without configuration."""

    of_the_request: ClassVar[bool] = False
    """Whether it speaks of this one request (its age) and not of the thing: then `allowed_from` leaves it out."""

    of_the_night: ClassVar[bool] = False
    """Whether it is also asked about a candidate of another class that keeps quiet hours by its own wish."""

    depends_on: ClassVar[Depends] = "everything"
    """How much of the question its answer depends on, so that it is not asked again where nothing of that differs."""

    fades: ClassVar[bool] = False
    """Whether time alone never brings an objection, only ends it: once silent it is silent for ever, nothing else
    happening, and is not asked about later instants."""

    def __init__(self, rule: R) -> None:
        self.rule = rule

    @classmethod
    def of(cls, book: Book) -> Self:
        """The suppressor of a rulebook; one that needs more of it than its own section says how it is made."""
        return cls(cast(R, book.rule(cls.section)))

    @abstractmethod
    def check(self, ask: Ask) -> Objection | None:
        """The objection to this candidate at `ask.now`, or None."""

    def gives(self) -> tuple[str, ...]:
        """Every reason it can give under its rule; one whose rule names reasons of the author's own says those. None
        while the rule is off, and then it is not asked."""
        return self.reasons

    def ends(self, ask: Ask) -> int | None:
        """For a candidate it lets through: the instant after `ask.now` at which it must not go out any more, if any."""
        return None


AnySuppressor = Suppressor[Any]
