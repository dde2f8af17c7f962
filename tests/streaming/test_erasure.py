"""To be forgotten, in the stream: no trace in changelog, outbox and store, late news bring nobody back, and by when."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from rocksdict import Options, Rdict

from decisioning.instant import HOUR, parse_instant
from decisioning.state import loads
from decisioning.streaming.chassis.header import unpack
from decisioning.streaming.chassis.store import OUTBOX
from decisioning.streaming.erasure import HEADER, render, traces, within
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import plan
from tests.legible import legible
from tests.streaming.live import Live, until
from tests.streaming.records import event, record
from tests.streaming.test_worker import Bench

CANARIES: Final = (
    b"Ada-Canary-Lovelace", b"1815-12-10", b"SKU-canary", b"order-canary", b"canary@shop.example", b"free-text-canary",
    b"case-canary", b"topic-canary", b"action-canary", b"promise-canary",
)  # fmt: skip
"""Name, birth date, what was bought, mail address, free texts: what must be gone."""
DAY_MS: Final = 86_400_000


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Live]:
    """A broker of two lanes."""
    with Live(tmp_path, 2) as running:
        yield running


def life(of: str, at: str) -> Iterator[tuple[str, bytes]]:
    """All that one can know of a customer, with a message on its way and a promise for tomorrow morning."""

    def happens(on: str, type_: str, time: str, **data: Any) -> tuple[str, bytes]:
        return on, event(type_, f"{at}T{time}Z", of=of, id_=f"{type_}-{of}-{time}", **data)

    def asks(time: str, kind: str) -> tuple[str, bytes]:
        offer = {"action": "action-canary", "class": kind, "channels": ["email"], "topic": "topic-canary"}
        return happens(
            "contact-requests", "contact.requested", time, request_id=f"r-{time}", candidates=[offer], campaign="canary"
        )

    yield happens(
        "customers", "customer.updated", "08:00:00", name="Ada-Canary-Lovelace", birth_date="1815-12-10",
        time_zone="UTC", attributes={"email": "canary@shop.example", "note": "free-text-canary"},
    )  # fmt: skip
    yield happens("customers", "consent.granted", "08:00:01", purpose="marketing")
    yield asks("20:00:00", "service")
    yield asks("21:30:00", "marketing")
    yield happens(
        "purchases", "purchase.completed", "21:31:00", order_id="order-canary", currency="GBP",
        lines=[{"sku": "SKU-canary", "quantity": 1, "unit_price": "1.00"}],
    )  # fmt: skip
    yield happens("support", "support.case_opened", "21:32:00", case_id="case-canary", severity="low", topic="topic")
    yield happens(
        "support", "support.promise_made", "21:33:00", promise_id="promise-canary", what="free-text-canary",
        due_at=f"{at}T23:00:00Z",
    )  # fmt: skip


def lives(broker: Live, of: str, at: str = "2026-03-02") -> None:
    """Tell it, in this order."""
    for topic, value in life(of, at):
        broker.publish(topic, value, of, at=parse_instant(json.loads(value)["time"]) // 1000)
    broker.flush()


def erases(broker: Live, of: str, at: str = "2026-03-02T22:00:00Z") -> None:
    """The customer asks to be forgotten."""
    broker.publish("customers", event("customer.erased", at, of=of, id_=f"x-{of}"), of)
    broker.flush()


def compacted(broker: Live) -> dict[tuple[int, bytes], bytes]:
    """What the cleaner would leave of the changelog, its time having come: the last record of a key, no tombstones."""
    kept: dict[tuple[int, bytes], bytes | None] = {}
    for one in broker.read("state-changelog"):
        assert one.key is not None
        kept[one.partition, one.key] = one.value
    return {place: value for place, value in kept.items() if value is not None}


def seen(text: bytes) -> set[bytes]:
    """The canaries in these bytes."""
    plain = legible(text)
    return {canary for canary in CANARIES if canary in plain}


def outbox_left(broker: Live) -> int:
    """Outbox records that still stand."""
    return sum(key.startswith(OUTBOX) for _, key in compacted(broker))


def on_disk(path: Path) -> bytes:
    """Every byte of a store's tables and logs."""
    return b"".join(one.read_bytes() for one in sorted(path.iterdir()) if one.suffix in (".sst", ".log"))


