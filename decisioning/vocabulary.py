"""The names that a condition may read: `BUILT_IN` is the one table, beside an event's own fields and the attributes
that a rulebook declares.

Tables for authors are generated from here. A condition on an event reads `event.*` and, where the event is about an
order, `order.*`; a condition on something to say reads `candidate.*`; both read `customer.*` and `now`.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from math import isfinite
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from decisioning.condition import Kind, Value
from decisioning.instant import parse_instant
from decisioning.payload import TYPES, Class
from decisioning.shape import Rule

RESERVED: Final = frozenset({
    "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
    "namespace", "null", "package", "return", "true", "var", "void", "while",
})  # fmt: skip
"""Words of the language, which can be no names."""

ATTRIBUTE_NAME: Final = r"^[a-z][a-z0-9_]{0,99}$"
"""What an attribute, an action's clause or a refusal may be called."""

_NO_TRIGGER: Final = frozenset(
    {"product.described", "contact.requested", "contact.withdrawn", "customer.erased", "customer.merged"}
)

TRIGGERS: Final = tuple(name for name in TYPES if name not in _NO_TRIGGER)
"""The event types that an action may name under `on:`: all but requests, the catalogue, and those after which nobody is
left to speak to."""


class Name(NamedTuple):
    """One name of `BUILT_IN`: its type, and what it says; `absent` is its value where there is none (None: it is
    missing, and a condition that needs it has no answer)."""

    name: str
    kind: Kind
    says: str
    absent: Value | None = None


BUILT_IN: Final = (
    Name("now", Kind.TIMESTAMP, "The instant of the decision."),
    Name("customer.country", Kind.STRING, "ISO 3166 code, as the customer's data give it."),
    Name("customer.language", Kind.STRING, "As the customer's data give it."),
    Name("customer.has_bought", Kind.BOOL, "Whether the customer ever bought, returned or not."),
    Name("customer.test", Kind.BOOL, "Whether the attribute `test` or `seed` marks a test or seed customer."),
    Name("candidate.action", Kind.STRING, "What is to be said."),
    Name("candidate.class", Kind.STRING, "marketing, survey, service or care."),
    Name("candidate.channel", Kind.STRING, "The channel that is being judged."),
    Name("candidate.sku", Kind.STRING, "The product it is about.", ""),
    Name("candidate.category", Kind.STRING, "Its category, else the catalogue's for the sku.", ""),
    Name("candidate.price", Kind.DOUBLE, "Its price, else the catalogue's for the sku."),
    Name("candidate.currency", Kind.STRING, "The currency of the price.", ""),
    Name("candidate.value", Kind.DOUBLE, "What it is worth to us; 0 if not given.", 0.0),
    Name("candidate.topic", Kind.STRING, "Its topic.", ""),
    Name("candidate.audience", Kind.STRING, "Whom it is meant for.", ""),
    Name("order.status", Kind.STRING, "placed, shipped, delivered or cancelled; empty if nothing is known.", ""),
    Name("order.was_told", Kind.BOOL, "Whether the customer was ever told when it arrives.", False),
    Name("order.promised_at", Kind.TIMESTAMP, "The delivery that the customer was last told, by us or by an event."),
    Name("order.news", Kind.BOOL, "Whether this event is the newest word on the order.", False),
)
"""What every condition may read, in the order of the tables for authors; types in `condition.Kind`."""

_KINDS: Final[dict[Any, Kind]] = {
    str: Kind.STRING,
    int: Kind.INT,
    float: Kind.DOUBLE,
    bool: Kind.BOOL,
    datetime: Kind.TIMESTAMP,
}


class Declared(Rule):
    """An attribute that a rulebook declares: its type, and the value where a customer has none (or one of another
    type)."""

    type: Kind = Field(description="string, int, double, bool or timestamp.")
    default: StrictBool | StrictInt | StrictFloat | StrictStr | None = Field(
        default=None, description="Used where the customer has no such value; without it a condition has no answer."
    )

    @model_validator(mode="after")
    def _of_its_type(self) -> Declared:
        if self.default is not None and as_kind(self.default, self.type) is None:
            text = ": YAML 1.2 reads a text here" if self.default in ("on", "off", "yes", "no") else ""
            raise ValueError(f"the default is no {self.type.value}{_EXAMPLES[self.type]}{text}")
        return self


