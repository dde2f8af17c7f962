"""The shape that all suppressors share: one question in, no objection or one objection out.

A suppressor owns its rule (the numbers that an author may change), its check and its reasons. It answers for any
instant it is asked about, so that the engine can also find out *when* it would let a candidate through.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from decisioning.catalogue import Catalogue
from decisioning.decision import Candidate
from decisioning.instant import parse_duration
from decisioning.state import Act, State
from decisioning.state.model import Kept
from decisioning.zones import Zone

EVERY_CLASS: Final = frozenset({"marketing", "survey", "service", "care"})
PROMOTIONAL: Final = frozenset({"marketing", "survey"})
MARKETING: Final = frozenset({"marketing"})


def _duration(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"a duration needs its unit: write '{value}d', '{value}h' or '{value}m'")
    raise ValueError("a duration is a text: write '45m', '6h' or '30d'")  # pydantic would read `true` as 1 microsecond


Duration = Annotated[int, BeforeValidator(_duration)]
"""A duration of a rulebook (`45m`, `6h`, `30d`), in microseconds once parsed."""


class Rule(BaseModel):
    """The numbers of one suppressor; an unknown field is an author's mistake, not an extension."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Ask(NamedTuple):
    """The question: may this candidate go out on this channel at `now`?

    `acts` are those that count (at a recall not the judged one), `kept` what was bought and did not come back, `zones`
    where the customer may be (none: unknown), `asked_at` the time of the request at its first handling, else None,
    `campaign` the campaign that it belongs to, if any.
    """

    candidate: Candidate
    channel: str
    state: State
    acts: tuple[Act, ...]
    kept: tuple[Kept, ...]
    now: int
    catalogue: Catalogue
    zones: tuple[Zone, ...]
    asked_at: int | None = None
    campaign: str | None = None


class Objection(NamedTuple):
    """Why not. `until` is the first instant at which this suppressor objects no more (None: never by itself);
    `waits` asks to be asked again then instead of refusing."""

    reason: str
    because: Mapping[str, object]
    until: int | None
    waits: bool = False


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

    one_for_all_channels: ClassVar[bool] = False
    """Whether its answer depends on neither channel nor acts, so that it need be asked only once a candidate and
    instant."""

    def __init__(self, rule: R) -> None:
        self.rule = rule

    @abstractmethod
    def check(self, ask: Ask) -> Objection | None:
        """The objection to this candidate at `ask.now`, or None."""

    def ends(self, ask: Ask) -> int | None:
        """For a candidate it lets through: the instant after `ask.now` at which it must not go out any more, if any."""
        return None


AnySuppressor = Suppressor[Any]