def check_stores(broker: Live, scratch: Path) -> set[bytes]:
    """Nothing in what the stores hold; nothing in their very files once RocksDB has rewritten them. The canaries that
    those files held before: some after a kill, in the log; none where an orderly end wrote only what was last."""
    dirty = b""
    for path in sorted(broker.data().glob("state-changelog-*")):
        copy = scratch / path.name
        shutil.copytree(path, copy, ignore=shutil.ignore_patterns("LOCK"))
        dirty += on_disk(copy)
        database = Rdict(str(copy), Options(raw_mode=True))
        assert not seen(b"".join(key + value for key, value in database.items()))
        database.compact_range(None, None)
        database.close()
        Rdict(str(copy), Options(raw_mode=True)).close()  # the log of the last run is emptied at the next start
        assert not seen(on_disk(copy)), path.name
    return seen(dirty)


def forgotten(broker: Live, of: str) -> bool:
    """Whether the last state record of this customer is a marker."""
    found = [loads(unpack(value)[1]) for (_, key), value in compacted(broker).items() if key == of.encode()]
    return [state.erased for state in found] == [True]


def test_nothing_is_left_but_the_marker(broker: Live, tmp_path: Path) -> None:
    """After erasure and compaction: no canary under any key, though the log was full of them; the outbox is emptied
    though nothing happens any more; a late event and a restart with an empty store do not bring the customer back."""
    lives(broker, "c-1")
    lives(broker, "c-2")
    worker = broker.worker().ready()
    broker.settle()
    assert seen(b"".join(compacted(broker).values())) == set(CANARIES)
    for one in ("c-1", "c-2"):
        erases(broker, one)
    broker.settle()
    until(lambda: not outbox_left(broker), what="an empty outbox in a quiet lane")
    left = compacted(broker)
    assert not seen(b"".join(key + value for (_, key), value in left.items()))
    assert forgotten(broker, "c-1")
    assert worker.term() == 0, worker.output
    check_stores(broker, tmp_path / "first")

    broker.wipe()
    worker = broker.worker().ready()
    broker.publish("purchases", event("purchase.completed", "2026-03-02T21:59:00Z", of="c-1", id_="late-1",
                   order_id="order-canary", currency="GBP",
                   lines=[{"sku": "SKU-canary", "quantity": 1, "unit_price": "1.00"}]), "c-1")  # fmt: skip
    broker.publish("customers", event("customer.updated", "2026-03-02T21:59:00Z", of="c-1", id_="late-2",
                   name="Ada-Canary-Lovelace"), "c-1")  # fmt: skip
    asks = {"action": "hello", "class": "service", "channels": ["email"]}
    broker.publish("contact-requests", event("contact.requested", "2026-03-02T22:10:00Z", of="c-1", id_="late-3",
                   request_id="late", candidates=[asks]), "c-1")  # fmt: skip
    broker.settle()
    until(lambda: not outbox_left(broker), what="an empty outbox")
    answer = next(one["data"] for one in broker.said() if one["data"].get("request_id") == "late")
    assert (answer["outcome"], answer["reason"]) == ("suppress", "dnc.erased")
    assert forgotten(broker, "c-1")
    assert not seen(b"".join(key + value for (_, key), value in compacted(broker).items()))
    assert worker.term() == 0, worker.output
    assert not broker.verified().problems()


