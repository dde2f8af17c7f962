"""Reads a known stretch of a changelog partition, beside the consumer group: what lies between our own records.

Trap T33 in mind: nothing here is skipped in silence. A stretch is read to its end or the process ends (the caller's
watchdog knows how long that may take).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiokafka
from aiokafka.structs import TopicPartition

from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.job import Record

__all__ = ["read_stretch", "stretch"]


async def stretch(
    config: ChassisConfig, partition: int, first: int, last: int
) -> AsyncIterator[Sequence[Record]]:  # fmt: skip
    """The changelog's records of `partition` from offset `first` to `last`, both included, some at a time.

    Compacted ones are missing; `last` must be a record that stands in the log. Raises aiokafka's errors.
    """
    tp = TopicPartition(config.changelog, partition)
    consumer: Any = aiokafka.AIOKafkaConsumer(
        client_id=config.client,
        bootstrap_servers=config.bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="none",  # an offset that is gone is an error, not another place
        fetch_max_wait_ms=config.fetch_wait_ms,
        max_partition_fetch_bytes=config.fetch_bytes,
        request_timeout_ms=config.request_ms,
        check_crcs=True,
        **config.security,
    )
    async with consumer:
        consumer.assign([tp])
        consumer.seek(tp, first)
        reached = first - 1
        while reached < last:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                reached = records[-1].offset
                yield [record for record in records if record.offset <= last]


async def read_stretch(config: ChassisConfig, partition: int, first: int, last: int) -> Sequence[Record]:
    """The same, all at once: for the few records that others have written among ours."""
    return [record async for records in stretch(config, partition, first, last) for record in records]
