"""A scenario's events: the same for a seed, and spoilt as the scenario says."""

from __future__ import annotations

from collections import Counter

from tests.faults.scenario import Stream
from tests.faults.stream import POISON, drawn, is_event
from tests.streaming.history import history


def test_a_seed_gives_the_same_bytes() -> None:
    """Whatever is spoilt in them."""
    spoilt = Stream(200, poison=0.3, again=0.2, shuffled=9, late=0.2, clocks=1.0, erased=0.1, keyless=0.1)
    assert drawn(spoilt, 3, 4) == drawn(spoilt, 3, 4) != drawn(spoilt, 4, 4)


def test_a_plain_stream_is_the_history() -> None:
    """In its order, by right clocks."""
    assert [one.fact for one in drawn(Stream(100), 3, 4)] == list(history(3, 100, 80, 4))
    assert {one.wrong for one in drawn(Stream(100), 3, 4)} == {0.0}


def test_what_is_spoilt_is_spoilt() -> None:
    """Each in its way, and nothing gets lost on the way."""
    plain = Counter(history(3, 300, 80, 4))
    assert Counter(one.fact for one in drawn(Stream(300, shuffled=20, late=0.2), 3, 4)) == plain
    assert [one.fact for one in drawn(Stream(300, late=0.2), 3, 4)] != list(history(3, 300, 80, 4))
    twice = Counter(one.fact for one in drawn(Stream(300, again=0.5), 3, 4))
    assert twice - plain
    assert not plain - twice
    poison = [one.fact for one in drawn(Stream(300, poison=1.0), 3, 4)]
    assert len(poison) == 600
    assert sum(fact.value in POISON for fact in poison) >= 300
    erased = [one.fact for one in drawn(Stream(300, erased=0.5), 3, 4)]
    assert sum(b"customer.erased" in (fact.value or b"") for fact in erased) > 80
    keyless = [one.fact for one in drawn(Stream(300, keyless=0.4), 3, 4)]
    assert sum(fact.key is None for fact in keyless) > 80
    assert all(is_event(one.fact.value) for one in drawn(Stream(300, clean=True), 3, 4))
    assert {one.wrong for one in drawn(Stream(300, clocks=1.0), 3, 4)} == {-1.0, 0.0, 1.0}
