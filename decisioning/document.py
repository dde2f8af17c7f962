"""A YAML 1.2 text as a tree that knows its places: line and column of every key and item.

YAML can do more than a rulebook needs, and some of it is dangerous: aliases that unfold without end, tags that run
code, keys that are collections. A first pass over the parser's events refuses all that before a tree is built, so
that a text of a megabyte is read in bounded time or refused with its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from decisioning.errors import Problem, RulebookError

MAX_BYTES: Final = 250_000
MAX_LINES: Final = 10_000
MAX_DEPTH: Final = 40
MAX_NODES: Final = 50_000
MAX_SCALAR: Final = 2_000
MAX_DUPLICATES: Final = 50


class _Constructor(RoundTripConstructor):
    """A date is a text, as in YAML 1.2: whoever reads it says what is wrong with it, and where."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", RoundTripConstructor.construct_yaml_str)


def read(text: bytes, source: str) -> Any:
    """The tree of a text, ruamel.yaml's round-trip nodes; RulebookError with the place where it is none."""
    tree, duplicates = load(text, source)
    if duplicates:
        raise RulebookError(source, duplicates)
    return tree


def load(text: bytes, source: str, nodes: int = MAX_NODES) -> tuple[Any, list[Problem]]:
    """The tree of a text and its duplicate keys, of which the first stands; so whoever reads on finds the other faults
    too. RulebookError where it is no tree at all, or has more than so many `nodes`."""
    if len(text) > MAX_BYTES:
        raise _refused(source, None, f"larger than {MAX_BYTES} bytes: a rulebook is a page, not a dump")
    if text.count(b"\n") > MAX_LINES:
        raise _refused(source, None, f"more than {MAX_LINES} lines: split it")
    try:
        content = text.decode()
    except UnicodeDecodeError:
        raise _refused(source, None, "not UTF-8") from None
    try:
        duplicates = _guard(content, source, nodes)
        yaml = YAML(typ="rt", pure=True)
        yaml.Constructor = _Constructor
        yaml.allow_duplicate_keys = bool(duplicates)
        return yaml.load(content), duplicates
    except RulebookError:
        raise
    except MarkedYAMLError as error:
        message = (error.problem or "it does not parse").strip().splitlines()[0]
        raise _refused(source, error.problem_mark, f"not YAML: {message}") from None
    except Exception as error:  # the library raises what it likes on texts that only look like YAML
        said = str(error).strip().splitlines()
        raise _refused(source, None, f"not YAML: {said[0] if said else type(error).__name__}") from None


def plain(node: Any) -> Any:
    """A tree as plain Python values, so that models see what the author wrote and nothing of the reader."""
    if isinstance(node, Mapping):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, Sequence) and not isinstance(node, str | bytes):
        return [plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)


def place(tree: Any, path: Sequence[str | int]) -> tuple[int, int]:
    """Line and column (1-based) of the nearest node of a path that stands in the text."""
    found, node = (1, 1), tree
    for part in path:
        marks = getattr(node, "lc", None)
        if marks is None:
            break
        try:
            if isinstance(node, Mapping) and part in node:
                line, column = marks.key(part)
            elif isinstance(node, Sequence) and isinstance(part, int):
                line, column = marks.item(part)
            elif isinstance(node, Sequence) and isinstance(part, str):
                continue  # a list that stands for a model with one field
            else:
                break
            node = node[part]
        except (KeyError, IndexError, AttributeError, TypeError):
            break
        found = (line + 1, column + 1)
    return found


def value_place(tree: Any, path: Sequence[str | int]) -> tuple[int, int]:
    """Line and column (1-based) of what stands behind the last key of a path; `place` where there is none."""
    node, last = tree, path[-1]
    try:
        for part in path[:-1]:
            node = node[part]
        marks = node.lc
        line, column = marks.value(last) if isinstance(node, Mapping) else marks.item(last)
    except (KeyError, IndexError, AttributeError, TypeError):
        return place(tree, path)
    return line + 1, column + 1


_HALF: Final = re.compile("[\ud800-\udfff]")


class _Collection(NamedTuple):
    """An open list, or a mapping with its keys so far and the lines they stand in."""

    keys: dict[str, int] | None
    counts: list[int]

    @property
    def expects_key(self) -> bool:
        return self.keys is not None and self.counts[0] % 2 == 0


def _guard(content: str, source: str, nodes: int) -> list[Problem]:
    """Refuse what would unfold, run or nest without bound, and find duplicate keys; one pass, nothing built."""
    opened: list[_Collection] = []
    duplicates: list[Problem] = []
    documents = 0
    for count, event in enumerate(YAML(typ="rt", pure=True).parse(content)):
        if count > nodes:
            raise _refused(source, event.start_mark, f"more than {nodes} entries: split it")
        documents += isinstance(event, DocumentStartEvent)
        if documents > 1:
            raise _refused(source, event.start_mark, "a second document: a rulebook is one")
        if isinstance(event, CollectionEndEvent):
            opened.pop()
        elif isinstance(event, NodeEvent):
            is_key = bool(opened) and opened[-1].expects_key
            fault = _fault(event, is_key=is_key)
            if fault:
                raise _refused(source, event.start_mark, fault)
            if is_key and isinstance(event, ScalarEvent):
                duplicates += _twice(opened[-1], event)
            if opened:
                opened[-1].counts[0] += 1
            if isinstance(event, CollectionStartEvent):
                opened.append(_Collection({} if isinstance(event, MappingStartEvent) else None, [0]))
                if len(opened) > MAX_DEPTH:
                    raise _refused(source, event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
    return duplicates[:MAX_DUPLICATES]


def _twice(mapping: _Collection, key: ScalarEvent) -> list[Problem]:
    assert mapping.keys is not None
    line, column = key.start_mark.line + 1, key.start_mark.column + 1
    if key.value not in mapping.keys:
        mapping.keys[key.value] = line
        return []
    before = mapping.keys[key.value]
    return [Problem(line, column, f"duplicate key `{key.value[:100]}`: it stands in line {before} already")]


def _fault(event: Event, *, is_key: bool) -> str | None:
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
        return "anchors and aliases are not used here: write it out"
    if isinstance(event, ScalarEvent) and len(event.value) > MAX_SCALAR:
        return f"a text of more than {MAX_SCALAR} characters"
    if isinstance(event, ScalarEvent) and _HALF.search(event.value):
        return "half a character: write it as it is, not as \\ud83d"
    if is_key and isinstance(event, CollectionStartEvent):
        return "a list or mapping cannot be a key: quote it"
    tag = getattr(event, "tag", None)
    return "tags are not used here: leave it out" if tag is not None and str(tag) not in ("", "None") else None


def _refused(source: str, mark: Any, message: str) -> RulebookError:
    line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
    return RulebookError(source, [Problem(line, column, message)])
