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

Used in aiokafka 0.14.0 below its public `send`: the accumulator and its batches, for records of neither key nor value
(a dead letter of such a record), and because a slice sends hundreds of records in a row: a coroutine, a future and its
result for each of them cost four times as much as the record, while Kafka acknowledges whole batches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Mapping
from functools import lru_cache
from random import randrange
from typing import Any

from aiokafka.partitioner import murmur2
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver

from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.job import Output

__all__ = ["Ack", "Producer", "hashed"]


@lru_cache(maxsize=65_536)
def hashed(key: bytes) -> int:
    """Java's murmur2 of `key` without its sign; its remainder by the number of partitions is the key's partition."""
    return int(murmur2(key)) & 0x7FFFFFFF


class Ack:
    """The acknowledgement of one record, told by that of its batch; to be used as the future of its metadata is."""

    __slots__ = ("_batch", "_place")

    def __init__(self, batch: asyncio.Future[Any], place: int) -> None:
        self._batch = batch
        self._place = place

    def done(self) -> bool:
        """Whether Kafka has acknowledged or refused it."""
        return self._batch.done()

    def result(self) -> Ack:
        """Itself, with an offset, once it is acknowledged. Raises what went wrong."""
        self._batch.result()
        return self

    def exception(self) -> BaseException | None:
        """What went wrong."""
        return self._batch.exception()

    @property
    def offset(self) -> int:
        """Its place in the partition."""
        return int(self._batch.result().offset) + self._place

    def __await__(self) -> Generator[Any, None, Ack]:
        # Shielded: who no longer waits for this record must not end the wait for the others of its batch.
        yield from asyncio.shield(self._batch).__await__()
        return self


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
        accumulator, seconds = producer._message_accumulator, producer._request_timeout_ms / 1000
        add, waiting = accumulator.add_message, accumulator._batches
        acks: list[Any] = []
        for topic, key, value, headers, partition, timestamp in outputs:
            places = targets.get(topic)
            if places is None:
                places = targets[topic] = await self._partitions(topic)
            if partition is None:
                partition = randrange(len(places)) if key is None else hashed(key) % len(places)  # noqa: S311
            place = places[partition]
            batches = waiting.get(place) if accumulator._exception is None else None  # else `add` raises it
            ack = _join(batches[-1], key, value, timestamp, headers) if batches else None
            acks.append(ack or await add(place, key, value, seconds, timestamp, list(headers)))
        return acks

    async def _partitions(self, topic: str) -> list[TopicPartition]:
        """All partitions of `topic`, which do not change while we run: states could not follow their keys."""
        numbers = await self._producer.client._wait_on_metadata(topic)
        return [TopicPartition(topic, number) for number in sorted(numbers)]

    async def flush(self) -> None:
        """Return once everything that was handed over is acknowledged or has failed; those who sent it await which."""
        if self._producer is not None:
            await self._producer.flush()


def _join(batch: Any, key: bytes | None, value: bytes | None, timestamp: int | None, headers: Any) -> Ack | None:
    """Put a record into a batch that waits to be sent; None where it has no room, or is on its way already."""
    builder = batch._builder
    if builder.closed():
        return None
    place = builder._relative_offset
    if builder._builder.append(place, timestamp, key=key, value=value, headers=list(headers)) is None:
        return None  # `add_message` comes to the same, closes the batch and waits
    builder._relative_offset = place + 1
    return Ack(batch.future, place)
