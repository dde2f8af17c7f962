"""A worker stops before its disk is full, and goes on by itself when there is room again (trap T20).

A local store that cannot be written ends the process: nothing is lost, but nothing is done either, and a restart meets
the same disk. So the gate looks at the free space every second. Below the least that is wanted no more records are
taken: what was begun is finished, said and committed, the group keeps its members, and readiness says why. It opens
again a little above where it closed, so that it does not flutter.

It guards what records write. A restore and a standby write as well, and are not held up: without them nobody is ready.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["DiskGate", "Space", "space"]

_AGAIN: Final = 1.1  # how much more than the least must be free before records are taken again
_MIB: Final = 1024 * 1024


class Space(NamedTuple):
    """Bytes of a file system: those that we may still write, and all."""

    free: int
    total: int


def space(path: Path) -> Space:
    """What the file system of `path` has. Raises `OSError`."""
    found = os.statvfs(path)
    return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


class DiskGate:
    """Closed while fewer bytes are free at `path` than `share` of its file system, or `most` if that is less.

    `told` gets one line each time it closes or opens. `measure` is `space`, but for tests.
    """

    def __init__(
        self, path: Path, *, share: float, most: int, told: Callable[[str], None],
        measure: Callable[[Path], Space] = space,
    ) -> None:  # fmt: skip
        self._path = path
        self._share = share
        self._most = most
        self._told = told
        self._measure = measure
        self.free = 0
        """Bytes that were free at the last look."""
        self.reason: str | None = None
        """Why it is closed, in one line; None: it is open."""

    @property
    def closed(self) -> bool:
        """Whether no records should be taken."""
        return self.reason is not None

    def look(self) -> None:
        """Measure, and close or open. Raises `OSError`."""
        self.free, total = self._measure(self._path)
        least = min(int(total * self._share), self._most)
        if self.closed and self.free >= least * _AGAIN:
            self.reason = None
            self._told(f"{self._path} has room again: records are taken")
        elif self.closed or self.free < least:
            was_open = not self.closed
            self.reason = f"{self._path} has {self.free // _MIB} MiB free, {least // _MIB} MiB are wanted: make room"
            if was_open:
                self._told(f"no more records are taken: {self.reason}")
