"""How instants, spans and facts read."""

from __future__ import annotations

import pytest

from decisioning.instant import DAY, HOUR, MINUTE, SECOND
from decisioning.streaming.api.console.words import away, facts, length, moment, moment_of, said, scoped
from tests.builders import at

NOW = at("2026-03-02 12:00")


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0 s"),
        (41 * SECOND, "41 s"),
        (MINUTE, "1 min"),
        (3 * MINUTE + 5 * SECOND, "3 min 5 s"),
        (2 * HOUR + 59 * MINUTE + 59 * SECOND, "2 h 59 min"),
        (DAY + 5 * MINUTE, "1 d"),
        (26 * DAY + 13 * HOUR + MINUTE, "26 d 13 h"),
    ],
)
def test_a_duration_has_two_units_at_most(span: int, text: str) -> None:
    """Cut off, never rounded up."""
    assert length(span) == text


def test_an_instant_says_how_far_it_is() -> None:
    """For machines, in UTC, and from now; without seconds where it has none."""
    found = moment(NOW + 90 * SECOND + 250, NOW)
    assert found == ("2026-03-02T12:01:30.00025Z", "2026-03-02 12:01:30 UTC", "in 1 min 30 s")
    assert moment(NOW, NOW)[1:] == ("2026-03-02 12:00 UTC", "now")
    assert away(-DAY) == "1 d ago"
    assert moment_of("2026-03-02T12:00:00Z", NOW + DAY) == ("2026-03-02T12:00:00Z", "2026-03-02 12:00 UTC", "1 d ago")
    assert moment_of(None, NOW) is None


def test_facts_read_as_words() -> None:
    """Names without underscores, lists with commas, instants without `T`; a text stays what it is."""
    found = facts(
        {"bought_at": "2026-03-02T10:15:00Z", "skus": ["A", "B"], "late": True, "per": {"a_b": 1}, "x": "12:00"}
    )
    assert found == [
        ("bought at", "2026-03-02 10:15 UTC"),
        ("skus", "A, B"),
        ("late", "yes"),
        ("per", "a b 1"),
        ("x", "12:00"),
    ]
    assert (said([]), said({})) == ("none", "nothing")
    assert scoped({"categories": [], "skus": ["A", "B"]}) == "skus A, B"
    assert scoped({"categories": []}) == "nothing"
    assert facts(None) == []
