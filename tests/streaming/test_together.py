"""Two workers, one group: promises and moves outlive the death of either, at whatever moment.

A wake fires once, late rather than never, whoever owns its lane by then; two memories become one on two partitions,
with nothing lost and nothing doubled. KILL_SEED repeats what a run printed.
"""

from __future__ import annotations

import os
import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from decisioning.decision import dumps
from decisioning.event import parse
from decisioning.replay import Replay
from decisioning.streaming.topics import partition_of
from tests.builders import Happening, asked, bereaved, case_opened, granted, lives, offer, withdrawn
from tests.streaming.crew import Crew
from tests.streaming.history import Fact
from tests.streaming.live import Live, policy
from tests.streaming.test_identities import by_time, happens

PARTITIONS = 8
SLEEPERS = 480
MOVERS = 40
ZONES = ("Asia/Tokyo", "Asia/Dubai", "Europe/Berlin", "UTC", "America/Sao_Paulo", "America/New_York")
MIDNIGHTS = ("02T18:30:00", "02T18:30:00", "02T22:30:00", "02T22:30:00", "03T02:30:00", "03T02:30:00")
"""When it is night there; morning comes between 23:00 (Tokyo) and 13:00 the next day (New York)."""

pytestmark = pytest.mark.long


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Live]:
    """A broker of eight lanes, whose dead are given up after three seconds."""
    with Live(tmp_path, PARTITIONS, session_timeout_ms=3000) as running:
        yield running


@pytest.fixture
def chance() -> Random:
    """What draws the moments; its seed is printed."""
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"seed {seed} (KILL_SEED={seed} draws the same)")
    return Random(seed)


def wait(seconds: float) -> None:
    """Let the workers go on for so long."""
    threading.Event().wait(seconds)


def sleepers() -> Iterator[Fact]:
    """Customers all over the world who are asked something at their midnight: it waits for their morning."""
    for number in range(SLEEPERS):
        customer = f"c-{number:03}"
        yield happens("02T09:00:00", customer, lives(time_zone=ZONES[number % len(ZONES)]))
        yield happens("02T09:00:01", customer, granted())
        yield happens(MIDNIGHTS[number % len(ZONES)], customer, asked(offer("morning")))


def bell(hour: int) -> Iterator[Fact]:
    """Something of this hour in every lane: until then all that is due fires."""
    for lane in range(PARTITIONS):
        ringer = next(
            name for name in map("bell-{}".format, range(999)) if partition_of(name.encode(), PARTITIONS) == lane
        )
        when = f"{3 + hour // 24:02}T{hour % 24:02}:00:00"
        yield happens(when, ringer, Happening("support.interaction", {"interaction_id": "i", "channel": "phone"}))


def test_promises_outlive_their_workers(broker: Live, chance: Random) -> None:
    """Deferred at night, answered in the morning: each exactly once, though workers join, leave in order, are killed
    with their stores kept or wiped, and none runs at all for some hours."""
    with Crew(broker) as crew:
        crew.join("one")
        broker.tell(sleepers())
        crew.settle()
        hours = iter(range(16))
        for turn in range(4):
            broker.tell(bell(next(hours)))
            if turn == 0:
                crew.join("two")
            for _ in range(2):
                wait(chance.uniform(0.0, 0.6))
                broker.tell(bell(next(hours)))
                crew.kill(chance.choice(["one", "two"]), wipe=chance.random() < 0.5)
            wait(chance.uniform(0.0, 3.0))
        crew.leave("two")
        wait(chance.uniform(0.0, 2.0))
        crew.leave("one")
        for hour in hours:
            broker.tell(bell(hour))  # nobody is there
        crew.join("one")
        crew.settle()
        crew.leave("one")
    report = broker.verified()
    print(f"{report.due} promises, {crew.deaths} kills, {report.repeats} raw repeats of {report.decisions} decisions")
    assert not report.problems(), "\n".join(report.problems()[:20])
    assert report.due >= SLEEPERS


