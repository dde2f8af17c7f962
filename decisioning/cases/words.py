"""What is wrong with the words of an event in a case: a field that is misspelt, a value that is none of its list.

The engine keeps unknown fields out of the way and quotes no value of an event. An author's case is no customer's data:
here a field that looks like a known one is taken for a slip, and a wrong value is named with what may stand there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import msgspec

from decisioning.language import Path, reach


def misspelt(model: type[msgspec.Struct], data: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Fields of an event's data that are unknown and look like one that is left out: where, and which was meant."""
    if isinstance(data, list):
        for place, one in enumerate(data):
            yield from misspelt(model, one, (*path, place))
    if not isinstance(data, Mapping):
        return
    known = {field.encode_name: field.type for field in msgspec.structs.fields(model)}
    for name, content in data.items():
        inner = _struct_in(known[name]) if name in known else None
        if inner is not None:
            yield from misspelt(inner, content, (*path, name))
        left_out = [one for one in known if one not in data]
        near = difflib.get_close_matches(name, left_out, n=1, cutoff=0.75) if name not in known else []
        if near:
            yield (*path, name), f"unknown field `{name}`: did you mean `{near[0]}`?"


def advice(model: type[msgspec.Struct], data: Any, path: Sequence[str | int], message: str) -> str:
    """The event parser's message with the value that is wrong, and what to write in its place where that is known."""
    if re.search(r"Expected `str`, got `(int|float)`", message):
        return f"{message}: put it in quotes"
    words, written = _words_at(model, path), reach(data, *path)
    if "Invalid enum value" not in message or not words or not isinstance(written, str):
        return message
    return f"{message.partition(':')[0]}: `{written}`: {choice(written, words)}"


def choice(word: str, known: Sequence[str]) -> str:
    """What to write in place of a word that is none of a closed list."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known here are {', '.join(f'`{one}`' for one in known)}"


def _words_at(model: type[msgspec.Struct] | None, path: Sequence[str | int]) -> tuple[str, ...]:
    """The closed list that a field of a model holds, none where it holds anything else."""
    kind: Any = model
    for part in path:
        if isinstance(part, str):
            model = _struct_in(kind)
            fields = msgspec.structs.fields(model) if model is not None else ()
            kind = next((field.type for field in fields if field.encode_name == part), None)
    return _literals(kind)


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next((found for part in get_args(kind) if (found := _struct_in(part)) is not None), None)


def _literals(kind: Any) -> tuple[str, ...]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next((found for part in get_args(kind) if (found := _literals(part))), ())
