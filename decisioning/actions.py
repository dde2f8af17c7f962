"""Actions of a rulebook: what we may say by ourselves, when an event calls it, and what must hold first.

An action with `on:` is called by events; one without waits for a request that names it, and its clauses bind that
request. Its clauses are asked in order, and the first that does not hold is the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BeforeValidator, Field, model_validator

from decisioning.condition import Condition, ConditionError, ConditionRejected, Value, parse
from decisioning.decision import Candidate
from decisioning.facts import Facts
from decisioning.instant import DAY
from decisioning.mistakes import ConditionFault
from decisioning.payload import Class
from decisioning.shape import Duration, Rule
from decisioning.vocabulary import ATTRIBUTE_NAME, TRIGGERS, Attributes, is_about_an_order, of_candidate, of_events

MAX_ACTIONS: Final = 500

Word = Annotated[str, Field(min_length=1, max_length=200)]
Channel = Annotated[str, Field(min_length=1, max_length=64)]


def _each(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a value is a number, such as 12.5")
    return str(value)


EventType = Literal[TRIGGERS]  # type: ignore[valid-type]  # the list is the contract's, so it is not written twice
ClauseName = Annotated[str, Field(pattern=ATTRIBUTE_NAME)]


class ActionRule(Rule):
    """One action as an author writes it."""

    action: Word = Field(description="Its name, as decisions carry it.")
    class_: Class = Field(alias="class", description="marketing, survey, service or care.")
    on: Annotated[
        tuple[EventType, ...], BeforeValidator(_each, json_schema_input_type=EventType | tuple[EventType, ...])
    ] = Field(default=(), description="The event types that call it; left out: only a request does.")
    when: Annotated[tuple[Annotated[dict[ClauseName, str], Field(min_length=1, max_length=1)], ...], Field()] = Field(
        default=(), max_length=50, description="Named clauses, all of which must hold: `- name: 'condition'`."
    )
    channels: tuple[Channel, ...] = Field(min_length=1, max_length=20, description="The channels, best first.")
    valid_for: Duration | None = Field(default=None, description="How long it may wait to go out.")
    value: Annotated[
        str,
        BeforeValidator(_number, json_schema_input_type=float | str),
        Field(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,10})?$"),
    ] = Field(default="0", description="What it is worth to us, when actions compete.")
    topic: Word | None = Field(default=None, description="What it is about; customers switch topics off.")
    category: Word | None = Field(default=None, description="The category of product it is about.")
    sku: Word | None = Field(default=None, description="The product it is about.")
    audience: Word | None = Field(default=None, description="Whom it is meant for: `prospect` or another.")
    needs_ok: tuple[Word, ...] = Field(default=(), max_length=50, description="The needs of customers that it meets.")
    treatments: dict[Channel, Word] = Field(default={}, description="Which wording goes out, by channel.")
    quiet_hours: bool = Field(default=False, description="Whether it waits for the day though its class need not.")
    once: bool = Field(default=False, description="Whether it is said at most once an order and event type.")

    @model_validator(mode="after")
    def _fits_together(self) -> ActionRule:
        if self.valid_for is not None and not 0 < self.valid_for <= 30 * DAY:
            raise ValueError("`valid_for` is more than nothing and at most 30d")
        names = [name for clause in self.when for name in clause]
        twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if twice is not None:
            raise ValueError(f"two clauses are called `{twice}`: each name is a reason")
        stray = next((channel for channel in self.treatments if channel not in self.channels), None)
        if stray is not None:
            raise ValueError(f"a treatment for `{stray}`, which is none of its channels")
        if self.once and not (self.on and all(is_about_an_order(event_type) for event_type in self.on)):
            raise ValueError("`once` counts by order: it needs `on:` with events of orders")
        return self

    def clauses(self) -> list[tuple[str, str]]:
        """Name and text of each clause, in order."""
        return [(name, text) for clause in self.when for name, text in clause.items()]


class Clause(Struct, frozen=True):
    """One named clause: the condition that must hold."""

    name: str
    condition: Condition


class Action(Struct, frozen=True):
    """One action ready for the engine; `on` empty: only a request calls it."""

    action: str
    class_: Class
    on: tuple[str, ...]
    clauses: tuple[Clause, ...]
    channels: tuple[str, ...]
    valid_for: int
    rule: ActionRule
    treatments: Mapping[str, str]
    once: bool
    says: Candidate
    """What is to be said, but for when it expires."""

    def refused_by(self, facts: Mapping[str, Value]) -> str | None:
        """The name of the first clause that does not hold, None if all hold; clauses after it are not asked.

        `ConditionError` with the name of a clause that has no answer.
        """
        for clause in self.clauses:
            try:
                holds = facts.holds(clause.condition) if isinstance(facts, Facts) else clause.condition.holds(facts)
                if not holds:
                    return clause.name
            except ConditionError as error:
                raise ConditionError(error.missing, clause.name) from None
        return None

    def candidate(self, event_time: int, lifetime: int) -> Candidate:
        """What is to be said of an event of that instant; it stands for `lifetime` us, or for its own time if that is
        longer."""
        return replace(self.says, expires_at=event_time + max(lifetime, self.valid_for))


class ClauseRejected(ConditionRejected):
    """A clause that cannot be used: which one of its action (`place` in order, and name)."""

    def __init__(self, place: int, name: str, faults: list[ConditionFault]) -> None:
        super().__init__(faults)
        self.place = place
        self.name = name


def compiled(rule: ActionRule, attributes: Attributes, valid_for: int) -> Action:
    """An action ready for the engine; `ClauseRejected` for the first of its clauses that is at fault (`faults_of`
    finds them all)."""
    schema = of_events(rule.on, attributes) if rule.on else of_candidate(attributes)
    clauses = []
    for place, (name, text) in enumerate(rule.clauses()):
        try:
            clauses.append(Clause(name, parse(text, schema)))
        except ConditionRejected as error:
            raise ClauseRejected(place, name, error.faults) from None
    channels = tuple(dict.fromkeys(rule.channels))
    return Action(
        action=rule.action,
        class_=rule.class_,
        on=rule.on,
        clauses=tuple(clauses),
        channels=channels,
        valid_for=rule.valid_for if rule.valid_for is not None else valid_for,
        rule=rule,
        treatments=rule.treatments,
        once=rule.once,
        says=Candidate(
            index=0,
            action=rule.action,
            class_=rule.class_,
            channels=channels,
            expires_at=0,
            sku=rule.sku,
            category=rule.category,
            topic=rule.topic,
            audience=rule.audience,
            value=rule.value,
            needs_ok=rule.needs_ok,
            keeps_quiet=rule.quiet_hours,
        ),
    )


def _shipped() -> Iterable[dict[str, Any]]:
    channels, valid_for = ("push", "sms", "email"), "4h"
    yield {
        "action": "delay_alert",
        "class": "service",
        "on": "order.eta_changed",
        "when": [
            {"news": "order.news"},
            {"later_than_told": 'order.was_told && event.promised_at >= order.promised_at + duration("2h")'},
        ],
        "channels": channels,
        "valid_for": valid_for,
    }
    yield {
        "action": "order_status",
        "class": "service",
        "on": ["order.shipped", "order.delivered"],
        "once": True,
        "channels": channels,
        "valid_for": valid_for,
    }


SHIPPED: Final = tuple(ActionRule.model_validate(action) for action in _shipped())
"""What is on without configuration (contract.md, section 4, "Shipped triggers")."""
