"""What an import has done so far, in files beside its input: a checkpoint to go on from, and what was refused and why.

The checkpoint names how much of the input was acknowledged by Kafka, and the SHA-256 of exactly that much: another
input is not taken for the same. What was refused is kept line by line as it came, for repair, and the reasons beside
it; only the owner may read either, and both are cut back to the checkpoint when an import goes on.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from decisioning.errors import DecisioningError, EventRejected

_OURS_ALONE: Final = 0o600
_encode: Final = msgspec.json.Encoder().encode


class LedgerRefused(DecisioningError):
    """The checkpoint does not belong to this input or this Kafka; the line says what to do."""


class Ledger(Struct, kw_only=True):
    """So much of an input is imported: bytes, lines, what was sent to which topic, and what was refused."""

    kafka: str
    prefix: str
    bytes: int = 0
    lines: int = 0
    digest: str = ""
    sent: dict[str, int] = {}
    refused: int = 0
    kept_bytes: int = 0
    told_bytes: int = 0


class Books:
    """The three files of one import, named after it: `.import.json`, `.refused.jsonl` and `.refused.txt`."""

    def __init__(self, name: str) -> None:
        self.checkpoint = Path(f"{name}.import.json")
        self.kept = Path(f"{name}.refused.jsonl")
        self.told = Path(f"{name}.refused.txt")

    def load(self, kafka: str, prefix: str, *, again: bool = False) -> Ledger:
        """Where to go on; with `again`, or where there is no checkpoint, at the beginning."""
        fresh = Ledger(kafka=kafka, prefix=prefix)
        if again or not self.checkpoint.exists():
            return fresh
        try:
            found = msgspec.json.decode(self.checkpoint.read_bytes(), type=Ledger)
        except msgspec.MsgspecError:
            raise LedgerRefused(f"{self.checkpoint} is no checkpoint: remove it, or name another --name") from None
        if (found.kafka, found.prefix) != (kafka, prefix):
            raise LedgerRefused(
                f"{self.checkpoint} is of an import into {found.kafka}: with --again all of it goes to {kafka}"
            )
        return found

    def save(self, ledger: Ledger) -> None:
        """Put the checkpoint in the place of the last one, whole or not at all."""
        half = self.checkpoint.with_name(f"{self.checkpoint.name}.new")
        with os.fdopen(_open(half, os.O_TRUNC), "wb") as file:
            file.write(_encode(ledger))
            file.flush()
            os.fsync(file.fileno())
        half.replace(self.checkpoint)


class Refusals:
    """Writes what is refused, from where the ledger says that an earlier run was; nothing until something is."""

    def __init__(self, books: Books, ledger: Ledger) -> None:
        self._books, self._ledger = books, ledger
        for path, size in ((books.kept, ledger.kept_bytes), (books.told, ledger.told_bytes)):
            with suppress(FileNotFoundError):
                os.truncate(path, min(size, path.stat().st_size))

    def write(self, refused: list[tuple[int, bytes | None, EventRejected]]) -> None:
        """Line number, the line (None: too long to keep) and why; on disk before the ledger counts them."""
        if not refused:
            return
        lines = b"".join(line + b"\n" for _, line, _ in refused if line is not None)
        why = "".join(f"{in_words(number, error)}\n" for number, _, error in refused).encode()
        for path, content in ((self._books.kept, lines), (self._books.told, why)):
            with os.fdopen(_open(path, os.O_APPEND), "ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        self._ledger.refused += len(refused)
        self._ledger.kept_bytes += len(lines)
        self._ledger.told_bytes += len(why)


def in_words(number: int, error: EventRejected) -> str:
    """One line about a refused one: where it stands, the fault, what to do; never what it says."""
    return f"line {number}: {error.fault}: {error}"


def _open(path: Path, how: int) -> int:
    found = os.open(path, os.O_WRONLY | os.O_CREAT | how, _OURS_ALONE)
    os.fchmod(found, _OURS_ALONE)
    return found
