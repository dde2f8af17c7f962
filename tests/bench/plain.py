"""The plain loop: what aiokafka and RocksDB can do when nobody asks what becomes of a record."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rocksdict import Options, Rdict

from tests.bench.engine import Engine, Promise, Run, python
from tests.bench.job import step


class Plain(Engine):
    """Reads, decides, hands over, reads on."""

    name = "plain"
    promise = Promise("none", "never", "1", "aiokafka, uvloop, linger 0")

    def command(self, run: Run, member: int) -> tuple[list[str], dict[str, str]]:
        """This module."""
        told = {"kafka": run.kafka, "group": run.name, "source": run.source, "decisions": run.decisions,
                "changelog": self.changelog(run), "data": run.data(member)}  # fmt: skip
        return python(__name__, told), {}


async def loop(told: dict[str, str]) -> None:
    """For ever."""
    consumer: Any = AIOKafkaConsumer(
        told["source"], bootstrap_servers=told["kafka"], group_id=told["group"], auto_offset_reset="earliest",
        enable_auto_commit=False, fetch_max_wait_ms=100,
    )  # fmt: skip
    producer: Any = AIOKafkaProducer(bootstrap_servers=told["kafka"], acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    store = Rdict(told["data"] + "/states", options)
    changelog, decisions = told["changelog"], told["decisions"]
    while True:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=500)).values():
            for record in records:
                body = store.get(record.key)
                state, answer = step(orjson.loads(body) if body else None, orjson.loads(record.value))
                store[record.key] = body = orjson.dumps(state)
                await producer.send(changelog, body, key=record.key, partition=record.partition)
                await producer.send(decisions, answer, key=record.key, partition=record.partition)


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    uvloop.run(loop(json.loads(sys.argv[1])))
