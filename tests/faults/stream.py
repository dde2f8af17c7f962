"""The events of a scenario: a drawn history, and what a bad day makes of it. The same seed gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

from decisioning.instant import DAY, HOUR, format_instant
from tests.faults.scenario import Stream
from tests.streaming.history import Fact, history
from tests.streaming.test_app import RUBBISH

_TOPICS: Final = ("purchases", "orders", "support", "customers", "responses", "contact-requests")
POISON: Final = tuple(value for value, _ in RUBBISH.values() if len(value or b"") < 20_000)
"""Unreadable values of every kind; the huge ones would not fit into the embedded broker's 5 MB a partition."""
_TOLD_AT_MOST: Final = 50


class Sent(NamedTuple):
    """A record to publish, and by how many hours the clock of its producer is wrong."""

    fact: Fact
    wrong: float = 0.0


def drawn(stream: Stream, seed: int, partitions: int) -> list[Sent]:
    """The records of a scenario in the order in which they are published."""
    draw = Random(f"{seed} stream")  # other lots than the history's, which is drawn from the number itself
    facts = list(history(seed, stream.records, stream.customers, partitions))
    if stream.clean:
        facts = [one for one in facts if is_event(one.value) and one.key is not None and one.partition is None]
    if stream.erased:
        facts = [one for fact in facts for one in _erased(fact, stream.erased, draw)]
    if stream.late:
        facts = [fact for _, fact in sorted(_delayed(facts, stream.late, draw), key=lambda one: one[0])]
    if stream.again:
        facts = _told_again(facts, stream.again, draw)
    if stream.shuffled:
        facts = _shuffled(facts, stream.shuffled, draw)
    if stream.keyless:
        facts = [_without_key(fact, stream.keyless, draw) for fact in facts]
    if stream.poison:
        facts = [one for fact in facts for one in (fact, *_poison(fact, stream.poison, draw))]
    return [Sent(fact, draw.choice((-1, 0, 0, 1)) * stream.clocks) for fact in facts]


def is_event(value: bytes | None) -> bool:
    """Whether it is an object with a subject, which is all that a reader of JSON can tell."""
    try:
        found = json.loads(value or b"")
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and isinstance(found.get("subject"), str)


def _erased(fact: Fact, share: float, draw: Random) -> Iterator[Fact]:
    """The record, and after it perhaps the erasure of its customer."""
    yield fact
    if fact.key is not None and draw.random() < share:
        subject, when = fact.key.decode(), format_instant(fact.at + 1000)
        envelope = {"specversion": "1.0", "source": "/desk", "type": "customer.erased", "subject": subject}
        value = json.dumps({**envelope, "id": f"x-{fact.at}", "time": when, "data": {}}).encode()
        yield Fact("customers", fact.key, value, fact.at + 1000)


def _delayed(facts: Sequence[Fact], share: float, draw: Random) -> Iterator[tuple[int, Fact]]:
    for fact in facts:
        yield fact.at + (draw.choice((HOUR, DAY)) if draw.random() < share else 0), fact


def _told_again(facts: Sequence[Fact], share: float, draw: Random) -> list[Fact]:
    places = [(number, fact) for number, fact in enumerate(facts)]
    places += [(number + draw.randrange(_TOLD_AT_MOST), fact) for number, fact in places if draw.random() < share]
    return [fact for _, fact in sorted(places, key=lambda one: one[0])]


def _shuffled(facts: Sequence[Fact], width: int, draw: Random) -> list[Fact]:
    places = [(number + draw.uniform(0, width), number) for number in range(len(facts))]
    return [facts[number] for _, number in sorted(places)]


def _without_key(fact: Fact, share: float, draw: Random) -> Fact:
    lot = draw.random()
    if lot < share:
        return fact._replace(key=None)
    return fact._replace(value=None) if lot < 1.5 * share else fact


def _poison(fact: Fact, share: float, draw: Random) -> Iterator[Fact]:
    if draw.random() < share:
        yield Fact(draw.choice(_TOPICS), fact.key or b"c-0000", draw.choice(POISON), fact.at)
