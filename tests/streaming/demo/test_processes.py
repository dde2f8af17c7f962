"""Child processes: none is left behind, whichever way the demo ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from decisioning.streaming.broker import start_broker
from decisioning.streaming.demo.processes import Child, PartFailed, Ready, readiness, run_once, wait_until_ready

UNREACHABLE = {**os.environ, "DECISIONING_KAFKA": "127.0.0.1:9"}


def gone(pid: int) -> bool:
    """Whether the process ends within ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_a_command_that_fails_says_why() -> None:
    """Its own error line stands in ours."""
    with pytest.raises(PartFailed, match=r"`decisioning topics create` failed: .*127\.0\.0\.1:9"):
        run_once(["topics", "create"], UNREACHABLE)


def test_a_worker_that_ends_before_it_is_ready_is_no_worker(tmp_path: Path) -> None:
    """Its exit code and last words are in the error; nothing waits for the whole time."""
    with Child(["run"], UNREACHABLE, tmp_path / "log") as child, pytest.raises(PartFailed, match="exit code 3"):
        wait_until_ready(child, lambda: Ready(False, "not yet"), 60)
    assert "127.0.0.1:9" in child.last_words()


def test_a_worker_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    """Why it is not ready is told, and the process is ended on the way out."""
    with start_broker(["none"]) as broker:
        environment = {**os.environ, "DECISIONING_KAFKA": broker.address}
        child = Child(["demo", "--help"], environment, tmp_path / "log")
        with child, pytest.raises(PartFailed, match="not ready after 0 s: still reading"):
            wait_until_ready(child, lambda: Ready(False, "still reading"), 0)
    assert child.ended is not None


def test_nobody_listens_is_not_ready() -> None:
    """A port without a listener is a worker that has not come up yet."""
    assert not readiness(9).ready


PARENT = """
import sys, time
from pathlib import Path
from decisioning.streaming.demo import processes
processes._LEASH = processes._LEASH.replace("*sys.argv[2:]]", '"-c", "import time; time.sleep(60)"]')
child = processes.Child(["run"], {}, Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_killed_parent_takes_its_children_with_it(tmp_path: Path) -> None:
    """SIGKILL leaves no time to tidy up: the kernel ends the child."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    deadline = time.monotonic() + 10
    command = Path(f"/proc/{child}/cmdline")
    while not command.read_bytes().endswith(b"\0import time; time.sleep(60)\0") and time.monotonic() < deadline:
        time.sleep(0.02)  # until the leash has become the command
    assert command.read_bytes().endswith(b"sleep(60)\0")
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    parent.stdout.close()
    assert gone(child)
