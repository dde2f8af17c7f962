"""Copies are other customers with other requests, and else the same."""

from __future__ import annotations

import json

import pytest

from tests.bench.recorded import facts, recorded


def test_no_two_customers_share_a_key_or_a_request() -> None:
    """As many customers as asked for; whoever is owed an answer is asked by a name that is used once, or again by its
    sender."""
    found = recorded(2_000)
    assert len({one.key for one in found}) >= 2_000
    asked: dict[bytes, bytes] = {}
    for one in found:
        if one.id is not None:
            said = json.loads(one.value)
            assert (said["subject"].encode(), said["data"]["request_id"].encode()) == (one.key, one.id)
            assert asked.setdefault(one.id, one.key) == one.key
    assert len(found) < 3 * len(facts())


@pytest.mark.long
def test_events_come_in_the_order_of_time() -> None:
    """As they were recorded."""
    stamps = [one.at or 0 for one in recorded(1_000)]
    assert stamps == sorted(stamps)
