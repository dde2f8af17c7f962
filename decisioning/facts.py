"""What the names of a condition stand for, of one customer at one instant.

Facts are looked up when a condition asks for them: most conditions read two or three names of dozens. A name without a
value is missing; a field of an event or candidate that is a text and was left out is empty, for there we know that
there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from decisioning.condition import Condition, ConditionError, Kind, Value
from decisioning.decision import Candidate
from decisioning.event import Event
from decisioning.instant import format_instant, instant
from decisioning.state import State, orders, people
from decisioning.vocabulary import BUILT_IN, Attributes, as_kind, fields, is_about_an_order

if TYPE_CHECKING:
    from decisioning.suppress.base import Answers, Ask

_ABSENT: Final = {one.name: one.absent for one in BUILT_IN if one.absent is not None}


def answered(known: Answers, key: Hashable, condition: Condition, facts: Mapping[str, Value]) -> bool:
    """The answer of a condition, worked out only where `known` has none under this key; `ConditionError` where there is
    none."""
    if key not in known:
        try:
            known[key] = condition.holds(facts)
        except ConditionError as error:
            known[key] = ConditionError(error.missing)  # a new one: what was caught knows the frames it came through
    answer: bool | ConditionError = known[key]
    if isinstance(answer, ConditionError):
        raise ConditionError(answer.missing)
    return answer


class Facts(Mapping[str, Value]):
    """The values of the names that are known; made by `of_event` and `of_candidate`."""

    def __init__(self, names: Callable[[], tuple[str, ...]], look_up: Callable[[str], Value | None]) -> None:
        self._names = names
        self._look_up = look_up
        self._found: dict[str, Value | None] = {}
        self._answers: Answers = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._found:
            self._found[name] = self._look_up(name)
        found = self._found[name]
        if found is None:
            raise KeyError(name)
        return found

    def holds(self, condition: Condition) -> bool:
        """The answer of a condition for these facts, worked out once; `ConditionError` where there is none."""
        return answered(self._answers, condition.text, condition, self)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names() if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def of_event(attributes: Attributes, state: State, event: Event) -> Facts:
    """The facts about an event that `state` has just folded, at `state.now`: `vocabulary.of_events` of its type."""
    order_id = getattr(event.data, "order_id", None) if is_about_an_order(event.type) else None
    order = orders.find(state, order_id) if isinstance(order_id, str) else None
    kinds = fields(event.type)

    def look_up(name: str) -> Value | None:
        match name.partition("."):
            case "customer", _, own:
                return _of_customer(attributes, state, own)
            case "now", _, _:
                return state.now
            case "event", _, "type":
                return event.type
            case "event", _, "time":
                return event.time
            case "event", _, own:
                found = getattr(event.data, own, None)
                if found is None and kinds.get(name) is Kind.STRING:
                    return ""
                return instant(found) if isinstance(found, datetime) else found
            case "order", _, own if order is not None:
                told = orders.told(state, order)
                status = orders.status(order)
                known: dict[str, Value | None] = {"status": status, "was_told": told is not None, "promised_at": told}
                return known[own] if own in known else orders.news(state, event)
        return _ABSENT.get(name)

    return Facts(lambda: (*kinds, *_names(attributes, "order.")), look_up)


def of_candidate(attributes: Attributes, ask: Ask) -> Facts:
    """The facts about something to say on a channel, at `ask.now`: `vocabulary.of_candidate`."""

    def look_up(name: str) -> Value | None:
        match name.partition("."):
            case "customer", _, own:
                return _of_customer(attributes, ask.state, own)
            case "now", _, _:
                return ask.now
            case "candidate", _, "channel":
                return ask.channel
            case "candidate", _, own:
                found = _of_candidate(ask.candidate, ask, own)
                return found if found is not None else _ABSENT.get(name)
        return None

    return Facts(lambda: _names(attributes, "candidate."), look_up)


def shown(condition: Condition, facts: Mapping[str, Value]) -> dict[str, object]:
    """What a condition read, for a decision's `because`; times as texts."""
    found = {name: facts[name] for name in condition.reads if name in facts}
    return {name: format_instant(int(value)) if name in condition.times else value for name, value in found.items()}


def _names(attributes: Attributes, prefix: str) -> tuple[str, ...]:
    built_in = [one.name for one in BUILT_IN if one.name.startswith(("now", "customer.", prefix))]
    return (*built_in, *(f"customer.{name}" for name in attributes))


def _of_customer(attributes: Attributes, state: State, own: str) -> Value | None:
    if own in attributes:
        declared = attributes[own]
        told = next((one.value for one in state.attributes if one.name == own), None)
        found = as_kind(told, declared.type) if told is not None else None
        if found is not None or declared.default is None:
            return found
        return as_kind(declared.default, declared.type)
    match own:
        case "country":
            return state.profile.country.value if state.profile.country is not None else None
        case "language":
            return state.profile.language.value if state.profile.language is not None else None
        case "has_bought":
            return state.bought_at is not None
        case "test":
            return people.on_trial(state)
    return None


def _of_candidate(candidate: Candidate, ask: Ask, own: str) -> Value | None:
    product = ask.catalogue.get(candidate.sku)
    match own:
        case "action" | "sku" | "topic" | "audience":
            found: str | None = getattr(candidate, own)
            return found
        case "class":
            return candidate.class_
        case "category":
            return candidate.category or (product.category if product is not None else None)
        case "currency":
            return candidate.currency or (product.currency if product is not None else None)
        case "price":
            price = candidate.price or (product.price if product is not None else None)
            return float(price) if price is not None else None
        case "value":
            return as_kind(float(candidate.value), Kind.DOUBLE)
    return None
