"""Stock Faust 0.15.3, as its documentation writes such a job."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import faust
import orjson
from mode import Worker

from tests.bench.engine import PARTITIONS, Engine, Promise, Run, python
from tests.bench.job import step

TABLE = "states"


class Stock(Engine):
    """One agent, one table."""

    name = "faust"
    events = 30_000
    promise = Promise("none: a failed send is logged", "2.8 s, of what it has handled", "1", "its defaults, linger 0")

    def changelog(self, run: Run) -> str:
        """As Faust names it."""
        return f"{run.name}-{TABLE}-changelog"

    def command(self, run: Run, member: int) -> tuple[list[str], dict[str, str]]:
        """This module."""
        told = {"kafka": run.kafka, "group": run.name, "source": run.source, "decisions": run.decisions,
                "data": run.data(member)}  # fmt: skip
        return python(__name__, told), {}


def build(told: dict[str, str]) -> faust.App:
    """The app."""
    app = faust.App(
        told["group"],
        broker=f"kafka://{told['kafka']}",
        store="rocksdb://",
        datadir=told["data"],
        topic_partitions=PARTITIONS,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=500,
        table_standby_replicas=0,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.5,
        web_enabled=False,
    )
    raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    source, decisions = app.topic(told["source"], **raw), app.topic(told["decisions"], **raw)
    states = app.Table(TABLE, key_type=bytes, value_type=bytes, default=None, partitions=PARTITIONS,
                       options={"driver": "rocksdict"})  # fmt: skip

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def decide(stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            body = states.get(event.key)
            state, answer = step(orjson.loads(body) if body else None, orjson.loads(event.value))
            states[event.key] = orjson.dumps(state)
            await decisions.send(key=event.key, value=answer)
            yield

    return app


if __name__ == "__main__":
    app = build(json.loads(sys.argv[1]))
    Worker(app, loglevel="WARNING").execute_from_commandline()
