"""The library's bytes, read without a second library."""

from __future__ import annotations

import pytest
from cel_expr_python import cel

from decisioning.syntax import MAX_DEPTH, Checked, TooDeep, read

ENVIRONMENT = cel.NewEnv(variables={"a.b": cel.Type.INT, "s": cel.Type.STRING})


def checked(text: str) -> Checked:
    """The parts of a condition."""
    return read(ENVIRONMENT.compile(text).serialize())


def shape(text: str) -> list[tuple[str, str, int]]:
    """Kind, name and offset of every part, from the outside in."""
    return [(part.kind, part.name, part.offset) for part in checked(text).root.walk()]


def test_every_part_has_its_kind_name_and_place() -> None:
    """Calls before what they are made of, in characters and not in bytes."""
    assert shape("s == 'é' && a.b > 0") == [
        ("call", "_&&_", 9),
        ("call", "_==_", 2),
        ("name", "s", 0),
        ("constant", "", 5),
        ("call", "_>_", 16),
        ("name", "a.b", 13),
        ("constant", "", 18),
    ]


def test_constants_say_what_they_are() -> None:
    """Texts by their text, and the whole number 0; an empty text is a text."""
    parts = {part.offset: part for part in checked("a.b / 0 > 10 || s == '' || s == 'x'").root.walk()}
    assert [parts[place].zero for place in (6, 10)] == [True, False]
    assert [parts[place].text for place in (6, 21, 32)] == [None, "", "x"]


def test_lists_maps_loops_and_methods_are_told_apart() -> None:
    """A method's target is its first part."""
    kinds = {part.kind for part in checked("[1].exists(x, x in {1: 2}) && s.startsWith('a')").root.walk()}
    assert {"loop", "list", "map", "call", "name", "constant"} <= kinds
    starts = next(part for part in checked("s.startsWith('a')").root.walk() if part.name == "startsWith")
    assert [part.kind for part in starts.parts] == ["name", "constant"]


def test_open_types_are_found() -> None:
    """Whatever is or holds `dyn`."""
    assert checked("a.b in [1, 'x']").open_types == (7,)
    assert checked("dyn(a.b) == 1").open_types
    assert checked("{'a': [dyn(1)]}.size() == 1").open_types
    assert not checked("a.b in [1, 2] && {'a': [1]}.size() == 1").open_types


def test_a_part_stands_by_itself() -> None:
    """Its bytes are a whole condition to the library."""
    found = checked("a.b > 1 + 2")
    part = next(part for part in found.root.walk() if part.name == "_+_")
    assert ENVIRONMENT.deserialize(found.only(part)).eval().value() == 3


def test_depth_is_bounded() -> None:
    """Long sums nest to the left."""
    assert checked("1" + "+1" * (MAX_DEPTH - 2) + " > 0")
    with pytest.raises(TooDeep):
        checked("1" + "+1" * (MAX_DEPTH + 1) + " > 0")
