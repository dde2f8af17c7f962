"""The YAML reader: places for everything, and nothing of YAML that could hurt."""

from __future__ import annotations

import pytest

from decisioning.document import MAX_DEPTH, MAX_LINES, MAX_SCALAR, load, place, plain, read, value_place
from decisioning.errors import RulebookError

BOMB = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))


def test_every_key_and_item_has_its_place() -> None:
    """Line and column are counted from 1; an unknown path stands where its nearest known part does."""
    tree = read(b"a: 1\nb:\n  - c: 2\n    d: [x, y]\n", "f")
    assert place(tree, ("b", 0, "d", 1)) == (4, 12)
    assert place(tree, ("b", 0, "c")) == (3, 5)
    assert place(tree, ("b", 0, "nowhere", "deeper")) == (3, 5)
    assert place(tree, ("nowhere",)) == (1, 1)


@pytest.mark.parametrize("date", ["2026-12-24", "2026-13-24", "2026-03-02T10:15:00+01:00", "2026-03-02 10:15"])
def test_a_date_is_a_text_as_it_was_written(date: str) -> None:
    """YAML 1.2 knows no dates: one that is none has its place and is told by whoever wanted a date."""
    assert plain(read(f"day: {date}".encode(), "a.yaml")) == {"day": date}


def test_the_place_of_a_value_is_behind_its_key() -> None:
    """Or that of the key where there is no value of its own."""
    tree = read(b"a: 1\nb:\n  - c: 2\n    d: [x, y]\n", "f")
    assert value_place(tree, ("b", 0, "d")) == (4, 8)
    assert value_place(tree, ("b", 0, "d", 1)) == (4, 12)
    assert value_place(tree, ("b", 0, "nowhere")) == (3, 5)


def test_a_list_that_stands_for_a_model_has_the_places_of_its_items() -> None:
    """A model may name a field that the author does not write."""
    assert place(read(b"a:\n  - b: 1\n", "f"), ("a", "items", 0, "b")) == (2, 5)


def test_duplicate_keys_are_all_found_and_the_first_stands() -> None:
    """So that the other faults of the page are told in the same go."""
    tree, found = load(b"a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n", "f")
    assert [(fault.line, fault.column) for fault in found] == [(2, 11), (3, 1), (4, 1)]
    assert plain(tree) == {"a": 1, "b": {"c": 1}}


def test_the_number_of_entries_is_bounded_by_whoever_asks() -> None:
    """A rulebook is a page, its cases may be a book."""
    assert load(b"[" + b"x, " * 100 + b"x]", "f", 200)[1] == []
    with pytest.raises(RulebookError, match="more than 50 entries"):
        load(b"[" + b"x, " * 100 + b"x]", "f", 50)


def test_plain_is_what_the_author_wrote() -> None:
    """YAML 1.2: no sexagesimal numbers, no Norway problem, `on` is a text; quotes and anchors leave nothing behind."""
    tree = read(b"{time: 22:00, country: NO, flag: on, yes: true, n: 1_000, f: 1.5, none: null, t: 'x'}", "f")
    assert plain(tree) == {
        "time": "22:00", "country": "NO", "flag": "on", "yes": True, "n": 1000, "f": 1.5, "none": None, "t": "x",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOMB, "f:1:5: anchors and aliases"),
        ("respect: &r\n  <<: *r", "f:1:10: anchors and aliases"),
        ("a: !!set x", "f:1:4: tags are not used"),
        ("a: !!python/name:os.system", "f:1:4: tags are not used"),
        ("? " * 30 + "x", "f:1:3: a list or mapping cannot be a key"),
        ("{[a]: 1}", "f:1:2: a list or mapping cannot be a key"),
        ("a: [b, {? [c] : d}]", "f:1:11: a list or mapping cannot be a key"),
        ("x: " + "[" * (MAX_DEPTH + 10), f"f:1:{MAX_DEPTH + 3}: nested deeper"),
        ("- " * (MAX_DEPTH + 10) + "x", f"f:1:{2 * MAX_DEPTH + 1}: nested deeper"),
        ("a: " + "x" * (MAX_SCALAR + 1), "f:1:4: a text of more than"),
        ("--- a\n--- b", "f:2:1: a second document"),
        ("a: 0x_", "f:1:1: not YAML"),
        ('a: "\\U99999999"', "f:1:1: not YAML"),
        ('a: "\\ud83d"', "f:1:4: half a character"),
        ('"\\ud83d": a', "f:1:1: half a character"),
        ("\n" * (MAX_LINES + 1), "f:1:1: more than"),
        ("a: [", "f:1:5: not YAML"),
        ("a: 1\na: 2", "f:2:1: duplicate key `a`: it stands in line 1 already"),
    ],
)
def test_what_could_hurt_is_refused_at_its_place(text: str, expected: str) -> None:
    """Before any tree is built, in bounded time, with one line."""
    with pytest.raises(RulebookError) as found:
        read(text.encode(), "f")
    assert str(found.value).startswith(expected)


def test_depth_is_counted_and_not_the_number_of_brackets() -> None:
    """Many flat lists are no deep one."""
    assert len(read(b"[" + b"[x], " * 1000 + b"]", "f")) == 1000
