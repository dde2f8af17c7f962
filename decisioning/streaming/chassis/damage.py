"""A local store that cannot be read is set aside and rebuilt from its changelog (trap T19): nobody is woken for it.

Whose fault an error of RocksDB is follows from its text, for it has no types of its own:

- another process has the directory, we may not write there, too many files are open, the disk is full: the operator's.
  A `StoreError`, or a `StoreFull`, that says how to mend it; the store is left as it is, for nothing is wrong with it.
- anything else means that files are missing, torn or altered: a `StoreDamaged`. Found while the store is opened, the
  directory is set aside at once. Found later, by a read, a write or RocksDB's own work in the background, the
  directory is marked; the process ends with code 73, as after any error, and its restart sets it aside.

What is set aside stands beside the stores as ``set-aside.<name>.<number>``, the newest `KEPT` of a data directory.

What RocksDB would go past in silence is looked for before (`files`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from decisioning.streaming.chassis.files import hole

__all__ = ["KEPT", "StoreDamaged", "StoreError", "StoreFull", "cause", "mark", "opened", "set_aside"]

S = TypeVar("S")

KEPT: Final = 3
"""Directories that are kept after they were set aside, for whoever wants to know what happened to them."""

_MARK: Final = "DAMAGED"
_ASIDE: Final = "set-aside."
_FULL: Final = ("no space left on device", "disk quota exceeded")
_REFUSED: Final = {
    "permission denied": "this user may not use it: give it to the user that runs the worker",
    "operation not permitted": "this user may not use it: give it to the user that runs the worker",
    "read-only file system": "its file system is mounted read-only: give the worker one that it may write to",
    "too many open files": "too many files are open: raise the limit of open files (ulimit -n)",
    "cannot allocate memory": "there is no memory left: give the worker more",
}


class StoreError(RuntimeError):
    """A local store cannot be used or belongs to something else; the message says whose it is and what to do."""


class StoreFull(StoreError):
    """The disk under a local store is full; nothing is wrong with the store."""


class StoreDamaged(StoreError):
    """What a local store holds cannot be read; the changelog has it all."""


def cause(path: Path, error: BaseException) -> StoreError:
    """What an `error` of RocksDB or the file system about the store at `path` means: one line with the remedy."""
    if isinstance(error, StoreError):
        return error
    text = " ".join(str(error).split())
    lower = text.lower()
    if any(words in lower for words in _FULL):
        return StoreFull(f"the disk of {path} is full: make room, then start again; nothing is lost")
    for words, remedy in _REFUSED.items():
        if words in lower:
            return StoreError(f"{path} cannot be used, {remedy}")
    if isinstance(error, OSError):
        return StoreError(f"{path} cannot be used ({error.strerror}): name another data directory")
    if f"{path}/LOCK:" in text:  # "block checksum mismatch" speaks of no lock
        return StoreError(f"{path} is in use by another process: give each worker a data directory of its own")
    return StoreDamaged(
        f"{path} is damaged ({text}); it is set aside at the next start and restored from its changelog"
    )


def mark(path: Path) -> None:
    """Have the store at `path` set aside the next time it is opened."""
    try:
        (path / _MARK).touch()
    except OSError:
        return  # the next run finds the same damage


def opened(path: Path, make: Callable[[Path], S], told: Callable[[str], None]) -> S:
    """The store at `path` as `make` opens it; a damaged one is set aside, `told` in one line, and a new one begun.

    Raises `StoreError` where it cannot be mended here.
    """
    reason = "an earlier run found it damaged" if (path / _MARK).exists() else hole(path)
    if reason is None:
        try:
            return make(path)
        except StoreDamaged as error:
            reason = " ".join(str(error.__cause__ or error).split())
    try:
        aside = set_aside(path)
    except OSError as error:
        raise cause(path, error) from error
    told(f"{path} was damaged ({reason}): it is kept as {aside.name} and restored from its changelog")
    return make(path)


def set_aside(path: Path) -> Path:
    """Rename the directory at `path` beside itself and remove the oldest that were; its new place. Raises `OSError`."""
    earlier = sorted(
        (place for place in path.parent.glob(f"{_ASIDE}*") if place.suffix[1:].isdigit()),
        key=lambda place: int(place.suffix[1:]),
    )
    number = int(earlier[-1].suffix[1:]) + 1 if earlier else 1
    aside = path.rename(path.with_name(f"{_ASIDE}{path.name}.{number}"))
    for old in earlier[: max(0, len(earlier) - KEPT + 1)]:
        shutil.rmtree(old, ignore_errors=True)
    return aside
