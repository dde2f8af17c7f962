"""What an engine is to the bench: a program that is started, answers, and is ended, in one way for all of them.

An engine is one file: what it promises, the topics it needs and the command that runs it, and below, where it is
Python, the program itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from confluent_kafka.admin import NewTopic

from tests.kafka.guard import Guard

ROOT: Final = Path(__file__).parent.parent.parent
HOME: Final = ROOT / ".kafka"
"""What is fetched once and kept beside the broker's jars; git ignores it."""
PARTITIONS: Final = 4
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_STOP_SECONDS: Final = 30.0


class Promise(NamedTuple):
    """What an engine does beside the job, in words for the table: unlike work is named."""

    acks: str
    """Which acknowledgements it awaits before it goes on."""
    commits: str
    """How often it commits, and what that means."""
    changelog: str
    """Changelog records for each event."""
    settings: str
    """How it is set where that is not its default."""


class Run(NamedTuple):
    """One run of an engine. Its names are its own, so that no run meets what another left."""

    kafka: str
    folder: Path
    name: str
    """The consumer group, and the beginning of the names of its topics."""
    source: str
    """The topic of the events."""

    @property
    def decisions(self) -> str:
        """The topic of the answers."""
        return f"{self.name}-decisions"

    def data(self, member: int = 1) -> Path:
        """Where a member of the group keeps its store."""
        return self.folder / f"{self.name}-{member}"


class Process:
    """A running engine."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, guard: Guard) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, env=dict(environment), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._guard = guard
        guard.watch(self._process.pid)

    @property
    def output(self) -> str:
        """All that it, and others before it in the same run, printed."""
        return self.log.read_text(errors="replace")

    def check(self) -> None:
        """RuntimeError, with the end of its log, where it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"ended with {self._process.returncode}; the end of {self.log}:\n{self.output[-2000:]}")

    @property
    def cpu(self) -> float:
        """Processor seconds that it has used."""
        return cpu_of(self._process.pid)

    @property
    def resident(self) -> int:
        """Bytes of memory that it holds."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE

    def pause(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self._process.kill()
        self._gone()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not heed it."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self.kill()

    def _gone(self) -> None:
        self._process.wait()
        self._guard.forget(self._process.pid)


class Engine:
    """One way to do the job; subclasses say how. `events` bounds the part of a backlog that a slow one is given."""

    name: ClassVar[str]
    promise: Promise
    events: int | None = None
    mark: bytes = b'"id":'
    """What stands before the id in an answer."""

    def topics(self, run: Run) -> list[NewTopic]:
        """The topics that must be there before it starts, beside the source."""
        return [topic(run.decisions), topic(self.changelog(run), compact=True)]

    def changelog(self, run: Run) -> str:
        """The name of its changelog."""
        return f"{run.name}-changelog"

    def record(self, key: bytes, state: bytes) -> tuple[bytes, bytes]:
        """Key and value of the changelog record of a state."""
        return key, state

    def prepare(self) -> None:
        """Fetch what it needs and is not there; nothing for what stands in our own environment."""

    def command(self, run: Run, member: int) -> tuple[list[str], dict[str, str]]:
        """What to start, and with which variables beside those of this process."""
        raise NotImplementedError

    def start(self, run: Run, guard: Guard, member: int = 1) -> Process:
        """Start a member of the run's group; it is ready when its first answer is to be read."""
        run.data(member).mkdir(parents=True, exist_ok=True)
        command, more = self.command(run, member)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("DECISIONING_")}
        return Process(command, clean | more, run.folder / f"{run.name}-{member}.log", guard)

    def handled(self, process: Process, answers: int) -> int:
        """How many events are done with, where so many answers are to be read: as many."""
        return answers


def topic(name: str, *, compact: bool = False) -> NewTopic:
    """A topic as all engines have it."""
    return NewTopic(name, PARTITIONS, 1, config={"cleanup.policy": "compact" if compact else "delete"})


def python(module: str, told: Mapping[str, Any], executable: Path | str = sys.executable) -> list[str]:
    """The command of an engine that is a Python module; what it is told is its one argument."""
    return [str(executable), "-m", module, json.dumps({name: str(value) for name, value in told.items()})]


def cpu_of(pid: int) -> float:
    """Processor seconds that a process has used in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