_EXAMPLES: Final = {
    Kind.STRING: ": write it in quotes",
    Kind.INT: ": write a whole number",
    Kind.DOUBLE: ": write a number, such as 0.5",
    Kind.BOOL: ": write true or false",
    Kind.TIMESTAMP: ': write "2026-03-02T10:15:00Z"',
}

AttributeName = Annotated[str, Field(pattern=ATTRIBUTE_NAME)]
Attributes = Mapping[str, Declared]
"""The attributes that a rulebook declares; a condition reads `customer.<name>`."""


def as_kind(value: object, kind: Kind) -> Value | None:
    """A value as a name of this type holds it (a timestamp in microseconds), None where it is of another type.

    A whole number stands for a decimal one, and one like 5.0 for a whole one: JSON makes no difference.
    """
    match kind, value:
        case Kind.BOOL, bool(found):
            return found
        case Kind.STRING, str(text):
            return text
        case _, bool():
            return None
        case Kind.INT, int() | float():
            whole = isinstance(value, int) or (isfinite(value) and value.is_integer())
            return int(value) if whole and -(2**63) <= value < 2**63 else None
        case Kind.DOUBLE, int() | float():
            return float(value) if abs(value) < 1e300 else None
        case Kind.TIMESTAMP, str():
            try:
                return parse_instant(value)
            except ValueError:
                return None
    return None


def of_candidate(attributes: Attributes) -> dict[str, Kind]:
    """The names that a condition on something to say may read."""
    return {**_customer(attributes), **_built_in("candidate.")}


def of_events(event_types: Iterable[str], attributes: Attributes) -> dict[str, Kind]:
    """The names that a condition on any of these event types may read: what all of them have."""
    found = [{**fields(one), **(_built_in("order.") if is_about_an_order(one) else {})} for one in event_types]
    common = set.intersection(*(set(one.items()) for one in found)) if found else set()
    return {**_customer(attributes), **dict(common)}


@cache
def fields(event_type: str) -> dict[str, Kind]:
    """The plain fields of an event type as names (`event.order_id`) with their types, after its type and time."""
    hints = {"type": str, "time": datetime, **get_type_hints(TYPES[event_type][1])}
    return {f"event.{name}": kind for name, hint in hints.items() if (kind := _kind(hint)) is not None}


@cache
def words_of(name: str) -> tuple[str, ...]:
    """The texts that a name can hold where their list is closed, () where it may hold any."""
    prefix, _, own = name.partition(".")
    if name == "candidate.class":
        return get_args(Class)
    if name == "order.status":
        return ("", "placed", "shipped", "delivered", "cancelled")
    if name == "event.type":
        return TRIGGERS
    hints = [get_type_hints(model).get(own) for _, model in TYPES.values()] if prefix == "event" else []
    found = [_words(hint) for hint in hints if hint is not None]
    return tuple(dict.fromkeys(word for words in found for word in words)) if all(found) else ()


def _words(hint: Any) -> tuple[str, ...]:
    if get_origin(hint) is Literal:
        return get_args(hint)
    return next((found for inner in get_args(hint) if (found := _words(inner))), ())


@cache
def is_about_an_order(event_type: str) -> bool:
    """Whether an event of this type always names an order."""
    return get_type_hints(TYPES[event_type][1]).get("order_id") is str


def _customer(attributes: Attributes) -> dict[str, Kind]:
    declared = {f"customer.{name}": one.type for name, one in attributes.items()}
    return {**_built_in("now"), **_built_in("customer."), **declared}


def _built_in(prefix: str) -> dict[str, Kind]:
    return {one.name: one.kind for one in BUILT_IN if one.name.startswith(prefix)}


def _kind(hint: Any) -> Kind | None:
    """The type of a plain field; None for lists and the like."""
    if get_origin(hint) in (Union, types.UnionType):
        kinds = {_kind(one) for one in get_args(hint) if one is not type(None)}
        return kinds.pop() if len(kinds) == 1 else None
    if get_origin(hint) is Literal:
        return Kind.STRING
    return _KINDS.get(hint)
