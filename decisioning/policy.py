"""A rulebook made fast: its suppressors, built once and indexed by class; immutable but for the catalogue it reads."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from decisioning.catalogue import Catalogue
from decisioning.instant import DAY
from decisioning.rulebook import Rulebook
from decisioning.suppress import ORDER
from decisioning.suppress.base import EVERY_CLASS, AnySuppressor
from decisioning.suppress.expired import InTime, Patience
from decisioning.suppress.frequency_cap import Caps, UnderCaps
from decisioning.suppress.recent_purchase import NotJustBought, Windows

LONGEST_WAIT: Final = 30 * DAY
"""A candidate that could not go out within this time is refused rather than deferred (contract.md, "Verdicts")."""


class Policy:
    """What the engine asks: one rulebook and one catalogue."""

    def __init__(self, rulebook: Rulebook, catalogue: Catalogue) -> None:
        self.rulebook = rulebook
        self.catalogue = catalogue
        suppressors = tuple(kind(rulebook.rule(kind.section)) for kind in ORDER)
        self._by_class = {
            class_: tuple(one for one in suppressors if class_ in one.classes) for class_ in sorted(EVERY_CLASS)
        }
        self.stamp = {"name": rulebook.rulebook, "version": rulebook.version, "digest": rulebook.digest}

    def suppressors(self, class_: str) -> tuple[AnySuppressor, ...]:
        """Those that speak about candidates of this class, in the policy's order."""
        return self._by_class[class_]

    @cached_property
    def lifetime(self) -> int:
        """How long a candidate without `expires_at` stands, in microseconds."""
        rule = self.rulebook.rule(InTime.section)
        assert isinstance(rule, Patience)
        return rule.after

    @cached_property
    def orders_for(self) -> int:
        """How long an order can matter, in microseconds."""
        rule = self.rulebook.rule(NotJustBought.section)
        assert isinstance(rule, Windows)
        return rule.longest

    @cached_property
    def acts_for(self) -> int:
        """How long the slot of an act can matter, in microseconds."""
        rule = self.rulebook.rule(UnderCaps.section)
        assert isinstance(rule, Caps)
        return rule.longest
