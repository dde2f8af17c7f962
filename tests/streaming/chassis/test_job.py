"""The words between application and chassis."""

from __future__ import annotations

from decisioning.streaming.chassis.job import Applied, Job, Output, Record
from tests.streaming.chassis.harness import Message
from tests.streaming.chassis.toy_worker import State, Toy


def test_an_output_needs_only_topic_key_and_value() -> None:
    """All else has a default: no headers, the key's partition, the time of sending."""
    assert Output("t", b"k", b"v") == ("t", b"k", b"v", (), None, None)


def test_applied_says_nothing_of_clocks_by_default() -> None:
    """A job without event time leaves the clock alone."""
    assert Applied(None, None, ()).clock == 0


def test_the_toy_is_a_job_and_a_message_a_record() -> None:
    """The tests' job and records satisfy the protocols, as the type checker sees them."""
    job: Job[dict[str, object], State] = Toy()
    record: Record = Message("a", 0, 0, 0, b"k", b'{"id": "x"}')
    read = job.read(record)
    assert isinstance(read, tuple)
    assert read[0] == b"k"
