"""Which decisions can be: the label values that stand at zero before anything happens.

A rate needs a beginning, so every outcome, class, channel and reason that can meet is shown from the start, and again
when another rulebook brings names of its own. Nothing here is listed twice: what refuses is asked of the policy's
suppressors, and only what speaks, or answers without being a suppressor, has its line below.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import product
from typing import Final

from decisioning import holds
from decisioning.decision import Outcome
from decisioning.policy import Policy
from decisioning.reasons import REASONS
from decisioning.streaming.metrics import OTHER
from decisioning.suppress.base import EVERY_CLASS, PROMOTIONAL, AnySuppressor

_ALL: Final = tuple(sorted(EVERY_CLASS))
_ASKED: Final = tuple(sorted(PROMOTIONAL))
_SERVICE: Final = ("service",)
_NO: Final = (Outcome.SUPPRESS, Outcome.RECALL)
_USUAL: Final = ("email", "push", "sms")
_BESIDES: Final[tuple[tuple[str, Collection[Outcome], Collection[str]], ...]] = (
    ("allowed", (Outcome.ACT,), _ALL),
    ("order", (Outcome.ACT, Outcome.RECALL), _SERVICE),
    ("make_good", (Outcome.ACT,), _SERVICE),
    ("outranked", (Outcome.SUPPRESS,), _ASKED),
    ("duplicate", (Outcome.SUPPRESS,), _ALL),
    ("withdrawn", _NO, _ALL),
)
"""Families that no suppressor gives, the outcomes and classes under which they appear."""


def possible(policy: Policy) -> Iterator[tuple[str, str, str]]:
    """Outcome, class ("" where a decision has none) and reason, as they can meet under this policy."""
    for class_ in _ALL:
        for one in policy.suppressors(class_, keeps_quiet=class_ in _SERVICE):
            said = (*_NO, Outcome.DEFER) if may_wait(one) else _NO
            yield from product(said, (class_,), one.gives())
    for family, outcomes, classes in _BESIDES:
        yield from product(outcomes, classes, [code for code in REASONS if code.startswith(f"{family}.")])
    yield from product((Outcome.HOLD, Outcome.RELEASE), ("",), holds.REASONS)


def channels(policy: Policy) -> tuple[str, ...]:
    """The channels that are counted by name: those of the rulebook, and the usual ones where it lists none."""
    book = policy.rulebook
    if book.channels is not None:
        return tuple(dict.fromkeys(book.channels))
    named = (channel for action in book.actions for channel in action.channels)
    return tuple(sorted({*_USUAL, *named}))


def shown(policy: Policy) -> Iterator[tuple[str, str, str, str]]:
    """The label values of decisions: outcome, class, channel ("" where a decision has none) and reason.

    A request may name any channel; those that are not the policy's own are counted together.
    """
    named = (*channels(policy), OTHER)
    for outcome, class_, reason in possible(policy):
        yield from ((outcome, class_, channel, reason) for channel in (named if class_ else ("",)))


def may_wait(suppressor: AnySuppressor) -> bool:
    """Whether it asks to wait where others refuse: its rule leaves the author that choice, `then:`."""
    return getattr(suppressor.rule, "then", None) == "defer"
