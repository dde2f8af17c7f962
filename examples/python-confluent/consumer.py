"""A channel: says what is decided, once, in time and not after its recall, and answers what became of it.

    pip install confluent-kafka
    KAFKA=127.0.0.1:9092 python consumer.py sms

Put your provider in place of `say`, and for several machines a database that they share in place of SQLite.
`hold` and `release` are for those who speak without asking (ad audiences, the till): here nobody does.
"""

import json
import os
import signal
import sqlite3
import sys
from datetime import UTC, datetime, timedelta

from confluent_kafka import Consumer, KafkaException, Producer

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
    def __init__(self, name, brokers):
        self._name, self._fates, self._failed = name, Fates(f"{name}.db"), []
        group = {"group.id": os.environ.get("GROUP", f"channel-{name}"), "auto.offset.reset": "earliest"}
        # Only what is handled is committed.
        self.consumer = Consumer({"bootstrap.servers": brokers, "enable.auto.commit": False, **group})
        self.consumer.subscribe(["decisions"])
        java = {"partitioner": "murmur2_random"}  # the partition that all agree on; librdkafka's own is another
        self._producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, **java})

    def handle(self, decisions):
        ours = [one for one in decisions if one["data"].get("channel") == self._name]
        # First of all the recalls: a batch may hold an act and its recall, in either order.
        for one in ours:
            if one["data"]["outcome"] == "recall":
                self._fates.settle(one["data"]["recalls"], "recalled")
        for one in ours:
            data = one["data"]
            if data["outcome"] == "recall":
                in_time = self._fates.of(data["recalls"]) != "gone"
                self._answer(one, "recalled", {"decision_id": data["recalls"], "in_time": in_time})
            elif data["outcome"] == "act":
                said = {"decision_id": one["id"], "channel": self._name}
                if datetime.now(UTC) >= datetime.fromisoformat(data["valid_until"]):
                    self._fates.settle(one["id"], "expired")
                # Written before it goes out: a crash loses this act, and never says it twice.
                if self._fates.settle(one["id"], "gone"):
                    self._answer(one, "delivered" if say(one) else "failed", said)
                elif self._fates.of(one["id"]) == "expired":
                    self._answer(one, "expired", said)  # so its place under a frequency cap is free again
        if self._producer.flush(30) or self._failed:
            raise RuntimeError(f"answers were not taken, they come again at the next start: {self._failed}")

    def _answer(self, one, kind, data):
        event = {
            "specversion": "1.0",
            "id": f"{data['decision_id']}-{kind}",
            "source": f"/channel/{self._name}",
            "type": f"response.{kind}",
            "time": datetime.now(UTC).isoformat(),
            "subject": one["subject"],
            "data": data,
        }
        value = json.dumps(event).encode()
        self._producer.produce("responses", value, one["subject"], on_delivery=self._delivered)

    def _delivered(self, error, message):
        self._failed += [error] if error else []


def read(message):
    """A decision, as a structured CloudEvent or as a binary one."""
    attributes = {name[3:]: text.decode() for name, text in message.headers() or () if name.startswith("ce_")}
    value = json.loads(message.value())  # what cannot be read ends the process: it may be a recall
    return {**attributes, "data": value} if attributes else value


def say(act):
    """Your provider; False: it was refused and did not go out."""
    print(f"to {act['subject']} by {act['data']['channel']}: {act['data']['action']}", flush=True)
    return True


def main(name):
    channel = Channel(name, os.environ.get("KAFKA", "127.0.0.1:9092"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while True:
            fetched = channel.consumer.consume(500, timeout=0.5)
            for message in fetched:
                if message.error():
                    raise KafkaException(message.error())
            if fetched:
                channel.handle([read(message) for message in fetched])
                channel.consumer.commit(asynchronous=False)
    finally:
        channel.consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
