"""One broker process: its files, its log, and the signals a test may send it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.kafka.guard import Guard
from tests.kafka.jars import NoKafka, libraries

CLUSTER: Final = "ZGVjaXNpb25pbmctdGVzdA"  # any 16 bytes in base64
_STARTED: Final = b"Kafka Server started"  # said once the cluster counts it among its brokers
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0
_QUICK: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xlog:disable")
_LOG: Final = ("-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS")


class PortTaken(NoKafka):
    """Another took a port between our choice and the broker's start; choose again."""


class Node:
    """One broker, which is a controller, too. Its data, configuration and log stay in its folder."""

    def __init__(self, folder: Path, number: int, properties: Mapping[str, str], guard: Guard) -> None:
        self.number = number
        self.log = folder / f"broker-{number}.log"
        self._data = folder / f"broker-{number}"
        self._file = folder / f"broker-{number}.properties"
        self._guard = guard
        self._began = 0
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={content}" for name, content in {**properties, "log.dirs": str(self._data)}.items()]
        self._file.write_text("\n".join(lines) + "\n")

    def format(self, users: Mapping[str, str]) -> None:
        """Make its data directory anew; `users` are the names and passwords that SCRAM-SHA-512 will know."""
        shutil.rmtree(self._data, ignore_errors=True)
        scram = [f"--add-scram=SCRAM-SHA-512=[name={name},password={word}]" for name, word in users.items()]
        command = [*_java(), "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(self._file), *scram]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_START_SECONDS)
        if done.returncode:
            raise NoKafka(f"Kafka's storage could not be made: {(done.stdout + done.stderr).strip()[-2000:]}")

    def begin(self, *options: str) -> None:
        """Start the process, on the data directory that is there; `wait` tells when it serves."""
        assert not self.runs, f"broker {self.number} runs already"
        self._began = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_java(*options), "-Xmx256m", *_LOG, "kafka.Kafka", str(self._file)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at a terminal is for the test, which ends it in order
            )  # fmt: skip
        self._guard.watch(self._process.pid)

    def wait(self) -> None:
        """Wait until it serves; NoKafka with the end of its log when it does not."""
        end = time.monotonic() + _START_SECONDS
        while _STARTED not in self._said():
            assert self._process is not None
            if not self.runs or time.monotonic() > end:
                tail = self._said()[-3000:].decode(errors="replace")
                kind = PortTaken if "Address already in use" in tail else NoKafka
                state = "does not serve" if self.runs else f"ended with {self._process.returncode}"
                raise kind(f"broker {self.number} {state}; the end of {self.log}:\n{tail}")
            threading.Event().wait(0.02)

    @property
    def runs(self) -> bool:
        """Whether its process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def resident(self) -> int:
        """Bytes of memory that its process holds."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/statm").read_text().split()
        return int(status[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def cpu(self) -> float:
        """Processor seconds that its process has used."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def signal(self, number: int) -> None:
        """Send it a signal: SIGSTOP, SIGCONT."""
        assert self._process is not None
        assert self.runs, f"broker {self.number} does not run"
        self._process.send_signal(number)

    def stop(self) -> None:
        """SIGTERM: it hands its partitions over and ends in order."""
        self.signal(signal.SIGTERM)
        self._gone()

    def kill(self) -> None:
        """SIGKILL: no goodbye. Fine for one that does not run."""
        if self._process is not None:
            self._process.kill()
            self._gone()

    def _gone(self) -> None:
        assert self._process is not None
        self._process.wait(_STOP_SECONDS)
        self._guard.forget(self._process.pid)

    def _said(self) -> bytes:
        return self.log.read_bytes()[self._began :]


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now, outside the range from which connections take theirs.

    A broker that is down keeps its port this way: from that range a client that calls it in vain could be given it.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(10_000, first)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.add(port)
    return sorted(found)


def classes() -> Path:
    """Where Java keeps how the brokers' classes lie in memory, which halves their start (class data sharing)."""
    return libraries() / "classes.jsa"


def _java(*options: str) -> list[str]:
    """The command that runs one of Kafka's classes."""
    kept = options or ((f"-XX:SharedArchiveFile={classes()}",) if classes().exists() else ())
    return ["java", *_QUICK, *kept, "-cp", f"{libraries()}/*"]
