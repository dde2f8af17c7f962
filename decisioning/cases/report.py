"""What a run of cases tells an analyst: what failed and why, and which rules no case reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from decisioning.cases.trial import Difference, Failure, Outcomes, Result, brief, describe, shown
from decisioning.decision import Decision, data
from decisioning.policy import Policy
from decisioning.reasons import REASONS
from decisioning.suppress.base import EVERY_CLASS

_ENGINE: Final = ("allowed.", "outranked.", "duplicate.", "withdrawn.")
"""Families that the engine gives by itself, whatever the rulebook says."""
_NEED_A_FAULT: Final = ("degraded.", "rule_error.")
"""Families that need a fault, not a story: a state that cannot be read, a condition without an answer."""
_CALLED: Final = {
    "order.eta_changed": ("order.delayed", "order.delivered", "order.cancelled"),
    "order.shipped": ("order.shipped", "order.delivered", "order.cancelled"),
    "order.delivered": ("order.delivered",),
}
"""What acts that an event called say, and why they may be taken back."""
_WIDTH: Final = 60


class Missed(NamedTuple):
    """What no case reached: reasons and actions of the rules that the rulebook writes, and reasons of the rest."""

    written: tuple[str, ...]
    defaults: tuple[str, ...]


def given(policy: Policy) -> frozenset[str]:
    """Every reason that a case of this rulebook may name, those under names of the author's own included."""
    own = {
        reason
        for class_ in EVERY_CLASS
        for one in policy.suppressors(class_, keeps_quiet=True)
        for reason in one.gives()
    }
    return frozenset(REASONS) | own


def possible(policy: Policy) -> Missed:
    """Every reason that decisions under this policy can carry, and the actions that it writes."""
    book = policy.rulebook
    sections = book.respect.model_fields_set if "respect" in book.model_fields_set else frozenset[str]()
    written: list[str] = []
    defaults: list[str] = []
    for class_ in sorted(EVERY_CLASS):
        for one in policy.suppressors(class_, keeps_quiet=True):
            (written if one.section in sections else defaults).extend(one.gives())
    if policy.make_good_within:
        (written if "make_good" in book.model_fields_set else defaults).extend(
            ["make_good.price_drop", "order.returned"]
        )
    called = [code for action in book.ready for type_ in action.on for code in _CALLED.get(type_, ())]
    (written if "actions" in book.model_fields_set else defaults).extend(called)
    defaults += [code for code in REASONS if code.startswith(_ENGINE)]
    actions = [f"action {action.action}" for action in book.ready] if "actions" in book.model_fields_set else []
    return Missed(_stories([*written, *actions]), _stories([code for code in defaults if code not in written]))


def unreached(policy: Policy, results: Sequence[Result]) -> Missed:
    """What no case reached, by name."""
    outcomes = Outcomes.of(results)
    reached = outcomes.reasons | {f"action {name}" for name in outcomes.acts}
    return Missed(*(tuple(name for name in names if name not in reached) for names in possible(policy)))


def lines(source: str, results: Sequence[Result], missed: Missed) -> Iterator[str]:
    """The report, a line at a time: failures first, then what no case reached, then the count."""
    failures = [result for result in results if result.failure is not None]
    for result in failures:
        assert result.failure is not None
        yield from _failure(source, result.script.name, result.failure)
        yield ""
    if missed.written:
        yield "no case reaches:"
        yield from (f"  {name}" for name in missed.written)
        yield ""
    if missed.defaults:
        yield f"not asked of these cases: {_count(len(missed.defaults), 'reason')} of rules left at their defaults"
    yield f"{source}: {_count(len(results), 'case')}, {len(results) - len(failures)} held, {len(failures)} failed" + (
        f", {_count(len(missed.written), 'rule')} not reached" if missed.written else ""
    )


def _stories(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(names) if not name.startswith(_NEED_A_FAULT))


def _failure(source: str, name: str, failure: Failure) -> Iterator[str]:
    scene = failure.scene
    yield f"{source}:{scene.line}:{scene.column}: {name}"
    yield f"  {scene.title}"
    yield from _table(failure.differences)
    yield "  all that was said:" + ("" if failure.said else " nothing")
    for decision in failure.said:
        yield f"    {_told(decision)}"
        yield from (f"      because {shown(one.because)}" for one in decision.considered[:1] if one.because)
    if scene.expect:
        yield "  all that was expected: " + ", ".join(brief(one) for one in scene.expect)


def _table(differences: Sequence[Difference]) -> Iterator[str]:
    rows = [Difference("field", "expected", "said"), *differences]
    widths = [min(max(len(row[column]) for row in rows), _WIDTH) for column in range(3)]
    for row in rows:
        yield "    " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _told(decision: Decision) -> str:
    told = data(decision)
    kept = ("channel", "reason", "valid_until", "not_before", "allowed_from", "until")
    details = [f"{name} {told[name]}" for name in kept if name in told]
    return ", ".join([describe(decision), *details])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
