"""A rate is that of the window, whatever comes before and after it."""

from __future__ import annotations

from tests.bench.throughput import Look, measured


def test_start_and_idle_end_do_not_count() -> None:
    """From the tenth part to the first look that saw the last event."""
    looks = [Look(0, 0, 1.0, 0.0), Look(5, 100, 2.0, 0.5), Look(7, 1000, 2.9, 0.95), Look(9, 1000, 9.0, 9.0)]
    assert measured(looks, 0.1) == {"events_per_s": 450, "events": 1000, "cpu_us": 1000.0, "broker_cpu_us": 500.0}
