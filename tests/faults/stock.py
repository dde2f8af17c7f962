"""The same kind of job in stock Faust 0.15.3, as its documentation writes one: per customer a number in a table, for
each event a decision that bears it. Faust's own recovery, consumer, producer and RocksDB store; nothing of ours.

    python -m faust -A tests.faults.stock worker --without-web

What it is told beside its defaults: where Kafka is; that topics exist already, which the embedded broker needs; and a
session as short as our workers', so that a restart after a kill is not waited for a minute.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any, Final

import faust

APP: Final = "stock"
TABLE: Final = "told"
DECISIONS: Final = "stock-decisions"
CHANGELOG: Final = f"{APP}-{TABLE}-changelog"
SOURCES: Final = ("purchases", "orders", "support", "customers", "responses", "contact-requests")


def build(kafka: str, data: str, partitions: int, session: float) -> faust.App:
    """The app: one agent, one table, one topic out."""
    app = faust.App(
        APP,
        broker=f"kafka://{kafka.replace(',', ';')}",
        store="rocksdb://",
        datadir=data,
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 4,
    )
    events = app.topic(*SOURCES, key_type=bytes, key_serializer="raw")
    decisions = app.topic(DECISIONS, key_type=str)
    told = app.Table(TABLE, default=int, key_type=str, partitions=partitions)

    @app.agent(events)  # type: ignore[untyped-decorator]
    async def decide(stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            customer, message = event.value["subject"], event.message
            told[customer] += 1
            place = f"{message.topic}[{message.partition}]@{message.offset}"
            await decisions.send(key=customer, value={"id": place, "customer": customer, "number": told[customer]})
            yield

    return app


if "STOCK_KAFKA" in os.environ:  # as Faust's command line wants it: a module that has an app
    app = build(
        os.environ["STOCK_KAFKA"], os.environ["STOCK_DATA"], int(os.environ["STOCK_PARTITIONS"]),
        float(os.environ["STOCK_SESSION"]),
    )  # fmt: skip
