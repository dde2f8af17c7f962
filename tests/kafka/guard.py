"""Ends the brokers of a test process that has ended itself, however it did: SIGKILL included.

    python -m tests.kafka.guard

reads `+PID` and `-PID` lines and, when its standard input closes, kills what is left. It holds no other tie to them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parent.parent.parent


class Guard:
    """The guarding process, seen from the test's side; `close` ends everything that is still watched."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kafka.guard"], cwd=_ROOT, stdin=subprocess.PIPE, text=True, bufsize=1,
            start_new_session=True,  # Ctrl-C at a terminal is for the test; this one sees to the end after it
        )  # fmt: skip

    def watch(self, pid: int) -> None:
        """Kill this process when the test's own ends."""
        self._tell(f"+{pid}")

    def forget(self, pid: int) -> None:
        """This process has ended and been waited for: its number may be another's soon."""
        self._tell(f"-{pid}")

    def close(self) -> None:
        """Have what is left killed, now."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")


def main() -> None:
    """Watch until standard input closes, then kill."""
    watched: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        watched = watched | {pid} if line[0] == "+" else watched - {pid}
    for pid in watched:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
