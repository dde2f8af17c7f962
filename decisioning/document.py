"""A YAML 1.2 text as a tree that knows its places: line and column of every key and item.

YAML can do more than a rulebook needs, and some of it is dangerous: aliases that unfold without end, tags that run
code, keys that are collections. A first pass over the parser's events refuses all that before a tree is built, so
that a text of a megabyte is read in bounded time or refused with its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ruamel.yaml import YAML
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

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 40
MAX_NODES: Final = 50_000
MAX_SCALAR: Final = 2_000


def read(text: bytes, source: str) -> Any:
    """The tree of a text, ruamel.yaml's round-trip nodes; RulebookError with the place where it is none."""
    if len(text) > MAX_BYTES:
        raise _refused(source, None, f"larger than {MAX_BYTES} bytes: a rulebook is a page, not a dump")
    try:
        content = text.decode()
    except UnicodeDecodeError:
        raise _refused(source, None, "not UTF-8") from None
    try:
        _guard(content, source)
        yaml = YAML(typ="rt", pure=True)
        yaml.allow_duplicate_keys = False
        return yaml.load(content)
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
            else:
                break
            node = node[part]
        except (KeyError, IndexError, AttributeError, TypeError):
            break
        found = (line + 1, column + 1)
    return found


def _guard(content: str, source: str) -> None:
    """Refuse what would unfold, run or nest without bound; one pass, nothing built."""
    expects_key: list[bool | None] = []  # one for each open collection; None in a list
    documents = 0
    for count, event in enumerate(YAML(typ="rt", pure=True).parse(content)):
        if count > MAX_NODES:
            raise _refused(source, event.start_mark, f"more than {MAX_NODES} entries: split it")
        documents += isinstance(event, DocumentStartEvent)
        if documents > 1:
            raise _refused(source, event.start_mark, "a second document: a rulebook is one")
        if isinstance(event, CollectionEndEvent):
            expects_key.pop()
        elif isinstance(event, NodeEvent):
            is_key = bool(expects_key and expects_key[-1])
            fault = _fault(event, is_key=is_key)
            if fault:
                raise _refused(source, event.start_mark, fault)
            if expects_key and expects_key[-1] is not None:
                expects_key[-1] = not is_key
            if isinstance(event, CollectionStartEvent):
                expects_key.append(True if isinstance(event, MappingStartEvent) else None)
                if len(expects_key) > MAX_DEPTH:
                    raise _refused(source, event.start_mark, f"nested deeper than {MAX_DEPTH} levels")


def _fault(event: Event, *, is_key: bool) -> str | None:
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
        return "anchors and aliases are not used here: write it out"
    if isinstance(event, ScalarEvent) and len(event.value) > MAX_SCALAR:
        return f"a text of more than {MAX_SCALAR} characters"
    if is_key and isinstance(event, CollectionStartEvent):
        return "a list or mapping cannot be a key: quote it"
    tag = getattr(event, "tag", None)
    return "tags are not used here: leave it out" if tag is not None and str(tag) not in ("", "None") else None


def _refused(source: str, mark: Any, message: str) -> RulebookError:
    line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
    return RulebookError(source, [Problem(line, column, message)])
