"""What an author writes: a YAML 1.2 file, and what is wrong with it, by line and column.

`parse` reads a rulebook and raises `RulebookError` with *every* fault found. The numbers under `respect:` belong to the
suppressors: each owns its section, and a section that is left out keeps the contract's defaults.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, create_model
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from decisioning.errors import Problem, RulebookError
from decisioning.instant import DAY, HOUR
from decisioning.suppress import ORDER
from decisioning.suppress.base import Duration, Rule

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 40

_FIELDS: dict[str, Any] = {suppressor.section: (suppressor.shape, suppressor.shape()) for suppressor in ORDER}
if TYPE_CHECKING:
    Respect = Rule
else:
    Respect = create_model("Respect", __base__=Rule, __doc__="The numbers of each suppressor.", **_FIELDS)


class Rulebook(BaseModel):
    """One business line's policy; `digest` is the SHA-256 of the text it was read from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rulebook: str = Field(min_length=1, max_length=100, description="Its name, as decisions carry it.")
    version: str = Field(min_length=1, max_length=100, description='Its version, quoted: version: "1".')
    owner: str | None = Field(default=None, max_length=200, description="Who answers for it.")
    valid_for: Duration = Field(default=4 * HOUR, gt=0, le=30 * DAY, description="How long an act may wait to go out.")
    respect: Respect = Field(default_factory=Respect, description="How long, how often, when.")
    _digest: str = PrivateAttr(default="")

    @property
    def digest(self) -> str:
        """`sha256:` and the hexadecimal SHA-256 of the text it was read from; empty where it was not read."""
        return self._digest

    def rule(self, section: str) -> Rule:
        """The numbers of the suppressor that owns this section."""
        found = getattr(self.respect, section)
        assert isinstance(found, Rule)
        return found


def parse(text: bytes, source: str) -> Rulebook:
    """The rulebook in the bytes of a file; RulebookError with `source:line:column` for each fault."""
    if len(text) > MAX_BYTES:
        raise RulebookError(source, [Problem(1, 1, f"larger than {MAX_BYTES} bytes: a rulebook is a page, not a dump")])
    tree = _load(text, source)
    if not isinstance(tree, Mapping):
        raise RulebookError(source, [Problem(1, 1, "a rulebook is a mapping: start with `rulebook: name`")])
    try:
        found = Rulebook.model_validate(_plain(tree))
    except ValidationError as error:
        raise RulebookError(source, [_problem(tree, dict(fault)) for fault in error.errors()]) from None
    found._digest = "sha256:" + sha256(text).hexdigest()
    return found


def _load(text: bytes, source: str) -> Any:
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_duplicate_keys = False
    try:
        content = text.decode()
        for token_depth in _depths(content):
            if token_depth > MAX_DEPTH:
                raise RulebookError(source, [Problem(1, 1, f"nested deeper than {MAX_DEPTH} levels")])
        return yaml.load(content)
    except UnicodeDecodeError:
        raise RulebookError(source, [Problem(1, 1, "not UTF-8")]) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        message = (error.problem or "not YAML").strip().splitlines()[0]
        raise RulebookError(source, [Problem(line, column, f"not YAML: {message}")]) from None
    except (YAMLError, RecursionError, ValueError) as error:
        message = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RulebookError(source, [Problem(1, 1, f"not YAML: {message}")]) from None


def _depths(content: str) -> Iterator[int]:
    """How deep flow collections nest; the cheap guard before the parser recurses."""
    depth = 0
    for letter in content:
        if letter in "[{":
            depth += 1
            yield depth
        elif letter in "]}":
            depth -= 1


def _plain(node: Any) -> Any:
    """Round-trip nodes as plain Python, so that the models see what the author wrote and nothing of the reader."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, Sequence) and not isinstance(node, str | bytes):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)


def _problem(tree: Any, fault: dict[str, Any]) -> Problem:
    line, column = _place(tree, fault["loc"])
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return Problem(line, column, f"unknown field `{path}`{_suggestion(fault['loc'])}")
    if fault["type"] == "missing":
        return Problem(line, column, f"`{path}` is missing")
    message = str(fault["msg"]).removeprefix("Value error, ")
    text = fault.get("input")
    shown = f" (`{text}`)" if isinstance(text, str | int | float) else ""
    return Problem(line, column, f"`{path}`{shown}: {message[:1].lower()}{message[1:]}")


def _place(tree: Any, loc: Sequence[str | int]) -> tuple[int, int]:
    """Line and column (1-based) of the nearest node of a path that stands in the file."""
    place, node = (1, 1), tree
    for part in loc:
        marks = getattr(node, "lc", None)
        try:
            if isinstance(node, Mapping) and part in node and marks is not None:
                line, column = marks.key(part)
            elif (
                isinstance(node, Sequence) and not isinstance(node, str) and isinstance(part, int) and marks is not None
            ):
                line, column = marks.item(part)
            else:
                break
            node = node[part]
        except (KeyError, IndexError, AttributeError, TypeError):
            break
        place = (line + 1, column + 1)
    return place


def _suggestion(loc: Sequence[str | int]) -> str:
    model: Any = Rulebook
    for part in loc[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field is not None else None
    names = [field.alias or name for name, field in getattr(model, "model_fields", {}).items()]
    close = difflib.get_close_matches(str(loc[-1]), names, n=1)
    if close:
        return f": did you mean `{close[0]}`?"
    return f": known here are {', '.join(f'`{name}`' for name in names)}" if names else ""
