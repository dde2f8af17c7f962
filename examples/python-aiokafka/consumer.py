"""A channel: says what is decided, once, in time and not after its recall, and answers what became of it.

    pip install aiokafka
    KAFKA=127.0.0.1:9092 python consumer.py sms

Put your provider in place of `say`, and for several machines a database that they share in place of SQLite.
`hold` and `release` are for those who speak without asking (ad audiences, the till): here nobody does.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

KEEP = timedelta(days=8)  # the topic keeps a record for seven


class Fates:
    """What became of each act, decided once: `gone`, `recalled` or `expired`. On the disk when `settle` returns."""

    def __init__(self, path):
        self._file = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._file.execute("create table if not exists fates (id text primary key, fate text, at text)")
        self._file.execute("delete from fates where at < ?", ((datetime.now(UTC) - KEEP).isoformat(),))

    def settle(self, id_, fate):
        """Whether this is its fate from now on; False: it had one."""
        row = (id_, fate, datetime.now(UTC).isoformat())
        return self._file.execute("insert or ignore into fates values (?, ?, ?)", row).rowcount > 0

    def of(self, id_):
        found = self._file.execute("select fate from fates where id = ?", (id_,)).fetchone()
        return found and found[0]


class Channel:
    def __init__(self, name, producer):
        self._name, self._fates, self._producer = name, Fates(f"{name}.db"), producer

    async def handle(self, decisions):
        ours = [one for one in decisions if one["data"].get("channel") == self._name]
        # First of all the recalls: a batch may hold an act and its recall, in either order.
        for one in ours:
            if one["data"]["outcome"] == "recall":
                self._fates.settle(one["data"]["recalls"], "recalled")
        for one in ours:
            data = one["data"]
            if data["outcome"] == "recall":
                in_time = self._fates.of(data["recalls"]) != "gone"
                await self._answer(one, "recalled", {"decision_id": data["recalls"], "in_time": in_time})
            elif data["outcome"] == "act":
                said = {"decision_id": one["id"], "channel": self._name}
                if datetime.now(UTC) >= datetime.fromisoformat(data["valid_until"]):
                    self._fates.settle(one["id"], "expired")
                # Written before it goes out: a crash loses this act, and never says it twice.
                if self._fates.settle(one["id"], "gone"):
                    await self._answer(one, "delivered" if await say(one) else "failed", said)
                elif self._fates.of(one["id"]) == "expired":
                    await self._answer(one, "expired", said)  # so its place under a frequency cap is free again

    async def _answer(self, one, kind, data):
        event = {
            "specversion": "1.0",
            "id": f"{data['decision_id']}-{kind}",
            "source": f"/channel/{self._name}",
            "type": f"response.{kind}",
            "time": datetime.now(UTC).isoformat(),
            "subject": one["subject"],
            "data": data,
        }
        await self._producer.send_and_wait("responses", json.dumps(event).encode(), key=one["subject"].encode())


def read(message):
    """A decision, as a structured CloudEvent or as a binary one."""
    attributes = {name[3:]: text.decode() for name, text in message.headers if name.startswith("ce_")}
    value = json.loads(message.value)  # what cannot be read ends the process: it may be a recall
    return {**attributes, "data": value} if attributes else value


async def say(act):
    """Your provider; False: it was refused and did not go out."""
    print(f"to {act['subject']} by {act['data']['channel']}: {act['data']['action']}", flush=True)
    return True


async def main(name):
    brokers = os.environ.get("KAFKA", "127.0.0.1:9092")
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    consumer = AIOKafkaConsumer(
        "decisions",
        bootstrap_servers=brokers,
        group_id=os.environ.get("GROUP", f"channel-{name}"),
        auto_offset_reset="earliest",
        enable_auto_commit=False,  # only what is handled is committed
    )
    async with AIOKafkaProducer(bootstrap_servers=brokers, acks="all", enable_idempotence=True) as producer, consumer:
        channel = Channel(name, producer)
        while not ended.is_set():
            fetched = await consumer.getmany(timeout_ms=500, max_records=500)
            messages = [message for partition in fetched.values() for message in partition]
            if messages:
                await channel.handle([read(message) for message in messages])
                await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
