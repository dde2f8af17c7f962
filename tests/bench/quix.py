"""Quix Streams, in an environment of its own: it pins another confluent-kafka."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import orjson

from tests.bench.job import step

if __name__ != "__main__":  # its own environment has nothing of ours but the job
    from confluent_kafka.admin import NewTopic

    from tests.bench.engine import HOME, ROOT, Engine, Promise, Run, python, topic

    class Quix(Engine):
        """At its defaults, or with a linger of 0."""

        name = "quix"
        _pins = Path(__file__).with_name("quix.txt")

        def __init__(self, linger: int | None) -> None:
            self._linger = linger
            given = "its defaults: linger 5 ms" if linger is None else f"linger {linger}"
            self.promise = Promise("all, at each checkpoint", "5 s, a checkpoint", "1 a key and checkpoint", given)

        def topics(self, run: Run) -> list[NewTopic]:
            """It makes its changelog itself."""
            return [topic(run.decisions)]

        def changelog(self, run: Run) -> str:
            """As Quix names it."""
            return f"changelog__{run.name}--{run.source}--default"

        def prepare(self) -> None:
            """Make the environment."""
            if self._home.exists():
                return
            half = self._home.with_suffix(".part")
            shutil.rmtree(half, ignore_errors=True)
            venv.create(half, with_pip=True)
            command = [str(half / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                       "--requirement", str(self._pins)]  # fmt: skip
            subprocess.run(command, check=True)
            half.rename(self._home)

        @property
        def _home(self) -> Path:
            return HOME / f"quix-{hashlib.sha256(self._pins.read_bytes()).hexdigest()[:12]}"

        def command(self, run: Run, member: int) -> tuple[list[str], dict[str, str]]:
            """This module, with the other Python."""
            told = {"kafka": run.kafka, "group": run.name, "source": run.source, "decisions": run.decisions,
                    "data": run.data(member), "linger": "" if self._linger is None else self._linger}  # fmt: skip
            return python(__name__, told, self._home / "bin/python"), {"PYTHONPATH": str(ROOT)}


def main(told: dict[str, str]) -> None:
    """The application."""
    from quixstreams import Application, State

    app = Application(
        broker_address=told["kafka"], consumer_group=told["group"], state_dir=told["data"],
        auto_offset_reset="earliest", loglevel="WARNING",
        producer_extra_config={"linger.ms": int(told["linger"])} if told["linger"] else {},
        consumer_extra_config={"session.timeout.ms": 10_000},
    )  # fmt: skip
    raw: Any = {"key_deserializer": "bytes", "value_deserializer": "bytes"}
    out: Any = {"key_serializer": "bytes", "value_serializer": "bytes"}

    def decide(value: bytes, state: State) -> bytes:
        after, answer = step(state.get("state"), orjson.loads(value))
        state.set("state", after)
        return answer

    events = app.dataframe(app.topic(told["source"], **raw))
    events.apply(decide, stateful=True).to_topic(app.topic(told["decisions"], **out))
    app.run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
