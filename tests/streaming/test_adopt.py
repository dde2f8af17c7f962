"""What `topics adopt` says; that it moves customers is shown on a real Kafka (tests/kafka/test_adopt.py)."""

from __future__ import annotations

from decisioning.streaming.adopt import render
from decisioning.streaming.chassis.adoption import Adopted


def test_what_became_of_each_lane_is_said() -> None:
    """How many customers each has, where they came from, and what to do next."""
    assert render([Adopted(0, 12, False), Adopted(1, 3, True)]).splitlines() == [
        "lane 0: 12 states kept",
        "lane 1: 3 states written from a local store",
        "15 states adopted; start the workers with empty data directories",
    ]
