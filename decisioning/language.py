"""What is wrong with the words of a rulebook: its conditions, the names they read, its channels, names given twice.

Looks at the tree as it was written, and takes from it whatever can be read: an author who misspelt a duration in one
place learns at the same time of the condition that does not compile in another.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from decisioning.condition import Condition, ConditionRejected, Schema, parse
from decisioning.vocabulary import BUILT_IN, RESERVED, TRIGGERS, Declared, of_candidate, of_events, words_of

MAX_CLAUSES: Final = 1000
"""How many conditions a rulebook may hold in all."""

OWN_LIMIT: Final = "own_limit"
"""The name under which `respect.frequency_cap` keeps the customer's own number, whatever the caps are."""

Path = tuple[str | int, ...]
"""Where something stands in a tree: keys and places."""


class Fault(NamedTuple):
    """One fault: the path to it, the message, and, in a text that stands there, the offset (None: not in a text) and
    the word that is wrong."""

    path: Path
    message: str
    offset: int | None = None
    word: str = ""


def faults(tree: Any) -> list[Fault]:
    """Every fault of a rulebook's words, of its plain tree; what is of the wrong shape is left to the models."""
    if not isinstance(tree, Mapping):
        return []
    attributes, found = _attributes(tree.get("attributes"))
    broken = {f"customer.{name}" for name in _names(tree.get("attributes"))} - {
        f"customer.{name}" for name in attributes
    }
    written = list(conditions(tree, attributes))
    if len(written) > MAX_CLAUSES:
        return [*found, Fault(("actions",), f"more than {MAX_CLAUSES} conditions: split the rulebook")]
    channels = [one for one in _list(tree.get("channels")) if isinstance(one, str)]
    for path, text, schema in written:
        try:
            found += [Fault(path, *fault) for fault in _never_so(parse(text, schema), channels)]
        except ConditionRejected as error:
            found += [
                Fault(path, fault.message, fault.offset, fault.text)
                for fault in error.faults
                if fault.text not in broken
            ]
    return [*found, *_twice(tree), *_channels(tree)]


def _never_so(condition: Condition, channels: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """Texts that a name with a closed list can never be: message, place and text."""
    for name, text, offset in condition.compares:
        known, also = (channels, "declared are") if name == "candidate.channel" else (words_of(name), "it is one of")
        if known and text not in known:
            yield f"`{name}` is never `{text[:100]}`{_close(text, known, also)}", offset, text


def _attributes(written: Any) -> tuple[dict[str, Declared], list[Fault]]:
    """The declarations that can be used, and what is wrong with the names of any."""
    taken = {one.name for one in BUILT_IN}
    usable: dict[str, Declared] = {}
    found: list[Fault] = []
    for name in _names(written):
        if f"customer.{name}" in taken:
            found.append(Fault(("attributes", name), f"`customer.{name}` is built in: leave the declaration out"))
        elif name in RESERVED:
            found.append(Fault(("attributes", name), f"`{name}` is a word of the language: choose another name"))
        else:
            try:
                usable[name] = Declared.model_validate(written[name])
            except ValidationError:
                continue
    return usable, found


def conditions(tree: Mapping[str, Any], attributes: Mapping[str, Declared]) -> Iterator[tuple[Path, str, Schema]]:
    """Every condition of a rulebook's plain tree: the path to it, its text, and the names that it may read."""
    about_candidates = of_candidate(attributes)
    for place, action in enumerate(_list(tree.get("actions"))):
        if not isinstance(action, Mapping):
            continue
        called_by = [action["on"]] if isinstance(action.get("on"), str) else _list(action.get("on"))
        if not all(isinstance(one, str) and one in TRIGGERS for one in called_by):
            continue
        schema = of_events(called_by, attributes) if called_by else about_candidates
        for number, clause in enumerate(_list(action.get("when"))):
            for name, text in clause.items() if isinstance(clause, Mapping) else ():
                if isinstance(text, str):
                    yield ("actions", place, "when", number, name), text, schema
    for place, refusal in enumerate(_list(reach(tree, "respect", "ineligible"))):
        text = refusal.get("when") if isinstance(refusal, Mapping) else None
        if isinstance(text, str):
            yield ("respect", "ineligible", place, "when"), text, about_candidates


def _twice(tree: Mapping[str, Any]) -> list[Fault]:
    """Actions and caps that bear the name of an earlier one."""
    found = []
    for path, key in ((("actions",), "action"), (("respect", "frequency_cap", "caps"), "name")):
        seen: set[str] = set()
        for place, one in enumerate(_list(reach(tree, *path))):
            name = one.get(key) if isinstance(one, Mapping) else None
            if isinstance(name, str) and name in seen:
                found.append(Fault((*path, place, key), f"`{name}` stands there twice: each needs a name of its own"))
            elif key == "name" and name == OWN_LIMIT:
                message = f"`{name}` is the reason of the customer's own number: choose another name"
                found.append(Fault((*path, place, key), message))
            seen.add(str(name))
    return found


_WHERE: Final[tuple[Callable[[Any], Iterator[Path]], ...]] = (
    lambda tree: (("actions", place, "channels") for place, _ in enumerate(_list(tree.get("actions")))),
    lambda tree: (
        ("respect", "frequency_cap", "caps", place, "channels")
        for place, _ in enumerate(_list(reach(tree, "respect", "frequency_cap", "caps")))
    ),
    lambda tree: iter([("respect", "stopped", "channels")]),
)
"""Where channels are named."""


def _channels(tree: Mapping[str, Any]) -> list[Fault]:
    """Channels that are not among the declared ones, where some are declared."""
    known = [one for one in _list(tree.get("channels")) if isinstance(one, str)]
    if not known:
        return []
    return [
        Fault((*path, place), f"unknown channel `{channel}`{_close(channel, known)}")
        for where in _WHERE
        for path in where(tree)
        for place, channel in enumerate(_list(reach(tree, *path)))
        if isinstance(channel, str) and channel not in known
    ]


def _close(word: str, known: Sequence[str], else_: str = "declared are") -> str:
    close = difflib.get_close_matches(word, known, n=1)
    there = ", ".join(f"`{one}`" for one in known[:20] if one)
    return f": did you mean `{close[0]}`?" if close else f": {else_} {there}"


def _names(written: Any) -> list[str]:
    return [name for name in written if isinstance(name, str)] if isinstance(written, Mapping) else []


def reach(tree: Any, *path: str | int) -> Any:
    """What stands at a path of a plain tree, None where nothing does."""
    for part in path:
        if isinstance(tree, Mapping):
            tree = tree.get(part)
        elif isinstance(tree, list) and isinstance(part, int):
            tree = tree[part] if part < len(tree) else None
        else:
            return None
    return tree


def _list(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []
