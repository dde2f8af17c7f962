"""A rulebook made fast: its suppressors, built once and indexed by class; immutable but for the catalogue it reads."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final, NamedTuple

from decisioning.actions import Action
from decisioning.catalogue import Catalogue
from decisioning.instant import DAY
from decisioning.rulebook import Rulebook
from decisioning.state.model import Life
from decisioning.stops import NOTHING, Stopped, joined
from decisioning.suppress import ORDER
from decisioning.suppress.base import EVERY_CLASS, AnySuppressor, Suppressor
from decisioning.suppress.expired import InTime, Patience
from decisioning.suppress.frequency_cap import Caps, UnderCaps
from decisioning.suppress.hold import NoOpenIssue, Rest
from decisioning.suppress.recent_purchase import NotJustBought, Windows, needed_again
from decisioning.suppress.stopped import NotStopped, Switch
from decisioning.vocabulary import Attributes

LONGEST_WAIT: Final = 30 * DAY
"""A candidate that could not go out within this time is refused rather than deferred (contract.md, "Verdicts")."""

LATEST_RESPONSE: Final = 90 * DAY
"""A response to an act older than this is one to an act that nobody remembers."""


Placed = tuple[tuple[int, AnySuppressor], ...]
"""Suppressors with their places in the policy's order."""


class Panel(NamedTuple):
    """The suppressors of one class by how much of the question their answer depends on (`Suppressor.depends_on`)."""

    of_customer: Placed
    of_candidate: Placed
    of_everything: Placed
    lasting: Placed
    """Those of everything but what speaks of the one request."""
    of_the_request: tuple[AnySuppressor, ...]
    ending: tuple[AnySuppressor, ...]
    """Those that may end an act."""

    @classmethod
    def of(cls, suppressors: Iterable[AnySuppressor]) -> Panel:
        """The panel of suppressors that stand in their order."""
        placed = tuple(enumerate(suppressors))
        return cls(
            of_customer=tuple(pair for pair in placed if pair[1].depends_on == "customer"),
            of_candidate=tuple(pair for pair in placed if pair[1].depends_on == "candidate"),
            of_everything=tuple(pair for pair in placed if pair[1].depends_on == "everything"),
            lasting=tuple(pair for pair in placed if pair[1].depends_on == "everything" and not pair[1].of_the_request),
            of_the_request=tuple(one for _, one in placed if one.of_the_request),
            ending=tuple(one for _, one in placed if type(one).ends is not Suppressor.ends),
        )


class Policy:
    """What the engine asks: one rulebook, one catalogue, and what somebody has `stopped` beside the rulebook."""

    def __init__(self, rulebook: Rulebook, catalogue: Catalogue, stopped: Stopped = NOTHING) -> None:
        self.rulebook = rulebook
        self.catalogue = catalogue
        self.stopped = stopped
        rule = rulebook.rule(NotStopped.section)
        assert isinstance(rule, Switch)
        self.switch = NotStopped(joined(rule, stopped.switch))
        """What is stopped, by the rulebook or beside it."""
        made = (self.switch if kind is NotStopped else kind.of(rulebook) for kind in ORDER)
        suppressors = tuple(one for one in made if one.gives())  # what is off is not asked
        self._by_class = {
            (class_, quiet): tuple(one for one in suppressors if class_ in one.classes or (quiet and one.of_the_night))
            for class_ in sorted(EVERY_CLASS)
            for quiet in (False, True)
        }
        self._panels: dict[tuple[str, bool], Panel] = {}
        self._actions = {action.action: action for action in rulebook.ready}
        called_by = {event_type for action in rulebook.ready for event_type in action.on}
        self._triggers = {
            event_type: tuple(action for action in rulebook.ready if event_type in action.on)
            for event_type in called_by
        }
        self.stamp = {"name": rulebook.rulebook, "version": rulebook.version, "digest": rulebook.digest}

    def panel(self, class_: str, keeps_quiet: bool = False) -> Panel:
        """The same as `suppressors`, by how much of the question they depend on."""
        key = (class_, keeps_quiet)
        found = self._panels.get(key)
        if found is None:
            found = self._panels[key] = Panel.of(self.suppressors(class_, keeps_quiet))
        return found

    def under(self, stopped: Stopped) -> Policy:
        """The same rulebook and catalogue while this is stopped beside it."""
        return Policy(self.rulebook, self.catalogue, stopped)

    @property
    def stopped_by(self) -> str:
        """What a recall names as its cause where nothing happened to the customer: the newest stop, or the rulebook."""
        return self.stopped.cause or f"rulebook {self.rulebook.rulebook} {self.rulebook.version}"

    def suppressors(self, class_: str, keeps_quiet: bool = False) -> tuple[AnySuppressor, ...]:
        """Those that speak about candidates of this class, in the policy's order; with `keeps_quiet` those of the
        night too, whatever the class."""
        return self._by_class[class_, keeps_quiet]

    @property
    def attributes(self) -> Attributes:
        """The attributes that conditions may read, as `facts` asks for them."""
        return self.rulebook.attributes

    def triggers(self, event_type: str) -> tuple[Action, ...]:
        """The actions that an event of this type calls, in the rulebook's order; their clauses are still to be
        asked."""
        return self._triggers.get(event_type, ())

    def action(self, name: str) -> Action | None:
        """The rulebook's action of this name, if any; a request may name others."""
        return self._actions.get(name)

    def valid_for(self, action: str) -> int:
        """How long an act of this action may wait to go out, in microseconds."""
        found = self._actions.get(action)
        return found.valid_for if found is not None else self.rulebook.valid_for

    def treatment(self, action: str, channel: str) -> str | None:
        """Which wording the rulebook names for an action on a channel, if any."""
        found = self._actions.get(action)
        return found.treatments.get(channel) if found is not None else None

    @cached_property
    def lifetime(self) -> int:
        """How long a candidate without `expires_at` stands, in microseconds."""
        rule = self.rulebook.rule(InTime.section)
        assert isinstance(rule, Patience)
        return rule.after

    @cached_property
    def orders_for(self) -> int:
        """How long an order can matter, in microseconds."""
        return self._windows.longest

    @cached_property
    def acts_for(self) -> int:
        """How long an act can matter, in microseconds: its slot, and what a late response says of it."""
        rule = self.rulebook.rule(UnderCaps.section)
        assert isinstance(rule, Caps)
        return max(rule.longest, LATEST_RESPONSE)

    def life_until(self, life: Life) -> int:
        """The instant at which a life event silences no more: as given, else by the rule's number (rule 4)."""
        return life.end(int(getattr(self.rulebook.rule("empathy"), life.kind)))

    @cached_property
    def after_resolved(self) -> int:
        """How long a resolved problem goes on silencing, in microseconds (rule 5)."""
        rule = self.rulebook.rule(NoOpenIssue.section)
        assert isinstance(rule, Rest)
        return rule.after_resolved

    def owned_for(self, sku: str) -> int:
        """How long rule 10 speaks after a purchase of this sku, in microseconds."""
        rule = self._windows
        return needed_again(self.catalogue.get(sku), rule.substitute, rule.consumed)

    @cached_property
    def _windows(self) -> Windows:
        rule = self.rulebook.rule(NotJustBought.section)
        assert isinstance(rule, Windows)
        return rule

    @cached_property
    def make_good_within(self) -> int:
        """How long after a purchase a price drop is made good, in microseconds; 0: not at all."""
        return self.rulebook.make_good.price_drop