def sides(number: int) -> Iterator[Fact]:
    """What two memories hold before they are one, in one of five ways; what must be said then stands beside each."""
    customer, phone = names(number)
    zone = lives(time_zone="Asia/Tokyo" if number % 5 == 4 else "UTC")
    yield happens("02T09:00:00", customer, zone)
    yield happens("02T09:00:01", customer, granted())
    yield happens("02T09:00:02", phone, zone)
    yield happens("02T09:00:03", phone, granted())
    match number % 5:
        case 0:  # the phone has withdrawn: consent.withdrawn
            yield happens("02T09:00:04", phone, withdrawn(on=["email"]))
        case 1:  # one mourns, the other has a problem: empathy.bereavement before hold.open_issue
            yield happens("02T09:00:04", phone, bereaved())
            yield happens("02T09:00:05", customer, case_opened())
        case 2:  # two acts here, one there, three in seven days: frequency_cap.week
            yield happens("02T10:00:00", customer, asked(offer("first")))
            yield happens("03T10:00:00", customer, asked(offer("second")))
            yield happens("04T09:00:00", phone, asked(offer("third")))
        case 3:  # the phone's live act cannot stand with the customer's problem: recall hold.open_issue
            yield happens("04T19:30:00", phone, asked(offer("live")))
            yield happens("04T19:40:00", customer, case_opened())
        case 4:  # the phone waits for morning: the customer gets the answer
            yield happens("04T19:45:00", phone, asked(offer("late")))


def names(number: int) -> tuple[str, str]:
    """The customer, and the other name that becomes a part of them."""
    return f"c-{number:02}", f"tel:{number:02}"


def join(number: int, when: str = "04T20:00:00") -> Fact:
    """Linked or merged."""
    customer, phone = names(number)
    if number % 2:
        return happens(when, phone, Happening("customer.merged", {"into": customer}))
    return happens(when, customer, Happening("identity.linked", {"identity": phone}))


def asks(number: int) -> Fact:
    """The question that tells what the customer's memory holds now."""
    return happens("05T10:00:00", names(number)[0], asked(offer("question", on=("email",))))


EXPECTED = {0: "consent.withdrawn", 1: "empathy.bereavement", 2: "frequency_cap.week", 3: "hold.open_issue"}


def test_two_memories_become_one_whoever_dies(broker: Live, chance: Random) -> None:
    """While forty pairs are linked and merged across partitions, either worker is killed again and again: the stricter
    consent holds, suppressions are united, acts counted together, what was live is recalled and what waited is
    answered, once; the same links again add nothing. All of it as `decide` has it, byte for byte."""
    numbers = range(MOVERS)
    before = by_time(map(sides, numbers))
    links = [join(number) for number in numbers]
    again = [join(number, "04T20:30:00") for number in numbers]
    questions = [asks(number) for number in numbers]
    with Crew(broker) as crew:
        crew.join("one", "two")
        broker.tell(before, stamped=True)
        crew.settle()
        for begin in range(0, MOVERS, 10):
            broker.tell(links[begin : begin + 10], stamped=True)
            wait(chance.uniform(0.0, 0.3))
            crew.kill(chance.choice(["one", "two"]), wipe=chance.random() < 0.5)
            wait(chance.uniform(0.0, 4.0))
        crew.settle()
        known = broker.distinct()
        broker.tell(again, stamped=True)
        crew.settle()
        assert broker.distinct() == known, "a repeated link or merge said something"
        broker.tell(questions, stamped=True)
        crew.settle()
        for name in ("one", "two"):
            crew.leave(name)
    said = spoken(broker)
    assert said == replayed([*before, *links, *again, *questions])
    for number in numbers:
        check(number, [one["data"] for one in broker.said() if one["subject"] == names(number)[0]])
    report = broker.verified()
    print(f"{MOVERS} moves, {crew.deaths} kills, {report.repeats} raw repeats of {report.decisions} decisions")
    assert not report.problems(), "\n".join(report.problems()[:20])


def check(number: int, said: list[dict[str, Any]]) -> None:
    """What the customer was told after the move."""
    answer = [one for one in said if one.get("action") == "question"][-1]
    if number % 5 == 4:
        late = {str(one): one for one in said if one.get("action") == "late"}
        assert [one["outcome"] for one in late.values()] == ["act"], "what waited is answered once, to the customer"
    else:
        assert answer["reason"] == EXPECTED[number % 5], answer
    if number % 5 == 3:
        recalls = {one["recalls"] for one in said if one["outcome"] == "recall"}
        assert len(recalls) == 1


def spoken(broker: Live) -> dict[bytes, list[bytes]]:
    """Every decision by subject, in order, repeats left out."""
    said = defaultdict[bytes, dict[bytes, None]](dict)
    for record in broker.read("decisions"):
        said[record.key or b""][record.value or b""] = None
    return {key: list(values) for key, values in said.items()}


def replayed(facts: list[Fact]) -> dict[bytes, list[bytes]]:
    """What `decide` says of them."""
    run, said = Replay(policy()), defaultdict[bytes, list[bytes]](list)
    for fact in facts:
        for decision in run.feed(parse(fact.value)):
            said[decision.subject.encode()].append(dumps(decision))
    for decision in run.finish():
        said[decision.subject.encode()].append(dumps(decision))
    return dict(said)
