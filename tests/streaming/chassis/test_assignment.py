"""What belongs together at assignment and what does not, over plain numbers."""

from __future__ import annotations

import pytest

from decisioning.streaming.chassis.assignment import Log, Positions, Refusal, Source, check_lane, check_store
from decisioning.streaming.chassis.damage import StoreError
from decisioning.streaming.chassis.header import FormatError

Known = dict[str, tuple[int, str]]


def source(first: int = 0, end: int = 100, committed: int | None = 50, id_: str = "A", topic: str = "a") -> Source:
    """A source topic of which half is read."""
    return Source(topic, first, end, committed, id_)


@pytest.mark.parametrize(
    ("offset", "kept", "log"),
    [
        pytest.param(None, "", Log(0, 0, "X"), id="a first start"),
        pytest.param(None, "", Log(0, 500, "X"), id="a new directory"),
        pytest.param(499, "X", Log(0, 500, "X"), id="a restart"),
        pytest.param(10, "X", Log(0, 500, ""), id="a broker without ids"),
        pytest.param(10, "", Log(0, 500, "X"), id="a store from before ids"),
        pytest.param(19, "X", Log(20, 500, "X"), id="it has all that was deleted"),
    ],
)
def test_a_store_of_this_changelog_goes_on(offset: int | None, kept: str, log: Log) -> None:
    """Nothing to say."""
    check_store("data/c-0", offset, kept, log)


@pytest.mark.parametrize(
    ("offset", "kept", "log", "words"),
    [
        (500, "X", Log(0, 500, "X"), r"data/c-0 is ahead of the end of its changelog \(500 of 500\)"),
        (0, "", Log(0, 0, ""), "ahead of the end"),
        (10, "X", Log(0, 500, "Y"), "belongs to a changelog that was deleted and created anew, or to another cluster"),
        (18, "X", Log(20, 500, "X"), "begins at offset 20: what stood before it was deleted"),
        (None, "", Log(1, 500, "X"), "begins at offset 1"),
    ],
)
def test_a_store_of_another_changelog_is_refused(offset: int | None, kept: str, log: Log, words: str) -> None:
    """T33, F24: ahead of its end, of another id, or with a hole before its beginning."""
    with pytest.raises(StoreError, match=words):
        check_store("data/c-0", offset, kept, log)


@pytest.mark.parametrize(
    ("sources", "known", "log"),
    [
        pytest.param([source(0, 0, None)], {}, Log(0, 0), id="a first start"),
        pytest.param([source(0, 100, None)], {}, Log(0, 0), id="a first start on a backlog"),
        pytest.param([source(30, 100, 30)], {}, Log(0, 0), id="commits made beforehand at the log's start"),
        pytest.param([source()], {"a": (50, "A")}, Log(0, 9), id="a restart"),
        pytest.param([source(end=50)], {"a": (50, "A")}, Log(0, 9), id="all is read"),
        pytest.param([source(committed=None)], {"a": (50, "A")}, Log(0, 9), id="commits expired, all is still there"),
        pytest.param([source(id_="")], {"a": (50, "A")}, Log(0, 9), id="a broker without ids"),
        pytest.param([source()], {"a": (50, "")}, Log(0, 9), id="positions from a broker without ids"),
        pytest.param([source()], {"old": (900, "Z")}, Log(0, 9), id="a topic that is no longer read"),
    ],
)
def test_what_belongs_together_goes_on(sources: list[Source], known: Known, log: Log) -> None:
    """Nothing to say."""
    check_lane(3, sources, known, log, "g")


@pytest.mark.parametrize(
    ("sources", "known", "log", "words"),
    [
        ([source(end=40)], {}, Log(0, 9), r"a\[3\] ends at offset 40, but it was read up to 50"),
        ([source(end=40, committed=None)], {"a": (41, "")}, Log(0, 9), "read up to 41: it was truncated"),
        ([source(id_="B")], {"a": (50, "A")}, Log(0, 9), "topic a was deleted and created anew"),
        ([source(), source(topic="b", id_="B")], {"b": (0, "A")}, Log(0, 9), "topic b was deleted and created anew"),
        ([source(60, 100, None)], {"a": (50, "A")}, Log(0, 9), "removed all before 60 and the commits of group g are"),
        ([source()], {}, Log(0, 0), r"group g has committed a\[3\] up to 50, but the changelog of that lane is empty"),
        ([source()], {}, Log(7, 7), "the changelog of that lane is empty"),
    ],
)
def test_what_does_not_is_refused(sources: list[Source], known: Known, log: Log, words: str) -> None:
    """T33, F24: each with what to do about it."""
    with pytest.raises(Refusal, match=words):
        check_lane(3, sources, known, log, "g")


def test_positions_are_written_when_they_change_and_read_again() -> None:
    """They only grow while the topic is the same; another topic of the name begins anew."""
    positions = Positions(None, {"a": "A"})
    assert positions.news() is None
    positions.move("a", 5)
    positions.move("b", 7)
    raw = positions.news()
    assert positions.news() is None
    again = Positions(raw, {"a": "A"})
    assert again.known == {"a": (5, "A"), "b": (7, "")}
    again.move("a", 5)
    again.move("a", 3)
    assert again.news() is None
    anew = Positions(raw, {"a": "B"})
    anew.move("a", 2)
    assert anew.known["a"] == (2, "B")
    assert anew.news() is not None


def test_a_damaged_record_of_positions_is_said() -> None:
    """It is no reason to go on without."""
    with pytest.raises(FormatError, match="the record of positions is damaged"):
        Positions(b"\xc1", {})
