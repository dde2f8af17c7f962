"""Whatever a test process starts ends with it, even when nobody lets it say goodbye."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.kafka.guard import Guard
from tests.streaming.live import until

ROOT = Path(__file__).parent.parent.parent

_STARTS_TWO = """
import subprocess, sys, threading
from tests.kafka.guard import Guard
guard = Guard()
for _ in range(2):
    sleeper = subprocess.Popen(["sleep", "600"])
    guard.watch(sleeper.pid)
    print(sleeper.pid, flush=True)
guard.forget(sleeper.pid)
sleeper.kill()
sleeper.wait()
print("ready", flush=True)
threading.Event().wait()
"""


def runs(pid: int) -> bool:
    """Whether this process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_sigkill_of_the_test_ends_what_it_started() -> None:
    """The guard outlives it by a moment and sees to the rest."""
    with subprocess.Popen([sys.executable, "-c", _STARTS_TWO], cwd=ROOT, stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        first = int(test.stdout.readline())
        assert list(iter(test.stdout.readline, "ready\n"))
        assert runs(first)
        test.kill()
    until(lambda: not runs(first), what="its end")


def test_closing_ends_what_is_left() -> None:
    """Also when the test itself goes on."""
    guard = Guard()
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        guard.watch(sleeper.pid)
        guard.close()
        assert sleeper.wait(10) == -9
