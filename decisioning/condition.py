"""Conditions of a rulebook: CEL, typed and checked when it loads, so that it cannot fail later on a name or a type.

The one place that knows the CEL library (cel-expr-python; the language: cel-spec). Where it would leave something to
run time, it is bound here: every name has a type, a whole number and a decimal one compare, nothing is `dyn`, constants
are worked out at once (`duration("2x")` is an author's mistake), and nothing runs long: a condition is short, does not
nest deep, and no loop stands in a loop. Clock readings are those of UTC, for the library would ask the machine for
other zones.

What may still err when it is judged is a value: an attribute that nobody sent, a division by zero, a text that is no
number. Then `holds` raises `ConditionError`, and whoever asked keeps silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cel_expr_python import cel

from decisioning import syntax
from decisioning.errors import DecisioningError
from decisioning.mistakes import CLOCK, ConditionFault, constant, reported

MAX_LENGTH: Final = 1_000
"""How many characters a condition may have; longer ones are several clauses."""

Value = str | int | float | bool
"""What a name stands for; a timestamp is an instant in microseconds."""


class Kind(StrEnum):
    """The types that a name may have."""

    STRING = "string"
    INT = "int"
    DOUBLE = "double"
    BOOL = "bool"
    TIMESTAMP = "timestamp"


Schema = Mapping[str, Kind]
"""The names that a condition may read, dotted (`customer.tier`), and their types."""


class ConditionRejected(DecisioningError):
    """A condition that cannot be used: the author's mistake. `faults` holds all that were found."""

    def __init__(self, faults: list[ConditionFault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("; ".join(fault.message for fault in self.faults))


class ConditionError(DecisioningError):
    """A condition that has no answer for this customer. `missing` is the name that has no value, None where something
    could not be worked out; `clause` the name of the clause, where it has one. The message quotes no value (guarantee
    8)."""

    def __init__(self, missing: str | None, clause: str = "") -> None:
        said = f"`{missing}` is not known" if missing else "it cannot be worked out"
        super().__init__(f"{clause}: {said}" if clause else said)
        self.missing = missing
        self.clause = clause


class Comparison(NamedTuple):
    """A name that a condition holds against a text: the text, and its place in the condition, in characters."""

    name: str
    text: str
    offset: int


class Condition:
    """A checked condition: `text` as it was written, `reads` the names that it reads, `times` those of them that
    are timestamps, `compares` the texts that names are held against."""

    def __init__(self, text: str, expression: Any, kinds: Schema, compares: tuple[Comparison, ...] = ()) -> None:
        self.text = text
        self.compares = compares
        self.reads = tuple(sorted(kinds))
        self._expression = expression
        self.times = frozenset(name for name, kind in kinds.items() if kind is Kind.TIMESTAMP)

    def holds(self, facts: Mapping[str, Value]) -> bool:
        """The answer for these facts, of which only those in `reads` are looked at; one that is missing is left out.

        `ConditionError` where there is no answer. A part that needs no missing fact may still decide: `a || b` is true
        as soon as one of them is.
        """
        try:
            answer = self._expression.eval(data=self._data(facts)).value()
        except Exception:  # the library raises RuntimeError, and what its own conversions raise
            raise ConditionError(None) from None
        if isinstance(answer, bool):
            return answer
        raise ConditionError(next((name for name in self.reads if facts.get(name) is None), None))

    def told(self, facts: Mapping[str, Value]) -> str:
        """What the library says of these facts, an answer or why there is none: for authors, as it may quote values."""
        try:
            return str(self._expression.eval(data=self._data(facts)).plain_value())
        except Exception as error:
            return str(error)

    def _data(self, facts: Mapping[str, Value]) -> dict[str, object]:
        known = {name: found for name in self.reads if (found := facts.get(name)) is not None}
        return {name: _moment(found) if name in self.times else found for name, found in known.items()}


def parse(text: str, schema: Schema) -> Condition:
    """The condition that a text says over the names of a schema; `ConditionRejected` with every mistake found."""
    if len(text) > MAX_LENGTH:
        raise ConditionRejected(
            [ConditionFault(0, "", f"longer than {MAX_LENGTH} characters: write it as several clauses")]
        )
    return _parsed(text, tuple(sorted(schema.items())))


@lru_cache(maxsize=2048)  # a rulebook is read more than once: checked, built, and read anew for each change of it
def _parsed(text: str, names: tuple[tuple[str, Kind], ...]) -> Condition:
    schema, environment = dict(names), _environment(names)
    try:
        expression = environment.compile(text)
    except Exception as error:  # RuntimeError with the library's report; UnicodeEncodeError on lone surrogates
        raise ConditionRejected(reported(str(error), text, schema)) from None
    try:
        checked = syntax.read(expression.serialize())
    except syntax.TooDeep:
        raise ConditionRejected([ConditionFault(0, "", "nested too deep: write it as several clauses")]) from None
    faults = [*_loose(checked, text), *_loops(checked.root), *_wrong_constants(environment, checked, checked.root)]
    if expression.return_type() != cel.Type.BOOL and not faults:
        what = expression.return_type().name().lower()
        faults.append(
            ConditionFault(0, text, f"no question with yes or no but of type {what}: compare it with something")
        )
    if faults:
        raise ConditionRejected(faults)
    kinds = {
        part.name: schema[part.name] for part in checked.root.walk() if part.kind == "name" and part.name in schema
    }
    return Condition(text, expression, kinds, tuple(_compared(checked.root)))


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(at: Value) -> datetime:
    return _EPOCH + timedelta(microseconds=int(at))


# --- the environment --------------------------------------------------------------------------------------------------

_COMPARISONS: Final = {"_<_": "less", "_<=_": "less_equals", "_>_": "greater", "_>=_": "greater_equals"}
_KINDS: Final = {"int": "int64", "uint": "uint64", "double": "double", "string": "string", "bytes": "bytes",
                 "bool": "bool", "timestamp": "timestamp", "duration": "duration"}  # fmt: skip
_NUMBERS: Final = ("int", "uint", "double")


@lru_cache(maxsize=256)
def _environment(names: tuple[tuple[str, Kind], ...]) -> Any:
    """The library's environment for these names, by its configuration text (cel-spec, `env_config`).

    CEL compares only like with like, so that `spent > 500` fails on a decimal number; the comparisons are declared anew
    with their mixed overloads. `dyn`, `type`, `has` and clock readings in a named zone are taken out.
    """
    lines = ["name: rulebook", "stdlib:", "  exclude_macros: [has]", "  exclude_functions:"]
    lines += [f'    - {{name: "{name}"}}' for name in (*_COMPARISONS, "dyn", "type")]
    lines += [
        f'    - {{name: "{name}", overloads: [{{id: "timestamp_to_{what}_with_tz"}}]}}' for name, what in CLOCK.items()
    ]
    lines += ["variables:"] if names else []
    lines += [f'  - {{name: "{name}", type: "{kind}"}}' for name, kind in names]
    lines += ["functions:"]
    for operator, word in _COMPARISONS.items():
        lines += [f'  - name: "{operator}"', "    overloads:"]
        pairs = [(one, one) for one in _KINDS] + [(one, two) for one in _NUMBERS for two in _NUMBERS if one != two]
        for one, two in pairs:
            id_ = f"{word}_{_KINDS[one]}" + (f"_{_KINDS[two]}" if one != two else "")
            takes = f"[{{type_name: {one}}}, {{type_name: {two}}}]"
            lines.append(f"      - {{id: {id_}, args: {takes}, return: {{type_name: bool}}}}")
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml("\n".join(lines)))


# --- what the library would leave to run time -------------------------------------------------------------------------


def _loose(checked: syntax.Checked, text: str) -> list[ConditionFault]:
    found = [
        ConditionFault(offset, text[offset : offset + 1], "its type is open: keep lists and maps of one type")
        for offset in checked.open_types[:1]
    ]
    return found or [
        ConditionFault(part.offset, part.name, f"`{part.name}` is not used here: write plain values")
        for part in checked.root.walk()
        if part.kind == "message"
    ]


def _loops(root: syntax.Part) -> list[ConditionFault]:
    return [
        ConditionFault(inner.offset, "", "a loop in a loop: write it as several clauses")
        for outer in root.walk()
        if outer.kind == "loop"
        for part in outer.parts
        for inner in part.walk()
        if inner.kind == "loop"
    ]


def _compared(root: syntax.Part) -> Iterator[Comparison]:
    for call in root.walk():
        if call.kind != "call" or call.name not in ("_==_", "_!=_", "@in") or len(call.parts) != 2:
            continue
        names = [part.name for part in call.parts if part.kind == "name"]
        texts = [text for part in call.parts for text in (part.parts if part.kind == "list" else (part,))]
        yield from (Comparison(name, one.text, one.offset) for name in names for one in texts if one.text is not None)


def _wrong_constants(environment: Any, checked: syntax.Checked, part: syntax.Part) -> list[ConditionFault]:
    """Constants that cannot be worked out: durations, times, numbers, divisions by zero, patterns."""
    last = part.parts[-1] if part.kind == "call" and part.parts else None
    if last is not None and part.name in ("_/_", "_%_") and last.zero:
        return [ConditionFault(part.offset, part.name.strip("_"), "a division by zero")]
    if last is not None and part.name == "matches" and last.text is not None and not _is_pattern(last.text):
        return [ConditionFault(last.offset, last.text, f"`{last.text[:60]}` is not a pattern (RE2 syntax)")]
    fixed = part.kind == "call" and not any(inner.kind in ("name", "loop") for inner in part.walk())
    if fixed and _works(environment, checked.only(part)):
        return []
    inside = [fault for inner in part.parts for fault in _wrong_constants(environment, checked, inner)]
    return inside or ([constant(part)] if fixed else [])


def _works(environment: Any, code: bytes) -> bool:
    try:
        return bool(environment.deserialize(code).eval().type() != cel.Type.ERROR)
    except Exception:
        return False


@lru_cache(maxsize=256)
def _is_pattern(pattern: str) -> bool:
    expression = _environment((("pattern", Kind.STRING),)).compile("''.matches(pattern)")
    return bool(expression.eval(data={"pattern": pattern}).type() != cel.Type.ERROR)
