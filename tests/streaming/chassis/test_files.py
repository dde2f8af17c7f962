"""Damage that RocksDB goes past in silence, on directories as a kill -9 leaves them: none unnoticed, none imagined."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from decisioning.streaming.chassis.damage import StoreError
from decisioning.streaming.chassis.files import hole
from tests.streaming.chassis.test_damage import CHANGELOG, make

_PROGRAM = (
    "import os, sys; from pathlib import Path\n"
    "from tests.streaming.chassis.test_damage import CHANGELOG, make\n"
    "store = make(Path(sys.argv[1]))\n"
    "for start in range(0, int(sys.argv[2]), 50):\n"
    "    store.restore(CHANGELOG[start : start + 50])\n"
    "os.kill(os.getpid(), 9)"
)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Directories of stores that were killed sooner and later."""
    folder = tmp_path_factory.mktemp("killed")
    for count in (600, 2600, 3300, 5000):
        subprocess.run([sys.executable, "-c", _PROGRAM, str(folder / str(count)), str(count)], timeout=60, check=False)
    return sorted(folder.iterdir())


def changed(path: Path, to: Path) -> Iterator[tuple[str, Path]]:
    """Copies of a directory, each with one file cut, emptied or gone, and what was done."""
    for file in sorted(path.iterdir()):
        if not (file.name.startswith("MANIFEST") or file.suffix == ".log"):
            continue
        raw = file.read_bytes()
        for length in [None, 0, *range(20, len(raw), max(1, len(raw) // 12))]:
            shutil.rmtree(to, ignore_errors=True)
            shutil.copytree(path, to)
            if length is None:
                (to / file.name).unlink()
            else:
                (to / file.name).write_bytes(raw[:length])
            yield f"{path.name}/{file.name} cut to {length}", to


def is_true(path: Path) -> bool | None:
    """Whether the store there is the changelog up to its offset; None: RocksDB refuses it."""
    try:
        store = make(path)
    except StoreError:
        return None
    known = CHANGELOG[: 0 if store.offset is None else store.offset + 1]
    try:
        return dict(store.states()) == {m.key: m.value for m in known}
    except StoreError:
        return None
    finally:
        store.close()


def test_no_hole_is_unnoticed(killed: list[Path], tmp_path: Path) -> None:
    """Wherever RocksDB would open a store that says more than it knows, we have said so before (T19)."""
    noticed = 0
    for path in killed:
        for done, copy in changed(path, tmp_path / "copy"):
            found = hole(copy)
            if is_true(copy) is False:
                assert found is not None, done
                noticed += 1
    assert noticed > 10, "this is about something that happens"


def test_nothing_is_imagined(killed: list[Path], tmp_path: Path) -> None:
    """What a kill, an orderly end, or a start and an end leave behind is whole."""
    for path in killed:
        copy = Path(shutil.copytree(path, tmp_path / path.name))
        assert hole(copy) is None
        for count in (0, 5500, 6000, 0):
            store = make(copy)
            store.restore(CHANGELOG[:count])
            store.close()
            assert hole(copy) is None
    assert hole(tmp_path / "nowhere") is None
