"""What the chassis reports becomes what an operator sees."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from decisioning.streaming.metrics import Labels, Metrics
from decisioning.streaming.watch import Watch


def test_latency_runs_from_the_kafka_timestamp_to_durability() -> None:
    """Each record of a finished slice counts once, in the order in which records were read."""
    registry = CollectorRegistry()
    watch = Watch(Metrics(registry, Labels([], [], [], [])), lambda: 1_500.0)
    for timestamp in (1_000, 1_400, 1_450):
        watch.read(timestamp)
    watch.sliced(records=2, outputs=5, seconds=0.001, waited=0.002)
    assert registry.get_sample_value("decisioning_event_seconds_count") == 2
    total = registry.get_sample_value("decisioning_event_seconds_sum")
    assert total is not None
    assert abs(total - 0.6) < 1e-9
    watch.sliced(records=1, outputs=0, seconds=0.001, waited=0.002)
    assert registry.get_sample_value("decisioning_event_seconds_count") == 3


def test_the_rest_is_counted_as_it_is_told() -> None:
    """Replays, restores, commits, damaged stores and the outbox each have their metric."""
    registry = CollectorRegistry()
    watch = Watch(Metrics(registry, Labels([], [], [], [])))
    watch.replayed(3)
    watch.restored(0, 40)
    watch.committed(2)
    watch.outbox(1, 512)
    watch.set_aside(3)
    watch.woken(2)
    assert registry.get_sample_value("decisioning_replayed_records_total") == 3
    assert registry.get_sample_value("decisioning_restored_records_total") == 40
    assert registry.get_sample_value("decisioning_commits_total") == 2
    assert registry.get_sample_value("decisioning_stores_set_aside_total") == 1
    assert registry.get_sample_value("decisioning_outbox_bytes") == 512
    assert registry.get_sample_value("decisioning_wakes_due_total") == 2
