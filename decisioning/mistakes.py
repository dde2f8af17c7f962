"""What is wrong with a condition, in an author's words: the CEL library's report, and the mistakes that people make.

The library names line, column and an overload that it does not find; an author needs the word that stands there and
what to write in its place.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from decisioning.syntax import Part

CLOCK: Final = {
    "getFullYear": "year",
    "getMonth": "month",
    "getDayOfYear": "day_of_year",
    "getDayOfMonth": "day_of_month",
    "getDate": "day_of_month_1_based",
    "getDayOfWeek": "day_of_week",
    "getHours": "hours",
    "getMinutes": "minutes",
    "getSeconds": "seconds",
    "getMilliseconds": "milliseconds",
}
"""Readings of a clock: the function, and its name in the library."""


class ConditionFault(NamedTuple):
    """One mistake of a condition: `offset` (characters from its start), the offending `text`, and what to write."""

    offset: int
    text: str
    message: str


_REPORT: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*?)(?= \(in container|\n| \[INVALID_ARGUMENT\]|$)")
_UNKNOWN: Final = re.compile(r"undeclared reference to '(.*)'")
_MISMATCH: Final = re.compile(r"found no matching overload for '(.*)' applied to '\(?(.*?)\)?'$")
_WORDS: Final = {"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!", "True": "true",
                 "False": "false", "is": "==", "=": "=="}  # fmt: skip
_STRINGS: Final = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_WORD: Final = re.compile(r"[A-Za-z_]\w*|(?<![<>=!])=(?!=)")
_WITHOUT: Final = {
    "has": "`has` is not used here: give the attribute a `default:` in `attributes:`",
    "dyn": "`dyn` is not used here: every name has its type",
    "type": "`type` is not used here: every name has its type",
}


def reported(report: str, text: str, names: Iterable[str]) -> list[ConditionFault]:
    """The faults of a condition that did not compile; `names` are those that it may read."""
    if "recursion" in report:
        return [ConditionFault(0, "", "nested too deep: write it as several clauses")]
    found = [
        _in_words(_offset(text, int(line), int(column)), message, text, names)
        for line, column, message in _REPORT.findall(report)
    ]
    syntax_faults = [fault for fault in found if fault.message.startswith("it does not parse")]
    if syntax_faults or not found:  # what follows a fault of syntax is its echo
        return [_not_parsed(text, syntax_faults[0].offset if syntax_faults else 0)]
    return found


def _in_words(offset: int, message: str, text: str, names: Iterable[str]) -> ConditionFault:
    unknown, mismatch = _UNKNOWN.match(message), _MISMATCH.match(message)
    if unknown:
        return _unknown(unknown[1], offset, text, names)
    if mismatch:
        return _mismatched(mismatch[1], mismatch[2], offset, text)
    if message.startswith("Syntax error"):
        return ConditionFault(offset, "", "it does not parse")
    return ConditionFault(offset, "", message)


def _unknown(name: str, offset: int, text: str, names: Iterable[str]) -> ConditionFault:
    start = max(text.rfind(name, 0, offset + 1), text.rfind(name, 0, offset + len(name)))
    place = start if start >= 0 else offset
    if name in _WITHOUT:
        return ConditionFault(place, name, _WITHOUT[name])
    if name in _WORDS:
        return ConditionFault(place, name, f"unknown word `{name}`: write `{_WORDS[name]}`")
    if name in CLOCK:
        return ConditionFault(place, name, f"`{name}` takes no zone here: it reads the clock of UTC")
    if text[offset : offset + 1] == "(":
        return ConditionFault(place, name, f"unknown function `{name}`")
    close = _close(name, list(names))
    if close is not None:
        return ConditionFault(place, name, f"unknown name `{name}`: did you mean `{close}`?")
    prefix, dot, own = name.rpartition(".")
    inside = [f"`{known}`" for known in sorted(names) if dot and known.startswith(prefix + dot)]
    if prefix == "customer":
        hint = f"declare `{own}` under `attributes:`"
    elif inside:
        hint = f"known here are {', '.join(inside)}"
    elif dot:
        prefixes = {known.partition(".")[0] for known in names}
        hint = f"names here begin with {', '.join(f'`{one}`' for one in sorted(prefixes))}"
    else:
        hint = f"a text needs quotes, such as '{name}'"
    return ConditionFault(place, name, f"unknown name `{name}`: {hint}")


def _close(name: str, names: list[str]) -> str | None:
    """The name that was meant: one with the same beginning and a similar end, else one that is similar as a whole."""
    prefix, dot, own = name.rpartition(".")
    ends = {known.removeprefix(prefix + dot): known for known in names if dot and known.startswith(prefix + dot)}
    inside = difflib.get_close_matches(own, ends, n=1, cutoff=0.6)
    if inside:
        return ends[inside[0]]
    others = [known for known in names if known not in ends.values()]
    return next(iter(difflib.get_close_matches(name, others, n=1, cutoff=0.8)), None)


def _mismatched(operator: str, types: str, offset: int, text: str) -> ConditionFault:
    sign = operator.strip("_").replace("_:_", ":").replace("@in", "in")
    kinds = [kind.strip() for kind in types.replace("google.protobuf.", "").lower().split(",")]
    said = " and ".join(f"an {kind}" if kind[:1] in "aeio" else f"a {kind}" for kind in kinds)
    if set(kinds) == {"double", "int"}:
        whole = re.search(r"(?<![\w.])-?\d+(?![\w.])", text[offset:]) or re.search(r"(?<![\w.])\d+(?![\w.])", text)
        hint = f": write `{whole[0]}.0`" if whole else ": use `double(…)` on the whole number"
        return ConditionFault(offset, sign, f"`{sign}` does not take {said}{hint}")
    if "string" in kinds and "timestamp" in kinds:
        return ConditionFault(offset, sign, f'`{sign}` does not take {said}: write `timestamp("2026-01-31T00:00:00Z")`')
    if "string" in kinds and {"int", "double"} & set(kinds):
        return ConditionFault(
            offset, sign, f"`{sign}` does not take {said}: quote the number, or compare like with like"
        )
    return ConditionFault(offset, sign, f"`{sign}` does not take {said}")


def _not_parsed(text: str, offset: int) -> ConditionFault:
    if not text.strip():
        return ConditionFault(0, text, "empty: write what must be true, such as `customer.country == 'DE'`")
    bare = _STRINGS.sub(lambda found: " " * len(found[0]), text)
    for word in _WORD.finditer(bare):
        if word[0] in _WORDS:
            return ConditionFault(
                word.start(), word[0], f"it does not parse: write `{_WORDS[word[0]]}` for `{word[0]}`"
            )
    rest = text[offset : offset + 20].splitlines()
    near = rest[0].strip() if rest else ""
    where = f"near `{near}`" if near else "something is missing at its end"
    return ConditionFault(min(offset, len(text)), near, f"it does not parse: {where}")


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    return min(sum(len(before) + 1 for before in lines[: line - 1]) + column - 1, len(text))


_DAYS: Final = re.compile(r"(\d{1,6})([dw])", re.ASCII)


def constant(part: Part) -> ConditionFault:
    """A constant that cannot be worked out."""
    offset, text = next(((one.offset, one.text) for one in part.parts if one.text is not None), (part.offset, None))
    shown = f"`{part.name}({text[:60]!r})`" if text is not None else f"`{part.name.strip('_')}`"
    days = _DAYS.fullmatch(text or "")
    hint = {
        "duration": f": write `{int(days[1]) * (24 if days[2] == 'd' else 168)}h`"
        if days
        else ": write `48h` or `90m`",
        "timestamp": ": write RFC 3339, such as `2026-03-02T10:15:00Z`",
    }.get(part.name, "")
    return ConditionFault(offset, text or part.name, f"{shown} cannot be worked out{hint}")
