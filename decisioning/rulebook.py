"""What an author writes: a YAML 1.2 file, and what is wrong with it, by line and column.

`parse` reads a rulebook and raises `RulebookError` with *every* fault found. The numbers under `respect:` belong to the
suppressors: each owns its section, and a section that is left out keeps the contract's defaults.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, create_model

from decisioning import document
from decisioning.errors import Problem, RulebookError
from decisioning.instant import DAY, HOUR
from decisioning.suppress import ORDER
from decisioning.suppress.base import Duration, Rule

MAX_PROBLEMS: Final = 50

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
    tree = document.read(text, source)
    if not isinstance(tree, Mapping):
        raise RulebookError(source, [Problem(1, 1, "a rulebook is a mapping: start with `rulebook: name`")])
    try:
        found = Rulebook.model_validate(document.plain(tree))
    except ValidationError as error:
        faults = error.errors()
        problems = [_problem(tree, dict(fault)) for fault in faults[:MAX_PROBLEMS]]
        if len(faults) > MAX_PROBLEMS:
            problems.append(max(problems)._replace(message=f"… and {len(faults) - MAX_PROBLEMS} more"))  # sorts last
        raise RulebookError(source, problems) from None
    found._digest = "sha256:" + sha256(text).hexdigest()
    return found


def _problem(tree: Any, fault: dict[str, Any]) -> Problem:
    line, column = document.place(tree, fault["loc"])
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return Problem(line, column, f"unknown field `{path}`{_suggestion(fault['loc'])}")
    if fault["type"] == "missing":
        return Problem(line, column, f"`{path}` is missing")
    message = str(fault["msg"]).removeprefix("Value error, ")
    text = fault.get("input")
    shown = f" (`{text}`)" if isinstance(text, str | int | float) else ""
    return Problem(line, column, f"`{path}`{shown}: {message[:1].lower()}{message[1:]}")


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
