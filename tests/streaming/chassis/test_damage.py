"""Damaged stores: whatever happens to their files, they heal from the changelog or say in one line why they cannot."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from rocksdict import Cache

from decisioning.streaming.chassis import damage
from decisioning.streaming.chassis.damage import StoreDamaged, StoreError, StoreFull, cause, mark, opened
from decisioning.streaming.chassis.header import Header, pack
from decisioning.streaming.chassis.store import META, Store
from tests.streaming.chassis.harness import Message

CHANGELOG = [
    Message(
        "changelog",
        0,
        offset,
        key=b"k%d" % (offset * 7 % 5500),
        value=pack(Header(), random.Random(offset).randbytes(90)),
    )
    for offset in range(6000)
]
"""Most keys are written once: what a damaged store has lost is not made good by what comes later."""
STATES = {m.key: m.value for m in CHANGELOG}


def make(path: Path) -> Store:
    """A store that flushes often, so that it has many files."""
    return Store(path, cache=Cache(1 << 20), memtable_bytes=1 << 16)


def healed(path: Path, told: list[str]) -> dict[bytes, bytes]:
    """What a worker has after its start, and a restart if the first one finds damage when it reads."""
    for _ in range(2):
        store = opened(path, make, told.append)
        try:
            store.restore(CHANGELOG)
            return dict(store.states())
        except StoreDamaged:
            pass  # the worker ends with code 73
        finally:
            with suppress(StoreDamaged):
                store.close()
    raise AssertionError(f"not healed after a restart: {told}")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory as a kill -9 leaves it: some files flushed, the rest in RocksDB's log."""
    path = tmp_path_factory.mktemp("killed") / "changelog-0"
    program = (
        "import os, sys; from pathlib import Path\n"
        "from tests.streaming.chassis.test_damage import CHANGELOG, make\n"
        "store = make(Path(sys.argv[1]))\n"
        "for start in range(0, 5000, 50):\n"
        "    store.restore(CHANGELOG[start : start + 50])\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], timeout=60, check=False)
    assert len(list(path.glob("*.sst"))) > 1
    assert any(file.stat().st_size for file in path.glob("*.log"))
    return path


@pytest.fixture
def store_of(killed: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes copies of it, one a call."""
    count = iter(range(1000))

    def copy() -> Path:
        return Path(shutil.copytree(killed, tmp_path / str(next(count)) / "changelog-0"))

    return copy


@pytest.mark.parametrize("pattern", ["CURRENT", "MANIFEST-*", "*.sst", "*.log", "OPTIONS-*", "IDENTITY"])
def test_whatever_is_done_to_a_file_the_store_heals(store_of: Callable[[], Path], pattern: str) -> None:
    """Bytes overwritten, cut off, zeroed, appended: after a restart the states are the changelog's (T19)."""
    chance = random.Random(pattern)
    for turn in range(16):
        path = store_of()
        file = chance.choice(sorted(file for file in path.glob(pattern) if file.stat().st_size))
        raw = file.read_bytes()
        at = chance.randrange(len(raw)) if turn % 2 else chance.randrange(len(raw) * 3 // 4, len(raw))
        harm, raw = chance.choice(
            [
                ("overwritten", raw[:at] + chance.randbytes(chance.choice([1, 2, 64])) + raw[at + 1 :]),
                ("cut off", raw[:at]),
                ("zeroed", raw[:at] + bytes(len(raw) - at)),
                ("appended", raw + chance.randbytes(40)),
                ("emptied", b""),
            ]
        )
        file.write_bytes(raw)
        told: list[str] = []
        found = healed(path, told)
        assert found.keys() == STATES.keys(), f"{file.name} {harm} at {at}: {told}"
        assert found == STATES, f"{file.name} {harm} at {at}: {told}"
        shutil.rmtree(path.parent)


@pytest.mark.parametrize("pattern", ["CURRENT", "MANIFEST-*", "*.sst", "*.log"])
def test_a_missing_file_is_healed(store_of: Callable[[], Path], pattern: str) -> None:
    """Any of a kind is gone."""
    path = store_of()
    next(path.glob(pattern)).unlink()
    assert healed(path, []) == STATES


def test_a_store_with_a_torn_manifest_heals(store_of: Callable[[], Path]) -> None:
    """Where RocksDB would go on with a hole, the store is set aside before."""
    chance = random.Random(1)
    for _ in range(12):
        path = store_of()
        manifest = next(path.glob("MANIFEST-*"))
        raw = manifest.read_bytes()
        manifest.write_bytes(raw[: chance.randrange(40, len(raw))])
        assert healed(path, []) == STATES
        shutil.rmtree(path.parent)


def test_what_was_set_aside_is_kept_for_a_while(tmp_path: Path) -> None:
    """Beside the stores, numbered, the newest few; one line says what happened."""
    told: list[str] = []
    for number in range(damage.KEPT + 2):
        path = tmp_path / f"changelog-{number % 2}"
        make(path).close()
        (path / "CURRENT").write_bytes(b"nonsense\n")
        opened(path, make, told.append).close()
    kept = sorted(path.name for path in tmp_path.glob("set-aside.*"))
    assert kept == ["set-aside.changelog-0.3", "set-aside.changelog-0.5", "set-aside.changelog-1.4"]
    assert len(told) == damage.KEPT + 2
    assert told[0].startswith(f"{tmp_path}/changelog-0 was damaged (Corruption: ")
    assert told[0].endswith("it is kept as set-aside.changelog-0.1 and restored from its changelog")
    assert all("\n" not in line for line in told)


def test_what_says_nothing_of_itself_is_set_aside(tmp_path: Path) -> None:
    """A store that does not say how far it is cannot be gone on with; one of a newer program is left alone."""
    store, told = make(tmp_path / "s"), list[str]()
    store._db[META] = b"\x01short"
    store.close()
    store = opened(tmp_path / "s", make, told.append)
    assert len(told) == 1
    assert store.offset is None
    store._db[META] = b"\x09" + bytes(16)
    store.close()
    with pytest.raises(StoreError, match="format 9, this program knows 2: start the newer one"):
        opened(tmp_path / "s", make, told.append)
    assert len(told) == 1


def test_a_mark_outlives_the_process(tmp_path: Path) -> None:
    """Damage that is found while it runs ends the worker; its restart begins with an empty store."""
    told: list[str] = []
    store = make(tmp_path / "s")
    store.restore(CHANGELOG[:10])
    mark(store.path)
    store.close()
    store = opened(tmp_path / "s", make, told.append)
    assert store.offset is None
    store.close()
    assert opened(tmp_path / "s", make, told.append).offset is None
    assert told == [
        f"{tmp_path}/s was damaged (an earlier run found it damaged): it is kept as set-aside.s.1 and restored from its"
        " changelog"
    ]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("IO error: No space left on device: While appending to file: /s/1.log", StoreFull, "make room"),
        ("IO error: While open a file for appending: /s/1.sst: Disk quota exceeded", StoreFull, "make room"),
        ("IO error: While lock file: /s/LOCK: Resource temporarily unavailable", StoreError, "in use by another"),
        ("IO error: While open a file for lock: /s/LOCK: Permission denied", StoreError, "give it to the user"),
        ("IO error: While open a file: /s/1.sst: Read-only file system", StoreError, "mounted read-only"),
        ("IO error: While open a file: /s/1.sst: Too many open files", StoreError, "ulimit -n"),
        ("Corruption: block checksum mismatch in /s/1.sst", StoreDamaged, "restored from its changelog"),
        ("IO error: While pread offset 0 len 5: /s/1.sst: Input/output error", StoreDamaged, "set aside"),
    ],
)
def test_an_error_says_whose_fault_it_is(text: str, kind: type[StoreError], words: str) -> None:
    """Only what is wrong with the files is damage; the rest is for the operator, and leaves the files alone."""
    found = cause(Path("/s"), Exception(text))
    assert type(found) is kind
    assert words in str(found)
    assert str(found).count("\n") == 0


def test_a_store_of_another_process_is_left_alone(tmp_path: Path) -> None:
    """A directory that is in use is refused and not set aside."""
    store = make(tmp_path / "s")
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.streaming.chassis.test_damage import make\n"
        "from decisioning.streaming.chassis.damage import opened\n"
        "opened(Path(sys.argv[1]), make, print)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "s")], capture_output=True, text=True, timeout=60, check=False
    )
    store.close()
    assert "is in use by another process: give each worker a data directory of its own" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file where the directory should be, as a wrong path gives it: also root cannot go on."""
    (tmp_path / "s").write_text("")
    with pytest.raises(StoreError, match=r"deeper cannot be used \(Not a directory\): name another data directory"):
        opened(tmp_path / "s" / "deeper", make, print)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB; skips where we may not mount one."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_is_no_damage(small: Path) -> None:
    """Writing on a full disk says so; with room again the store is what the changelog says, nothing set aside (T20)."""
    path, told = small / "changelog-0", list[str]()
    store = opened(path, make, told.append)
    ballast = small / "ballast"
    free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
    ballast.write_bytes(bytes(free - 65_536))
    with pytest.raises(StoreFull, match="is full: make room, then start again; nothing is lost"):
        store.restore(CHANGELOG)
    with pytest.raises(StoreError):
        store.close()
    ballast.unlink()
    assert healed(path, told) == STATES
    assert told == []


def test_a_read_only_disk_is_no_damage(small: Path) -> None:
    """A file system that turned read-only is named, and the store kept."""
    path, told = small / "changelog-0", list[str]()
    store = opened(path, make, told.append)
    store.restore(CHANGELOG[:100])
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    with pytest.raises(StoreError, match="mounted read-only"):
        opened(path, make, told.append)
    subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
    assert healed(path, told) == STATES
    assert told == []
