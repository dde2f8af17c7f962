"""What an author writes: a YAML 1.2 file, and what is wrong with it, by line and column.

`parse` reads a rulebook and raises `RulebookError` with *every* fault found. The numbers under `respect:` belong to the
suppressors: each owns its section, and a section that is left out keeps the contract's defaults. So do the actions:
without `actions:` the shipped ones are on.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, create_model

from decisioning import document, language
from decisioning.actions import MAX_ACTIONS, SHIPPED, Action, ActionRule, Channel, compiled
from decisioning.errors import Problem, RulebookError
from decisioning.instant import DAY, HOUR, format_duration
from decisioning.suppress import ORDER
from decisioning.suppress.base import Duration, Rule
from decisioning.vocabulary import AttributeName, Declared

MAX_PROBLEMS: Final = 50
MAX_NODES: Final = 20_000
"""How many keys and values a rulebook may have; a line of one has about ten."""

_FIELDS: dict[str, Any] = {suppressor.section: (suppressor.shape, suppressor.shape()) for suppressor in ORDER}
if TYPE_CHECKING:
    Respect = Rule
else:
    Respect = create_model("Respect", __base__=Rule, __doc__="The numbers of each suppressor.", **_FIELDS)


class MakeGood(Rule):
    """How long after a purchase a customer who paid more is given the difference instead of an offer; 0d: never."""

    price_drop: Annotated[Duration, Field(ge=0, le=400 * DAY)] = 14 * DAY


class Rulebook(BaseModel):
    """One business line's policy; `digest` is the SHA-256 of the text it was read from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rulebook: str = Field(min_length=1, max_length=100, description="Its name, as decisions carry it.")
    version: str = Field(min_length=1, max_length=100, description='Its version, quoted: version: "1".')
    owner: str | None = Field(default=None, max_length=200, description="Who answers for it.")
    valid_for: Duration = Field(default=4 * HOUR, gt=0, le=30 * DAY, description="How long an act may wait to go out.")
    channels: tuple[Channel, ...] | None = Field(
        default=None, max_length=100, description="All channels there are; a rule that names another is at fault."
    )
    attributes: dict[AttributeName, Declared] = Field(
        default={}, max_length=200, description="What conditions may read of a customer, as `customer.<name>`."
    )
    respect: Respect = Field(default_factory=Respect, description="How long, how often, when.")
    make_good: MakeGood = Field(default=MakeGood(), description="What is made good, and for how long.")
    actions: tuple[ActionRule, ...] = Field(
        default=SHIPPED, max_length=MAX_ACTIONS, description="What is said by itself, when an event calls it."
    )
    _digest: str = PrivateAttr(default="")

    @property
    def digest(self) -> str:
        """`sha256:` and the hexadecimal SHA-256 of the text it was read from; empty where it was not read."""
        return self._digest

    @cached_property
    def ready(self) -> tuple[Action, ...]:
        """The actions, ready for the engine; `ConditionRejected` where a clause is at fault, which `parse` refuses."""
        return tuple(compiled(action, self.attributes, self.valid_for) for action in self.actions)

    def rule(self, section: str) -> Rule:
        """The numbers of the suppressor that owns this section."""
        found = getattr(self.respect, section)
        assert isinstance(found, Rule)
        return found


def parse(text: bytes, source: str) -> Rulebook:
    """The rulebook in a text; RulebookError with `source:line:column` for each fault."""
    _, book, problems = read(text, source)
    if book is None or problems:
        raise RulebookError(source, problems)
    return book


class Reading(NamedTuple):
    """What a text brought: its YAML tree with places, the rulebook if its shape is right, its faults in reading
    order."""

    tree: Any
    book: Rulebook | None
    problems: list[Problem]


def read(text: bytes, source: str) -> Reading:
    """A text as far as it can be read; RulebookError where it is no YAML at all."""
    tree, problems = document.load(text, source, MAX_NODES)
    if not isinstance(tree, Mapping):
        return Reading(tree, None, [Problem(1, 1, "a rulebook is a mapping: start with `rulebook: name`")])
    plain = document.plain(tree)
    found = None
    try:
        found = Rulebook.model_validate(plain)
        found._digest = "sha256:" + sha256(text).hexdigest()
    except ValidationError as error:
        problems += [_problem(tree, plain, dict(fault)) for fault in error.errors()[: MAX_PROBLEMS + 1]]
        more = error.error_count() - MAX_PROBLEMS - 1
    else:
        more = 0
    lines = text.decode().splitlines()
    problems += [_in_place(tree, plain, lines, fault) for fault in language.faults(plain)]
    problems = sorted(set(problems))
    more += len(problems) - MAX_PROBLEMS
    if more > 0:
        problems = problems[:MAX_PROBLEMS]
        problems.append(problems[-1]._replace(message=f"… and {more} more"))
    return Reading(tree, found, problems)


def _in_place(tree: Any, plain: Any, lines: list[str], fault: language.Fault) -> Problem:
    """A fault of words where it stands; in a text, at the very character as far as the text is written in one piece."""
    path = ".".join(str(part) for part in fault.path)
    message = f"`{path}`: {fault.message}"
    if fault.offset is None:
        return Problem(*document.place(tree, fault.path), message)
    line, column = document.value_place(tree, fault.path)
    text = str(language.reach(plain, *fault.path))
    before = text[: fault.offset].split("\n")
    piece = text.split("\n")[len(before) - 1]
    for word, shift in ((piece, len(before[-1])), (fault.word, 0)):  # a folded text has its words, not its lines
        for number in range(line - 1, min(line + len(text) if word else 0, len(lines))):
            found = lines[number].find(word, column - 1 if number == line - 1 else 0)
            if found >= 0:
                return Problem(number + 1, found + shift + 1, message)
    return Problem(line, column, message)


