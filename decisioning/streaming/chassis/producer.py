"""The producer: idempotent, acknowledged by all replicas, never forgetting a record in silence.

Replaced in Faust 0.15.3, `faust.transport.drivers.aiokafka.Producer`:

- `_settings_default`, `_settings_auth`, `_settings_extra` (T14: outside of transactions Faust's producer is not
  idempotent, so that retries duplicate and reorder;
  test_producer.py::test_the_producer_is_idempotent_and_waits_for_all_replicas).
- `flush` (T7: its buffer gives up after 100 ms without progress, and the commit goes on;
  test_producer.py::test_flush_waits_for_records_in_flight). Nothing of ours is in that buffer.
- `send` is not used. `post` hands records to aiokafka's accumulator and returns the acknowledgement, which the
  slices await (T6: Faust only logs a failed send, then commits;
  test_faults.py::test_a_refused_record_ends_the_worker).

Used in aiokafka 0.14.0 below its public `send`: the accumulator, for records of neither key nor value (a dead letter
of such a record), and because a slice sends hundreds of records in a row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import lru_cache
from random import randrange
from typing import Any

from aiokafka.partitioner import murmur2
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver

from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.job import Output

__all__ = ["Producer", "hashed"]


@lru_cache(maxsize=65_536)
def hashed(key: bytes) -> int:
    """Java's murmur2 of `key` without its sign; its remainder by the number of partitions is the key's partition."""
    return int(murmur2(key)) & 0x7FFFFFFF


class Producer(driver.Producer):  # type: ignore[misc]  # Faust is untyped here
    """Faust's producer with the settings and the flush that at-least-once needs, and a short way for outputs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._targets: dict[str, list[TopicPartition]] = {}

    def _settings_default(self) -> Mapping[str, Any]:
        config: ChassisConfig = self.app.chassis
        return {
            "bootstrap_servers": config.bootstrap,
            "client_id": config.client,
            "acks": "all",
            "enable_idempotence": True,
            "linger_ms": 0,
            "max_batch_size": config.send_batch_bytes,
            "max_request_size": config.max_record_bytes,
            "compression_type": config.compression,
            # Also how long a record may wait in the accumulator before it counts as failed.
            "request_timeout_ms": config.send_ms,
            "metadata_max_age_ms": 60_000,
        }

    def _settings_auth(self) -> Mapping[str, Any]:
        config: ChassisConfig = self.app.chassis
        return config.security

    def _settings_extra(self) -> Mapping[str, Any]:
        return {}

    async def post(self, outputs: Iterable[Output]) -> list[asyncio.Future[Any]]:
        """Hand `outputs` to aiokafka, in their order and that of the calls; the futures are Kafka's acknowledgements.

        Waits where a partition's batch is full. Raises what aiokafka raises; there is no way on but a restart.
        """
        producer, targets = self._producer, self._targets
        add, seconds = producer._message_accumulator.add_message, producer._request_timeout_ms / 1000
        acks = []
        for topic, key, value, headers, partition, timestamp in outputs:
            places = targets.get(topic)
            if places is None:
                places = targets[topic] = await self._partitions(topic)
            if partition is None:
                partition = randrange(len(places)) if key is None else hashed(key) % len(places)  # noqa: S311
            acks.append(await add(places[partition], key, value, seconds, timestamp, list(headers)))
        return acks

    async def _partitions(self, topic: str) -> list[TopicPartition]:
        """All partitions of `topic`, which do not change while we run: states could not follow their keys."""
        numbers = await self._producer.client._wait_on_metadata(topic)
        return [TopicPartition(topic, number) for number in sorted(numbers)]

    async def flush(self) -> None:
        """Return once everything that was handed over is acknowledged or has failed; those who sent it await which."""
        if self._producer is not None:
            await self._producer.flush()
