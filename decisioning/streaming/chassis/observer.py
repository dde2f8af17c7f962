"""What the chassis tells whoever counts: metrics, tests, a live view. It calls from the event loop's thread."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Observer", "Silent"]


class Observer(Protocol):
    """One call for each thing that happened. An exception from it ends the process, so it must not raise."""

    def sliced(self, records: int, outputs: int, seconds: float, waited: float) -> None:
        """A slice is finished: its records and outputs, seconds it computed, seconds it then waited for acks."""

    def replayed(self, records: int) -> None:
        """Records came again that their key had already seen; what they said was published at the start."""

    def restored(self, partition: int, records: int) -> None:
        """So many changelog records were applied to a local store."""

    def committed(self, partitions: int) -> None:
        """Offsets of so many topic partitions were committed."""

    def outbox(self, records: int, size: int) -> None:
        """Outbox records of all lanes that await a commit, and their bytes."""

    def woken(self, wakes: int) -> None:
        """So many due wakes became relay records."""

    def intruded(self, partition: int, records: int) -> None:
        """So many changelog records of a stale writer came after ours; what they say is written again as it was."""

    def set_aside(self, partition: int) -> None:
        """The local store of a partition was damaged; a new one is restored from the changelog."""


class Silent:
    """An observer that looks away; the default."""

    def sliced(self, records: int, outputs: int, seconds: float, waited: float) -> None:
        """Nothing."""

    def replayed(self, records: int) -> None:
        """Nothing."""

    def restored(self, partition: int, records: int) -> None:
        """Nothing."""

    def committed(self, partitions: int) -> None:
        """Nothing."""

    def outbox(self, records: int, size: int) -> None:
        """Nothing."""

    def woken(self, wakes: int) -> None:
        """Nothing."""

    def intruded(self, partition: int, records: int) -> None:
        """Nothing."""

    def set_aside(self, partition: int) -> None:
        """Nothing."""
