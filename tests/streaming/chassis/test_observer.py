"""The observer that looks away."""

from __future__ import annotations

from decisioning.streaming.chassis.observer import Observer, Silent


def test_silence_is_an_observer() -> None:
    """The default observer takes every call and says nothing."""
    silent: Observer = Silent()
    silent.sliced(1, 2, 0.1, 0.2)
    silent.replayed(1)
    silent.restored(0, 1)
    silent.committed(1)
    silent.outbox(1, 2)
    silent.woken(1)
    silent.set_aside(0)
