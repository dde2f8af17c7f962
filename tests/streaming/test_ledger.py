"""The files of an import: whose they are, whole or not at all, cut back to the checkpoint."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from decisioning.errors import EventRejected, Fault
from decisioning.streaming.ledger import Books, Ledger, LedgerRefused, Refusals, in_words

WRONG = EventRejected(Fault.NO_TIME, "`time` is missing")


def books(folder: Path) -> Books:
    """Those of an import named `h`."""
    return Books(str(folder / "h"))


def test_a_checkpoint_is_read_again(tmp_path: Path) -> None:
    """Without one an import begins at the beginning; with `again` too."""
    ours = books(tmp_path)
    assert ours.load("k:1", "") == Ledger(kafka="k:1", prefix="")
    ledger = Ledger(kafka="k:1", prefix="", bytes=7, lines=2, digest="ab", sent={"orders": 2})
    ours.save(ledger)
    ours.save(ledger)
    assert ours.load("k:1", "") == ledger
    assert ours.load("k:1", "", again=True).lines == 0
    assert [path.name for path in tmp_path.iterdir()] == ["h.import.json"]


def test_another_kafka_is_another_import(tmp_path: Path) -> None:
    """What one broker acknowledged another does not have; the line says what to do."""
    ours = books(tmp_path)
    ours.save(Ledger(kafka="k:1", prefix=""))
    for kafka, prefix in (("k:2", ""), ("k:1", "test-")):
        with pytest.raises(LedgerRefused, match="--again"):
            ours.load(kafka, prefix)
    ours.checkpoint.write_text("{}")
    with pytest.raises(LedgerRefused, match="no checkpoint"):
        ours.load("k:1", "")


def test_what_is_refused_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    """The lines as they came, the reasons beside them without a word of theirs; 0600 whatever was there."""
    ours, ledger = books(tmp_path), Ledger(kafka="", prefix="")
    ours.told.touch(mode=0o644)
    refusals = Refusals(ours, ledger)
    refusals.write([])
    assert not ours.kept.exists()
    refusals.write([(3, b'{"name": "Ada"}', WRONG), (9, None, EventRejected(Fault.TOO_LARGE, "too long"))])
    assert ours.kept.read_bytes() == b'{"name": "Ada"}\n'
    assert ours.told.read_text() == "line 3: no_time: `time` is missing\nline 9: too_large: too long\n"
    assert in_words(3, WRONG) == "line 3: no_time: `time` is missing"
    for path in (ours.kept, ours.told):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (ledger.refused, ledger.kept_bytes) == (2, 16)


def test_what_the_checkpoint_does_not_know_is_cut_off(tmp_path: Path) -> None:
    """A line that was refused just before a crash is refused again, and stands there once."""
    ours, ledger = books(tmp_path), Ledger(kafka="", prefix="")
    Refusals(ours, ledger).write([(1, b"one", WRONG)])
    ours.save(ledger)
    Refusals(ours, ledger).write([(2, b"two", WRONG)])
    known = ours.load("", "")
    Refusals(ours, known).write([(2, b"two", WRONG)])
    assert ours.kept.read_bytes() == b"one\ntwo\n"
    assert known.refused == 2
    Refusals(ours, ours.load("", "", again=True))
    assert ours.kept.read_bytes() == b""
