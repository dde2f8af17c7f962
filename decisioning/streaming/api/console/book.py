"""The rulebook in words: where it is from, what it stops, its rules and actions, and which of them never spoke.

Pure: a policy and what was counted of its decisions in, words out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from decisioning.actions import Action
from decisioning.guide import numbers, sentence
from decisioning.instant import format_duration
from decisioning.policy import Policy
from decisioning.reasons import describe
from decisioning.streaming.api.console.tally import Counts
from decisioning.suppress import ORDER
from decisioning.suppress.base import EVERY_CLASS, AnySuppressor
from decisioning.suppress.stopped import NotStopped, Switch

_READING: Final = re.compile(r" \(exact reading [0-9]+\)")  # of a document that whoever reads this may not have
_WHEN: Final = {
    "purchase.completed": "something is bought",
    "purchase.returned": "something comes back",
    "order.placed": "an order is placed",
    "order.shipped": "an order is shipped",
    "order.eta_changed": "a delivery is promised anew",
    "order.delivered": "an order arrives",
    "order.cancelled": "an order is cancelled",
    "order.payment_failed": "a payment fails",
    "support.case_opened": "a problem is reported",
    "support.case_resolved": "a problem is solved",
}
"""Event types whose own name is no sentence."""


class Spoken(NamedTuple):
    """A reason that a rule can give, its sentence, and how often it gave it since `Page.since`."""

    code: str
    sentence: str
    times: int


class RuleInWords(NamedTuple):
    """One suppressor under this rulebook; `off`: its numbers make it say nothing."""

    section: str
    sentence: str
    classes: str
    numbers: str
    off: bool
    reasons: list[Spoken]

    @property
    def silent(self) -> bool:
        """Whether it is on and never spoke."""
        return not self.off and not any(one.times for one in self.reasons)


class ActionInWords(NamedTuple):
    """One action: when it is said and how, its clauses as written, and how often it was said."""

    name: str
    class_: str
    sentence: str
    clauses: list[tuple[str, str]]
    times: int


class Stopped(NamedTuple):
    """Something that is stopped, and by whose word where that is known."""

    what: str
    by: str


class Page(NamedTuple):
    """Everything that the page shows."""

    name: str
    version: str
    owner: str | None
    digest: str
    source: str
    errors: Sequence[str]
    stopped: list[Stopped]
    rules: list[RuleInWords]
    actions: list[ActionInWords]
    decisions: int
    since: int | None
    """The instant of the oldest decision counted; None: none was."""


def page(policy: Policy, shown: Mapping[str, Any], counts: Counts | None) -> Page:
    """A policy in words; `shown` says where it comes from and what is wrong with a newer one, as on `/readyz`."""
    book = policy.rulebook
    return Page(
        name=book.rulebook,
        version=book.version,
        owner=book.owner,
        digest=book.digest,
        source=str(shown.get("source", "")),
        errors=list(shown.get("errors", ())),
        stopped=list(_stopped(policy)),
        rules=[_rule(policy, kind, counts) for kind in ORDER],
        actions=[_action(action, counts) for action in book.ready],
        decisions=counts.decisions if counts is not None else 0,
        since=counts.first if counts is not None else None,
    )


def _stopped(policy: Policy) -> Iterator[Stopped]:
    rule = policy.rulebook.rule(NotStopped.section)
    assert isinstance(rule, Switch)
    by = "this rulebook"
    if rule.marketing:
        yield Stopped("all marketing", by)
    for kind, names in (("channel", rule.channels), ("action", rule.actions), ("campaign", rule.campaigns)):
        yield from (Stopped(f"{kind} {name}", by) for name in names)


def _rule(policy: Policy, kind: type[AnySuppressor], counts: Counts | None) -> RuleInWords:
    gives = kind.of(policy.rulebook).gives()
    return RuleInWords(
        section=kind.section,
        sentence=_READING.sub("", sentence(kind.__doc__)),
        classes="every class" if kind.classes == EVERY_CLASS else ", ".join(sorted(kind.classes)),
        numbers=numbers(policy.rulebook.rule(kind.section)).removeprefix("{").removesuffix("}"),
        off=not gives,
        reasons=[Spoken(code, describe(code).author, counts.reasons[code] if counts else 0) for code in gives],
    )


def _action(action: Action, counts: Counts | None) -> ActionInWords:
    return ActionInWords(
        name=action.action,
        class_=action.class_,
        sentence=_says(action),
        clauses=[(name, " ".join(text.split())) for name, text in action.rule.clauses()],
        times=counts.said[action.action] if counts else 0,
    )


def _says(action: Action) -> str:
    """When it is said and how, in one sentence."""
    rule = action.rule
    called = " or ".join(_WHEN.get(one, f"`{one}` comes") for one in action.on)
    parts = [f"When {called}" if action.on else "When a request names it"]
    if action.clauses:
        parts[0] += " and every clause holds"
    parts.append(f"by {', else '.join(action.channels)}")
    if rule.quiet_hours:
        parts.append("not at night")
    if action.once:
        parts.append("once an order and event")
    parts.append(f"within {format_duration(action.valid_for)}")
    if rule.value != "0":
        parts.append(f"worth {rule.value}")
    return ", ".join(parts) + "."
