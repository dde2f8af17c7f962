"""The tables of `rules/README.md`, generated: rules, reasons, what conditions may read, actions, events.

A table stands between two marks, `<!-- table: reasons -->` and `<!-- end -->`; `fill` writes it anew there. A test
keeps the file as fresh as the code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec

from decisioning.actions import ActionRule
from decisioning.payload import TYPES
from decisioning.reasons import OPEN, REASONS
from decisioning.suppress import ORDER
from decisioning.suppress.base import EVERY_CLASS, AnySuppressor, Rule
from decisioning.vocabulary import BUILT_IN, TRIGGERS, fields

Row = tuple[str, ...]
_MARKED: Final = re.compile(r"(<!-- table: ([a-z]+) -->\n).*?(<!-- end -->)", re.S)


def fill(text: str) -> str:
    """A page with its tables written anew; KeyError for the mark of a table that there is not."""
    return _MARKED.sub(lambda mark: f"{mark[1]}\n{TABLES[mark[2]]()}\n{mark[3]}", text)


def rules() -> str:
    """The suppressors in their order: what each does, for which classes, its numbers, its reasons."""
    rows = [(f"`{one.section}`", _words(one), _classes(one), _numbers(one), _reasons(one)) for one in ORDER]
    return _table(("section", "what it does", "for", "its defaults", "its reasons"), rows)


def reasons() -> str:
    """Every reason in three voices."""
    every = [*REASONS.values(), *OPEN.values()]
    rows = [(f"`{one.code}`", one.author, one.agent, one.customer) for one in every]
    return _table(("reason", "for you", "for an agent", "for the customer"), rows)


def names() -> str:
    """What a condition may read, whatever it is about."""
    rows = [(f"`{one.name}`", one.kind.value, one.says) for one in BUILT_IN]
    rows.append(("`customer.<attribute>`", "as declared", "What the rulebook declares under `attributes:`."))
    return _table(("name", "type", "what it says"), rows)


def calls() -> str:
    """The events that may call an action, and what its conditions may read of them."""
    every = set.intersection(*(set(fields(type_)) for type_ in TRIGGERS))
    rows = [(f"`{type_}`", _event_fields(type_, every)) for type_ in TRIGGERS]
    shared = ", ".join(f"`{name}`" for name in fields(TRIGGERS[0]) if name in every)
    return f"All have {shared}.\n\n" + _table(("`on:`", "what its conditions may read beside"), rows)


def actions() -> str:
    """The fields of an action."""
    found = [(field.alias or name, field) for name, field in ActionRule.model_fields.items()]
    rows = [(f"`{name}`" + ("" if field.is_required() else "?"), str(field.description or "")) for name, field in found]
    return _table(("field", "what it says"), rows)


def events() -> str:
    """Every event type: its topic, what happened, its fields."""
    rows = [
        (f"`{type_}`", topic, sentence(model.__doc__), ", ".join(_field(one) for one in msgspec.structs.fields(model)))
        for type_, (topic, model) in TYPES.items()
    ]
    return _table(("event", "topic", "what happened", "its data (`?`: may be left out)"), rows)


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "rules": rules,
    "reasons": reasons,
    "names": names,
    "calls": calls,
    "actions": actions,
    "events": events,
}
"""Name in the mark -> what makes the table."""


def _table(head: Row, rows: Iterable[Row]) -> str:
    return "".join(_lines([head, tuple("---" for _ in head), *rows]))


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        yield "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in row) + " |\n"


def _words(one: type[AnySuppressor]) -> str:
    return sentence(one.__doc__)


def sentence(text: str | None) -> str:
    """The first paragraph of a docstring: what a rule or an event is, in its own words."""
    return (text or "").strip().partition("\n\n")[0]


def _classes(one: type[AnySuppressor]) -> str:
    return "all" if one.classes == EVERY_CLASS else ", ".join(sorted(one.classes))


def _reasons(one: type[AnySuppressor]) -> str:
    families = [reason.code for family, reason in OPEN.items() if family == one.section]
    return ", ".join(f"`{code}`" for code in (*one.reasons, *families))


def _numbers(one: type[AnySuppressor]) -> str:
    """The defaults, as an author writes them."""
    if one.shape.model_json_schema().get("type") == "array":
        return "`[]`"  # written as a list of the author's own
    found = numbers(one.shape())
    return f"`{found}`" if found else "nothing to set"


def numbers(rule: Rule) -> str:
    """The numbers of a rule, as an author writes them on one line; empty where there is nothing to set."""
    found = rule.model_dump(mode="json", by_alias=True, exclude_none=True)
    return _flow(found) if found else ""


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(one) for one in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) and ":" in value else str(value)


def _event_fields(type_: str, shared: set[str]) -> str:
    found = {name: kind for name, kind in fields(type_).items() if name not in shared}
    return ", ".join(f"`{name}` ({kind.value})" for name, kind in found.items()) or "nothing"


def _field(field: msgspec.structs.FieldInfo) -> str:
    inner = _struct_in(field.type)
    parts = ", ".join(_field(one) for one in msgspec.structs.fields(inner)) if inner is not None else ""
    choice = _choice(field.type)
    name = field.encode_name + ("" if field.required else "?")
    return name + (f"[{{{parts}}}]" if parts else "") + (f" ({choice})" if choice else "")


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that a list of a field's type holds."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next((found for part in get_args(kind) if (found := _struct_in(part)) is not None), None)


def _choice(kind: Any) -> str:
    """The words of a closed list."""
    if get_origin(kind) is Literal:
        return ", ".join(map(str, get_args(kind)))
    parts = get_args(kind) if get_origin(kind) in (Union, type(int | None)) else ()
    return next((found for part in parts if (found := _choice(part))), "")
