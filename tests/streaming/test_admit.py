"""What is let in: size and clock of an installation, in the words that a dead letter has."""

from __future__ import annotations

import pytest

from decisioning.errors import EventRejected, Fault
from decisioning.instant import MINUTE, parse_instant
from decisioning.streaming.admit import FUTURE, admit
from decisioning.streaming.settings import Settings
from tests.streaming.records import event

WHEN = "2026-03-02T10:00:00Z"
AT = parse_instant(WHEN)


def test_five_minutes_ahead_are_forgiven() -> None:
    """Clocks differ a little; under the event clock no time is too far ahead."""
    told = event("customer.updated", WHEN)
    assert admit(Settings(), told, (), AT - FUTURE).time == AT
    with pytest.raises(EventRejected) as caught:
        admit(Settings(), told, (), AT - FUTURE - 1)
    assert caught.value.fault is Fault.FUTURE_TIME
    assert admit(Settings(clock="event"), told, (), AT - 60 * MINUTE).time == AT


def test_the_largest_event_is_let_in() -> None:
    """To the byte."""
    told = event("customer.updated", WHEN, name="x" * 2000)
    assert admit(Settings(max_event_bytes=len(told)), told, (), AT).data is not None
    with pytest.raises(EventRejected) as caught:
        admit(Settings(max_event_bytes=len(told) - 1), told, (), AT)
    assert caught.value.fault is Fault.TOO_LARGE


def test_everything_else_is_the_parsers_to_say() -> None:
    """No value, no event."""
    with pytest.raises(EventRejected) as caught:
        admit(Settings(), None, (), AT)
    assert caught.value.fault is Fault.TOMBSTONE
