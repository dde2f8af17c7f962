"""Kafka Streams, the reference from the other world: Streams.java, its jars by Maven, compiled here."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final, Literal

from confluent_kafka.admin import NewTopic

from tests.bench.engine import HOME, Engine, Promise, Run, topic

HERE: Final = Path(__file__).parent
_SOURCE: Final = HERE / "Streams.java"
_POM: Final = HERE / "pom.xml"

_LEAST: Final = "all, at each commit"
_EXACTLY: Final = "all, at each transaction"


class KafkaStreams(Engine):
    """One stream thread, no cache: every event writes its changelog record, as every other engine's does."""

    name = "streams"

    def __init__(self, guarantee: Literal["at_least_once", "exactly_once_v2"], linger: int | None) -> None:
        # A transaction's answers are read once it ends: a reader waits for its commit interval, not for the linger.
        self._more = {"processing.guarantee": guarantee, "producer.linger.ms": linger}
        given = "its defaults without cache: linger 100 ms" if linger is None else f"linger {linger}, without cache"
        exactly = guarantee == "exactly_once_v2"
        self.promise = Promise(
            _EXACTLY if exactly else _LEAST,
            "0.1 s, a transaction" if exactly else "30 s, of what is acknowledged",
            "1",
            f"{given}; {'exactly once' if exactly else 'at least once'}",
        )

    def topics(self, run: Run) -> list[NewTopic]:
        """With the changelog: it takes the one that it finds."""
        return [topic(run.decisions), topic(self.changelog(run), compact=True)]

    def changelog(self, run: Run) -> str:
        """As Kafka Streams names it."""
        return f"{run.name}-states-changelog"

    @property
    def _home(self) -> Path:
        return HOME / f"streams-{hashlib.sha256(_POM.read_bytes() + _SOURCE.read_bytes()).hexdigest()[:12]}"

    def prepare(self) -> None:
        """Fetch and compile."""
        if self._home.exists():
            return
        half = self._home.with_suffix(".part")
        shutil.rmtree(half, ignore_errors=True)
        fetch = ["mvn", "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies", f"-DoutputDirectory={half}"]
        subprocess.run(fetch, check=True)
        subprocess.run(["javac", "-cp", f"{half}/*", "-d", str(half), str(_SOURCE)], check=True)
        half.rename(self._home)

    def command(self, run: Run, member: int) -> tuple[list[str], dict[str, str]]:
        """The class."""
        more = {**self._more, "consumer.session.timeout.ms": 10_000, "consumer.heartbeat.interval.ms": 2_500}
        given = [f"{name}={value}" for name, value in more.items() if value is not None]
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return [
            "java", "-Xmx1g", quiet, "-cp", f"{self._home}:{self._home}/*", "Streams", run.kafka, run.name, run.source,
            run.decisions, str(run.data(member)), *given,
        ], {}  # fmt: skip
