"""An erased customer is gone from the changelog's files and the local store, on a real Kafka that compacts (F26)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kafka.cluster import RealKafka
from tests.legible import legible
from tests.streaming.live import Live, until
from tests.streaming.records import event
from tests.streaming.test_app import greet, request

pytestmark = [pytest.mark.kafka, pytest.mark.long]

_WHO = "c-of-canary"
_CANARIES = ("Jürgen-Canary", "1971-03-09", "CANARY-SKU", "canary-topic", "canary-campaign", "canary-note")


def lives(live: Live) -> None:
    """A life full of words that must not be found afterwards, with a live act and a request that waits."""
    greet(live, _WHO, "c-other")
    told: list[tuple[str, str, dict[str, object]]] = [
        ("customers", "customer.updated", {"name": _CANARIES[0], "birth_date": _CANARIES[1]}),
        ("customers", "customer.preference_set", {"topics_off": [_CANARIES[3]]}),
        ("purchases", "purchase.completed", {"order_id": "o-1", "currency": "EUR", "lines": [
            {"sku": _CANARIES[2], "quantity": 1, "unit_price": "9.00"}]}),
        ("customers", "customer.life_event", {"kind": "goal", "detail": _CANARIES[5]}),
    ]  # fmt: skip
    for number, (topic, type_, data) in enumerate(told):
        live.publish(topic, event(type_, "2026-02-02T09:00:00Z", of=_WHO, id_=f"f-{number}", **data), _WHO)
    for class_ in ("service", "marketing"):
        asked = request(_WHO, "2026-03-02T23:00:00Z", f"r-{class_}", topic="canary-asks", **{"class": class_})
        live.publish("contact-requests", asked, _WHO)
    live.flush()


def written(folder: Path, live: Live) -> bytes:
    """What can be read in the changelog's segments on the broker's disk, and in the local store's live records."""
    segments = [path.read_bytes() for path in sorted(folder.rglob("state-changelog-*/*.log"))]
    stored = [record for states in live.stored().values() for record in states.values()]
    return b"".join(legible(one) for one in [*segments, *stored])


def test_no_trace_is_left_after_compaction(tmp_path: Path) -> None:
    """State, outbox and marks in the segments and the store: nothing but a minimal marker, late events or not."""
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        worker = live.worker().ready()
        lives(live)
        live.settle()
        assert worker.term() == 0, worker.output
        words = (*_CANARIES, "canary-asks")
        before = written(tmp_path / "kafka", live)
        found = [word for word in words if word.encode() in before]
        assert len(found) >= 5, f"the test looks for words that were never there: only {found}"

        kafka.alter_topic(
            "state-changelog", segment_ms=100, min_compaction_lag_ms=0, max_compaction_lag_ms=100,
            min_cleanable_dirty_ratio=0.001, delete_retention_ms=0,
        )  # fmt: skip
        worker = live.worker().ready()
        live.publish("customers", event("customer.erased", "2026-03-03T01:00:00Z", of=_WHO, id_="gone"), _WHO)
        late = event("customer.updated", "2026-03-01T09:00:00Z", of=_WHO, id_="late", name=_CANARIES[0])
        live.publish("customers", late, _WHO)
        live.flush()
        live.settle()
        reasons = [one["data"]["reason"] for one in live.said() if one["subject"] == _WHO]
        assert reasons.count("dnc.erased") >= 3, "the live act recalled, the waiting request answered, a hold for all"
        assert worker.term() == 0, worker.output

        def gone() -> bool:
            # Each start begins a new segment, which frees the one before for the cleaner.
            again = live.worker().ready()
            assert again.term() == 0, again.output
            left = written(tmp_path / "kafka", live)
            return not [word for word in words if word.encode() in left]

        until(gone, 60, "an end to every trace")
        [marker] = [raw for states in live.stored().values() for key, raw in states.items() if key == _WHO.encode()]
        assert len(marker) < 2048
        live.publish("contact-requests", request(_WHO, "2026-03-04T10:00:00Z", "after"), _WHO)
        live.flush()
        worker = live.worker().ready()
        live.settle()
        assert [one["data"]["reason"] for one in live.said() if one["data"].get("request_id") == "of-after"] == [
            "dnc.erased"
        ]
        assert worker.term() == 0, worker.output