def test_an_erasure_in_the_midst_of_a_kill_and_a_move(broker: Live, tmp_path: Path) -> None:
    """What a dead worker left in its outbox is removed by its successor; what moved in goes as well."""
    lives(broker, "tel:7")
    worker = broker.worker(commit_interval_ms=60_000).ready()
    broker.publish("customers", event("identity.linked", "2026-03-02T21:50:00Z", of="c-1", id_="l", identity="tel:7"),
                   "c-1")  # fmt: skip
    broker.flush()
    until(lambda: "c-1" in {one["subject"] for one in broker.said()}, what="the move")
    erases(broker, "c-1")
    until(lambda: "dnc.erased" in {one["data"]["reason"] for one in broker.said()}, what="the erasure")
    assert outbox_left(broker), "nothing was committed"
    worker.kill()
    worker = broker.worker().ready()
    broker.settle()
    until(lambda: not outbox_left(broker), what="an empty outbox")
    assert not seen(b"".join(key + value for (_, key), value in compacted(broker).items()))
    assert forgotten(broker, "c-1")
    assert worker.term() == 0, worker.output
    assert not broker.verified().problems()
    assert check_stores(broker, tmp_path / "copies"), "the files never held anything: this test would see nothing"


def test_the_hold_of_an_erasure_says_by_when() -> None:
    """In a header, beside the same payload that `decide` gives; no other decision has it, nor where nothing is known of
    the topics."""
    for mode in ("structured", "binary"):
        bench = Bench(output_mode=mode)
        bench.worker._erased_within = 15 * DAY_MS
        bench.take(record(event("consent.granted", "2026-03-02T11:00:00Z", id_="g", purpose="marketing")))
        held, stands = bench.take(record(event("customer.erased", "2026-03-02T11:30:00Z", id_="x")))
        assert dict(held.headers)[HEADER] == b"2026-03-17T12:00:00Z"
        assert stands.topic == "holds"
        (answer,) = bench.take(record(event("contact.requested", "2026-03-02T12:00:00Z", id_="q", request_id="r",
                               candidates=[{"action": "a", "class": "service", "channels": ["sms"]}])))  # fmt: skip
        assert HEADER not in dict(answer.headers)
    bench = Bench()
    held, _ = bench.take(record(event("customer.erased", "2026-03-02T11:30:00Z", id_="x")))
    assert HEADER not in dict(held.headers)
    assert json.loads(held.value or b"")["data"]["reason"] == "dnc.erased"


def test_the_deadline_follows_from_the_topics() -> None:
    """Of the table: fifteen days, the dead letters' fourteen and their last segment; what the broker says wins; a topic
    that never forgets leaves no deadline."""
    found = traces(plan(Settings()), None)
    assert found["purchases"] == found["relay"] == found["decisions"] == 8 * DAY_MS
    assert found["state-changelog"] == 8 * DAY_MS + 6 * HOUR // 1000
    assert within(found) == found["dead-letters"] == 15 * DAY_MS
    assert "products" not in found, "not about customers"
    assert render(found) == "erased customers: gone after 15d at the latest, dead-letters being the last"
    table = {row.name: row.config for row in plan(Settings())}
    assert traces(plan(Settings()), table) == found
    longer = traces(plan(Settings()), table | {"decisions": {"retention.ms": str(30 * DAY_MS), "segment.ms": "0"}})
    assert within(longer) == 30 * DAY_MS
    for name, said in {
        "decisions": {"retention.ms": "-1"},
        "state-changelog": {"cleanup.policy": "compact", "max.compaction.lag.ms": str((1 << 63) - 1)},
    }.items():
        endless = traces(plan(Settings()), table | {name: said})
        assert within(endless) is None
        assert f"never gone from {name}, " in render(endless)
    unknown = traces(plan(Settings()), {name: config for name, config in table.items() if name != "relay"})
    assert within(unknown) is None, "we may not look at it"


def test_an_older_topic_counts_as_the_broker_keeps_it() -> None:
    """One that was made before us has Kafka's own segments of a week."""
    found = traces(plan(Settings()), {"relay": {"retention.ms": str(7 * DAY_MS)}})
    assert found["relay"] == 14 * DAY_MS
