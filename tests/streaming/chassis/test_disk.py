"""Stop before the disk is full, go on when there is room: in a worker, and on a disk that really is small."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from decisioning.streaming.chassis.disk import DiskGate, Space, space
from tests.streaming.chassis.harness import Cluster, until
from tests.streaming.chassis.toy_worker import OUT

MIB = 1024 * 1024


class Disk:
    """A disk of 100 MiB of which `free` are free, and what was said about it."""

    def __init__(self, *, share: float = 0.1, most: int = 1000 * MIB) -> None:
        self.free = 100
        self.said: list[str] = []
        self.gate = DiskGate(Path("/d"), share=share, most=most, told=self.said.append, measure=self._measure)

    def _measure(self, path: Path) -> Space:
        return Space(self.free * MIB, 100 * MIB)

    def closed(self, free: int) -> bool:
        """Whether the gate is closed after a look at `free` MiB."""
        self.free = free
        self.gate.look()
        return self.gate.closed


def test_it_closes_below_the_least_and_opens_a_little_above() -> None:
    """A tenth must be free; it opens again at eleven hundredths, and says each change once."""
    disk = Disk()
    assert [disk.closed(free) for free in (50, 10, 9, 9, 10, 11, 10)] == [False, False, True, True, True, False, False]
    assert disk.said == [
        "no more records are taken: /d has 9 MiB free, 10 MiB are wanted: make room",
        "/d has room again: records are taken",
    ]
    assert disk.gate.reason is None
    assert disk.gate.free == 10 * MIB


def test_enough_is_enough_on_a_large_disk() -> None:
    """A tenth of a large disk is more than anybody needs; without a least it never closes."""
    assert [Disk(most=3 * MIB).closed(free) for free in (5, 2)] == [False, True]
    assert not Disk(most=0).closed(0)
    assert not Disk(share=0).closed(0)


def test_it_measures_what_we_may_write(tmp_path: Path) -> None:
    """Free for us, not for the superuser; of the file system that the path is on."""
    found = space(tmp_path)
    assert 0 < found.free <= found.total


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB; skips where we may not mount one."""
    place = tmp_path / "w"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(place: Path, leave: int) -> Path:
    ballast = place / "ballast"
    ballast.write_bytes(bytes(max(0, space(place).free - leave)))
    return ballast


def test_a_worker_stops_and_goes_on_by_itself(small: Path, tmp_path: Path) -> None:
    """Below the least nothing more is taken and nobody dies; with room again all is answered, exactly (T20, F12)."""
    with Cluster(tmp_path) as cluster:
        worker = cluster.worker(stall_seconds=2.0, free_share=0.5).ready()
        for i in range(500):
            cluster.send("a", f"k{i % 50}", {"id": f"e{i}"})
        cluster.flush()
        cluster.answered(500)
        ballast = _fill(small, MIB)
        until(lambda: "no more records are taken" in worker.errors, what="the stop")
        answers = cluster.count(OUT)
        for i in range(500, 1000):
            cluster.send("a", f"k{i % 50}", {"id": f"e{i}"})
        cluster.flush()
        worker.pause(5.0)  # more than twice the stall
        assert worker.process.poll() is None, worker.errors
        assert cluster.count(OUT) == answers
        ballast.unlink()
        outputs = cluster.answered(1000)
        assert worker.term() == 0, worker.errors
        assert len(outputs) == 1000, "nothing was repeated"
        cluster.check(cluster.read("a"), outputs)


def test_without_the_gate_a_full_disk_is_a_clear_crash(small: Path, tmp_path: Path) -> None:
    """The write that fails ends the worker with one line before anything counts; with room it heals (T20)."""
    with Cluster(tmp_path) as cluster:
        worker = cluster.worker(free_bytes=0).ready()
        ballast = _fill(small, 4096)
        for i in range(1000):
            cluster.send("a", f"k{i}", {"id": f"e{i}", "t": "x" * 500})
        cluster.flush()
        assert worker.exit_code() == 73, worker.errors
        line = worker.errors.splitlines()[-1]
        assert line.startswith("crash 73: the disk of ")
        assert line.endswith("is full: make room, then start again; nothing is lost")
        ballast.unlink()
        worker = cluster.worker(free_bytes=0).ready()
        outputs = cluster.answered(1000)
        assert worker.term() == 0, worker.errors
        assert "damaged" not in worker.errors
        cluster.check(cluster.read("a"), outputs)
