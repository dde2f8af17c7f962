"""The demo's child processes: started in one place, ended in one place, and never left behind.

Ctrl-C reaches only the demo itself (each child has a session of its own), which then ends them in the right order.
Should the demo be killed outright, the kernel ends the worker (Linux, PR_SET_PDEATHSIG) and the broker sees its input
close.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from decisioning.errors import DecisioningError

# Runs before the command proper, in its place: asks the kernel for SIGKILL when the parent dies, then becomes the
# command. A parent that died before that is noticed by the changed parent id. Without prctl, nothing is asked.
_LEASH: Final = """
import ctypes, os, signal, sys
parent = int(sys.argv[1])
try:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
except AttributeError:
    pass
if os.getppid() != parent:
    sys.exit(1)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
_STOP_SECONDS: Final = 30.0
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is never behind a proxy


class PartFailed(DecisioningError):
    """A part of the demo did not start or ended on its own; the message holds its last words."""


class Ready(NamedTuple):
    """What `/readyz` said: whether the worker takes traffic, and why not."""

    ready: bool
    why: str


class Child:
    """One command of ours (`python -m decisioning …`) with its output in a file."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-c", _LEASH, str(os.getpid()), "-m", "decisioning", *arguments],
                env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def last_words(self, lines: int = 5) -> str:
        """The end of what it printed."""
        return "\n".join(self._log.read_text(errors="replace").strip().splitlines()[-lines:])

    def stop(self) -> int:
        """SIGTERM, and its exit code; it is killed where that takes longer than 30 s."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def run_once(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command of ours to its end and return what it printed; PartFailed with its error line."""
    done = subprocess.run(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "decisioning", *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PartFailed(f"`decisioning {' '.join(arguments)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def readiness(port: int) -> Ready:
    """What the worker's `/readyz` on loopback says; not ready where it does not answer yet."""
    try:
        with _DIRECT.open(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return Ready(True, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Ready(False, error.read().decode(errors="replace").strip())
    except OSError:
        return Ready(False, "it does not listen yet")


def wait_until_ready(child: Child, ask: Callable[[], Ready], seconds: float) -> None:
    """Returns when the child is ready; PartFailed when it ends before, or is not ready within so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()).ready:
        if child.ended is not None:
            raise PartFailed(
                f"the worker ended with exit code {child.ended} before it was ready:\n{child.last_words()}"
            )
        if time.monotonic() > deadline:
            raise PartFailed(f"the worker is not ready after {seconds:.0f} s: {answer.why}\n{child.last_words()}")
        time.sleep(0.05)
