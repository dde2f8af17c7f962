"""What is counted of the decisions, and that it stays small."""

from __future__ import annotations

import json

import pytest

from decisioning.decision import dumps
from decisioning.instant import MINUTE, SECOND, format_instant
from decisioning.streaming.api.console.tally import OTHER, SLOT, SLOTS, Tally
from tests.builders import RETAIL, Story, asked, at, granted, lives, offer

NOW = at("2026-03-02 12:00:07")


def decision(
    outcome: str = "suppress", reason: str = "consent.missing", *, time: int = NOW - MINUTE, **data: object
) -> bytes:
    """A decision off the topic."""
    book = {"name": "retail", "version": "1", "digest": "sha256:1"}
    content = {"outcome": outcome, "reason": reason, "rulebook": book, **data}
    return json.dumps({"time": format_instant(time), "data": content}).encode()


def told(*values: bytes) -> Tally:
    """A tally that counted these."""
    tally = Tally()
    for value in values:
        tally.add(value)
    return tally


def test_outcomes_and_reasons_of_the_last_half_hour() -> None:
    """Most first, at a tie by name; what speaks has no reason for silence."""
    tally = told(
        decision(), decision(), decision("defer", "quiet_hours.night"), decision("act", "allowed.clear"),
        decision("recall", "dnc.complained"), decision("hold", "dnc.erased"),
        decision(time=NOW - 31 * MINUTE),
    )  # fmt: skip
    assert tally.outcomes(NOW) == {"act": 1, "suppress": 2, "defer": 1, "recall": 1, "hold": 1, "release": 0}
    assert tally.reasons(NOW) == [("consent.missing", 2), ("dnc.complained", 1), ("quiet_hours.night", 1)]


def test_a_series_is_the_minute_up_to_each_point() -> None:
    """So that it says what its axis says, whatever the slot."""
    tally = told(decision(time=NOW - 2 * MINUTE), decision(time=NOW - 2 * MINUTE + SECOND))
    found = tally.series(NOW)
    counts = found.outcomes["suppress"]
    assert len(found.at) == len(counts) == SLOTS - 1
    assert found.at[-1] == (NOW - NOW % SLOT) // SECOND
    assert counts.count(2) == MINUTE // SLOT
    assert sum(counts) == 2 * MINUTE // SLOT
    assert found.reasons == {"consent.missing": counts}
    assert max(tally.series(NOW + MINUTE).outcomes["suppress"]) == 2


def test_the_rarer_reasons_are_together() -> None:
    """A chart has few lines."""
    tally = told(decision(), decision(), decision(reason="a.b"), decision(reason="c.d"))
    found = tally.series(NOW, top=1)
    assert list(found.reasons) == ["consent.missing", OTHER]
    assert max(found.reasons[OTHER]) == 2


def test_partitions_come_one_after_the_other() -> None:
    """An older decision after a newer one finds its slot; one before the window counts in all alone."""
    tally = told(
        decision(), decision(time=NOW - 10 * MINUTE), decision(time=NOW - 10 * MINUTE), decision(time=NOW - 59 * MINUTE)
    )
    assert tally.outcomes(NOW)["suppress"] == 3
    counts = tally.of("sha256:1")
    assert counts is not None
    assert (counts.decisions, counts.first) == (4, NOW - 59 * MINUTE)


def test_what_spoke_is_counted_for_its_rulebook() -> None:
    """The decision's own reason, and those of the candidates, once a decision; acts by action."""
    weighed = [{"action": "a", "reason": reason} for reason in ("dnc.erased", "dnc.erased", "allowed.clear")]
    tally = told(decision("act", "allowed.clear", action="a", considered=weighed))
    counts = tally.of("sha256:1")
    assert counts is not None
    assert dict(counts.reasons) == {"dnc.erased": 1, "allowed.clear": 1}
    assert dict(counts.said) == {"a": 1}
    assert tally.of("sha256:other") is None


def test_the_engines_own_bytes_are_read() -> None:
    """No field of a real decision is in the way."""
    story = Story(RETAIL.read_bytes())
    story.at("2026-03-01 09:00", lives(time_zone="UTC"), granted())
    [act] = story.at("2026-03-02 11:59", asked(offer("a")))
    tally = told(dumps(act))
    counts = tally.of(story.policy.rulebook.digest)
    assert counts is not None
    assert (counts.said["a"], tally.outcomes(NOW)["act"]) == (1, 1)


def test_it_is_bounded() -> None:
    """Slots, names and rulebooks, whatever comes."""
    tally = Tally()
    for number in range(1500):
        tally.add(decision(reason=f"ineligible.r{number}", time=NOW + number * MINUTE))
    counts = tally.of("sha256:1")
    assert counts is not None
    assert (len(counts.reasons), counts.reasons[OTHER]) == (1001, 500)
    for number in range(9):
        tally.add(decision().replace(b"sha256:1", b"sha256:x%d" % number))
    assert (tally.of("sha256:x0"), tally.of("sha256:x8") is None) == (None, False)
    assert len(tally.series(NOW + 1500 * MINUTE).at) == SLOTS - 1


def test_by_another_clock() -> None:
    """What is read is shown when it is read; what was there before is counted in all alone."""
    shown: list[int | None] = [None, NOW]
    tally = Tally(lambda time: shown.pop(0))
    tally.add(decision(time=0))
    assert tally.outcomes(NOW)["suppress"] == 0
    tally.add(decision(time=0))
    assert tally.outcomes(NOW)["suppress"] == 1


def test_what_is_no_decision_is_refused() -> None:
    """ValueError."""
    with pytest.raises(ValueError, match="missing"):
        Tally().add(b"{}")
