"""The producer: idempotent, acknowledged by all replicas, never forgetting a record in silence.

Replaced in Faust 0.15.3, `faust.transport.drivers.aiokafka.Producer`:

- `_settings_default`, `_settings_auth`, `_settings_extra` (T14: outside of transactions Faust's producer is not idempotent,
  so that retries duplicate and reorder; test_producer.py::test_the_producer_is_idempotent_and_waits_for_all_replicas).
- `flush` (T7: its buffer gives up after 100 ms without progress, and the commit goes on;
  test_producer.py::test_flush_waits_for_records_in_flight). Nothing of ours is in that buffer.
- `send` is not used. `post` hands records to aiokafka's accumulator and returns the acknowledgement, which the slices
  await (T6: Faust only logs a failed send, then commits; test_faults.py::test_a_refused_record_ends_the_worker).

Used in aiokafka 0.14.0 below its public `send`: the partitioner and the accumulator, for records of neither key nor value
(a dead letter of such a record), and because a slice sends hundreds of records in a row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver

from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.job import Output

__all__ = ["Producer"]


class Producer(driver.Producer):  # type: ignore[misc]  # Faust is untyped here
    """Faust's producer with the settings and the flush that at-least-once needs, and a short way for outputs."""

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
            "partitioner": self.partitioner,
            # Also how long a record may wait in the accumulator before it counts as failed.
            "request_timeout_ms": config.send_ms,
            "metadata_max_age_ms": 60_000,
        }

    def _settings_auth(self) -> Mapping[str, Any]:
        config: ChassisConfig = self.app.chassis
        return config.security

    def _settings_extra(self) -> Mapping[str, Any]:
        return {}

    async def post(self, output: Output) -> asyncio.Future[Any]:
        """Hand `output` to aiokafka, in the order of the calls; the future is Kafka's acknowledgement.

        Waits where that partition's batch is full. Raises what aiokafka raises; there is no way on but a restart.
        """
        topic, key, value, headers, partition, timestamp = output
        producer = self._producer
        if producer._metadata.partitions_for_topic(topic) is None:
            await producer.client._wait_on_metadata(topic)
        if partition is None:
            partition = producer._partition(topic, None, key, value, key, value)
        future: asyncio.Future[Any] = await producer._message_accumulator.add_message(
            TopicPartition(topic, partition),
            key,
            value,
            producer._request_timeout_ms / 1000,
            timestamp_ms=timestamp,
            headers=list(headers),
        )
        return future

    async def flush(self) -> None:
        """Return once everything that was handed over is acknowledged or has failed; those who sent it await which."""
        if self._producer is not None:
            await self._producer.flush()