def _problem(tree: Any, plain: Any, fault: dict[str, Any]) -> Problem:
    """A fault of shape in an author's words."""
    loc = tuple(part for part in fault["loc"] if part != "[key]")
    line, column = document.place(tree, loc)
    path = ".".join(str(part) for part in _written(plain, loc))
    if fault["type"] == "extra_forbidden":
        return Problem(line, column, f"unknown field `{path}`{_suggestion(loc)}")
    if fault["type"] == "missing":
        return Problem(line, column, f"`{path}` is missing")
    text = language.reach(plain, *loc)
    text = fault.get("input") if text is None else text
    shown = f" (`{_as_written(text)}`)" if isinstance(text, str | int | float) else ""
    if fault["type"] in ("literal_error", "enum"):
        return Problem(line, column, f"`{path}`{shown}: {_choice(loc, str(text), str(fault['ctx']['expected']))}")
    if fault["type"] == "model_type" and (names := _fields_at(loc)):
        shown += f": a mapping of {', '.join(f'`{name}`' for name in names)}"
        return Problem(line, column, f"`{path}`{shown}")
    if text is None and fault["type"] in _IN_WORDS:
        return Problem(line, column, f"`{path}`: nothing stands behind it: write a value, or leave the line out")
    message = _IN_WORDS.get(fault["type"]) or _bound(text, fault) or str(fault["msg"]).removeprefix("Value error, ")
    return Problem(line, column, f"`{path}`{shown}: {message[:1].lower()}{message[1:]}")


def _written(plain: Any, loc: Sequence[str | int]) -> list[str | int]:
    """A model's path as it stands in the text: without the field of a list that stands for a model with one field."""
    found: list[str | int] = []
    for part in loc:
        if not (isinstance(part, str) and isinstance(language.reach(plain, *found), list)):
            found.append(part)
    return found


def _bound(text: object, fault: dict[str, Any]) -> str | None:
    """A bound of a duration as a duration, a length and a pattern in words."""
    if fault["type"] == "too_short":
        return f"needs {fault['ctx']['min_length']} or more"
    if fault["type"] == "too_long" and isinstance(fault["input"], Mapping) and fault["ctx"]["max_length"] == 1:
        return "one name each: start every entry with `- `"
    if fault["type"] == "too_long":
        return f"{fault['ctx']['actual_length']} are too many: at most {fault['ctx']['max_length']}"
    bounds = [bound for key, bound in fault.get("ctx", {}).items() if key in ("lt", "le", "gt", "ge")]
    if isinstance(text, str) and bounds:
        return str(fault["msg"]).replace(str(bounds[0]), format_duration(bounds[0]))
    if fault["type"] != "string_pattern_mismatch":
        return None
    if str(fault["ctx"]["pattern"]).startswith("^[a-z]"):
        return "a name is lower-case letters, digits and _, and starts with a letter"
    return "write a number, such as 12.5"


_IN_WORDS: Final = {
    "tuple_type": "a list: start each entry with `- `, or write [a, b]",
    "dict_type": "a mapping: write `name: value`",
    "model_type": "a mapping: write `name: value`",
    "string_type": "a text: put it in quotes",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "float_parsing": "write a number",
}
"""Types of pydantic's faults whose own message speaks of Python."""


def _as_written(text: object) -> str:
    return str(text).lower() if isinstance(text, bool) else str(text)[:100]


def _choice(loc: Sequence[str | int], text: str, expected: str) -> str:
    """What to write in place of a word that is none of a closed list."""
    known = expected.replace(" or ", ", ").replace("'", "").split(", ")
    close = difflib.get_close_matches(text, known, n=1)
    if text in ("on", "off", "yes", "no"):
        return "YAML 1.2 reads a text here"
    if close:
        return f"unknown here: did you mean `{close[0]}`?"
    return f"unknown here: known are {', '.join(f'`{one}`' for one in known[:8])}{', …' if len(known) > 8 else ''}"


def _suggestion(loc: Sequence[str | int]) -> str:
    """The field that was meant, or those that there are."""
    names = _fields_at(loc[:-1])
    close = difflib.get_close_matches(str(loc[-1]), names, n=1)
    if close:
        return f": did you mean `{close[0]}`?"
    return f": known here are {', '.join(f'`{name}`' for name in names)}" if names else ""


def _fields_at(loc: Sequence[str | int]) -> list[str]:
    """The fields, as they are written, of the model at a path; none where there is no model."""
    model: type[BaseModel] = Rulebook
    in_a_mapping = False
    for part in loc:
        if isinstance(part, int) or in_a_mapping:
            in_a_mapping = False
            continue
        named = {field.alias or name: field for name, field in model.model_fields.items()}
        if part not in named:
            continue  # a list that stands for a model with one field
        inner = _model_in(named[part].annotation)
        if inner is None:
            return []
        in_a_mapping = "dict" in str(named[part].annotation)
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, one or many of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None)
