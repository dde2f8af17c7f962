"""The steps of a slice, by name, so that a test can end the process at each of them.

Nothing of ours listens: `Slicer.step` does nothing, and only a test's own worker puts something else in its place.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Step"]


class Step(StrEnum):
    """A moment between two things of which each could be the last. In this order a slice passes them."""

    TAKEN = "the job has run, nothing is sent"
    SENT = "the changelog's records are handed to the producer"
    REMEMBERED = "the changelog has them, the local store does not"
    WRITTEN = "the local store has them, nothing is said"
    SAID = "the outputs are handed to the producer"
    HEARD = "Kafka has the outputs, nothing counts as finished"
    FINISHED = "the records count as finished, nothing is committed"
    COMMITTED = "the offsets are committed, the outbox still holds what was said"
