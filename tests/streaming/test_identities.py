"""Identities end to end: facts under a phone number first, the link later, events under it afterwards, two workers.

Customer and number lie on any partitions of any worker; what is said must be what `decide` says of the same events.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from decisioning.decision import dumps
from decisioning.event import parse
from decisioning.payload import TYPES
from decisioning.replay import Replay
from tests.builders import Happening, asked, at, bought, died, granted, lives, offer, withdrawn
from tests.streaming.history import Fact
from tests.streaming.live import Live, WorkerProcess, policy, until

CUSTOMERS = 12
PARTITIONS = 4
LOST_GROUP = 77
"""Exit code of a worker whose group was lost: crash-only, a restart is the repair."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Live]:
    """A broker of four lanes; nobody is given up while a busy machine makes them wait."""
    with Live(tmp_path, PARTITIONS, session_timeout_ms=10_000) as running:
        yield running


def happens(when: str, subject: str, one: Happening) -> Fact:
    """An event as a record on its topic."""
    data = dict(one.data)
    if one.type == "contact.requested":
        data["request_id"] = f"r-{subject}-{when}"
    envelope = {"specversion": "1.0", "id": f"{one.type}-{subject}-{when}", "source": "/shop", "type": one.type}
    value = json.dumps({**envelope, "time": f"2026-03-{when}Z", "subject": subject, "data": data}).encode()
    return Fact(TYPES[one.type][0], subject.encode(), value, at(f"2026-03-{when}Z"))


def before(number: int) -> Iterator[Fact]:
    """What is known of the two apart: consent and a zone here, a purchase, a promise or a refusal there."""
    customer, phone = f"c-{number:02}", f"tel:{number:02}"
    yield happens("02T09:00:00", customer, lives(time_zone="UTC"))
    yield happens("02T09:00:01", customer, granted())
    yield happens("02T09:00:02", phone, lives(country="GB"))
    yield happens("02T09:00:03", phone, [granted(), withdrawn(on=["sms"]), bought("PEN"), died()][number % 4])
    yield happens("02T20:00:00", customer, asked(offer(on=("sms", "email"))))
    yield happens("02T22:00:00", phone, asked(offer("late"), campaign="spring"))


def link(number: int) -> Fact:
    """Half of them are linked, the others merged."""
    customer, phone = f"c-{number:02}", f"tel:{number:02}"
    if number % 2:
        return happens("02T23:00:00", phone, Happening("customer.merged", {"into": customer}))
    return happens("02T23:00:00", customer, Happening("identity.linked", {"identity": phone}))


def after(number: int) -> Iterator[Fact]:
    """What comes under the number when it is known whose it is."""
    phone = f"tel:{number:02}"
    yield happens("05T10:00:00", phone, asked(offer("direct", on=("sms", "email"))))
    yield happens("05T10:00:01", phone, withdrawn(on=["email"]))
    yield happens("06T10:00:00", phone, asked(offer("last")))


def by_time(groups: Iterable[Iterator[Fact]]) -> list[Fact]:
    """All of them in the order of their instants."""
    return sorted((fact for group in groups for fact in group), key=lambda fact: fact.at)


def keep_up(broker: Live, workers: dict[str, WorkerProcess]) -> None:
    """Both workers run; one that lost its group is started again, as a supervisor would."""

    def both() -> bool:
        for name in ("one", "two"):
            if name not in workers or workers[name].process.poll() == LOST_GROUP:
                workers[name] = broker.worker(name)
        return all(worker.process.poll() is None and worker.is_ready() for worker in workers.values())

    until(both, 60, "two workers")


@pytest.mark.mock(
    "two running workers see what is told at once on several topics in Kafka's order, not in that of time"
)
def test_two_workers_say_what_the_sequential_run_says(broker: Live) -> None:
    """Decision by decision, in each subject's order; nobody is linked twice, nothing is lost on the way."""
    parts = [
        by_time(map(before, range(CUSTOMERS))),
        [link(number) for number in range(CUSTOMERS)],
        by_time(map(after, range(CUSTOMERS))),
        [happens("07T10:00:00", f"c-{number:02}", asked(offer("own"))) for number in range(CUSTOMERS)],
    ]
    workers: dict[str, WorkerProcess] = {}
    for part in parts:
        keep_up(broker, workers)
        broker.tell(part, stamped=True)
        broker.settle()
    assert {worker.term() for worker in workers.values()} <= {0, LOST_GROUP}
    run, expected = Replay(policy()), defaultdict[bytes, list[bytes]](list)
    for fact in [fact for part in parts for fact in part]:
        for decision in run.feed(parse(fact.value)):
            expected[decision.subject.encode()].append(dumps(decision))
    for decision in run.finish():
        expected[decision.subject.encode()].append(dumps(decision))
    said = defaultdict[bytes, dict[bytes, None]](dict)  # a worker that was started again repeats, byte for byte
    for record in broker.read("decisions"):
        said[record.key or b""].setdefault(record.value or b"")
    assert {key: list(values) for key, values in said.items()} == expected
    assert {json.loads(value)["data"]["outcome"] for values in said.values() for value in values} >= {
        "act", "suppress", "hold", "release", "recall"
    }  # fmt: skip
    assert broker.read("dead-letters") == []
    assert not broker.verified().problems()
