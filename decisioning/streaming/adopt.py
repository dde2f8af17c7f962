"""`decisioning topics adopt`: the customers move to re-created topics or to another cluster.

What must be true first, and is checked: the topics are there as the table has them, and no worker of the group runs.
What a person has to see to: producers are stopped and the relay was drained before the move, or what lay in it is lost;
the changelog was copied with keys, headers and partitions, or the stopped workers' data directories are named.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from decisioning.errors import DecisioningError
from decisioning.streaming.chassis.adoption import Adopted, adopt
from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.header import FormatError
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.store import StoreError
from decisioning.streaming.preflight import preflight
from decisioning.streaming.settings import Settings, kafka_options

From = Literal["start", "end"]
_GONE: Final = ("Empty", "Dead")
_GRACE_SECONDS: Final = 2.0


class AdoptError(DecisioningError):
    """The customers cannot be moved as things are: the operator's to mend, in one line (exit code 3)."""


async def adopt_topics(
    settings: Settings, config: ChassisConfig, *, begin: From, left_behind: Sequence[Path]
) -> list[Adopted]:  # fmt: skip
    """Carry every partition over and have the group begin at the `begin` of the source topics; what became of each.

    Raises `AdoptError`, and `topics.TopicsError` where the topics are not as the table has them.
    """
    await preflight(settings)
    try:
        async with AsyncExitStack() as open_:
            await _refuse_running(settings)
            options = kafka_options(settings)
            producer: Any = await open_.enter_async_context(
                AIOKafkaProducer(
                    **options, acks="all", enable_idempotence=True, max_request_size=config.max_record_bytes
                )
            )

            async def send(output: Output) -> int:
                done = await producer.send_and_wait(
                    output.topic, output.value, output.key, output.partition, headers=list(output.headers)
                )
                return int(done.offset)

            adopted = [await adopt(config, number, send, left_behind) for number in range(config.partitions)]
            await _begin(settings, config, begin)
            return adopted
    except (StoreError, FormatError) as error:
        raise AdoptError(str(error)) from error
    except (KafkaError, OSError) as error:
        raise AdoptError(f"Kafka refused a part of the move ({type(error).__name__}: {error}); run it again") from error


def render(adopted: Sequence[Adopted]) -> str:
    """What became of the partitions, for a person."""
    lines = [
        f"lane {one.partition}: {one.states} states {'written from a local store' if one.copied else 'kept'}"
        for one in adopted
    ]
    total = sum(one.states for one in adopted)
    return "\n".join([*lines, f"{total} states adopted; start the workers with empty data directories"])


async def _refuse_running(settings: Settings) -> None:
    """`AdoptError` while the group has members; those that were killed stay in it until their session is over."""
    admin = AIOKafkaAdminClient(**kafka_options(settings), request_timeout_ms=10_000)
    await admin.start()
    try:
        until = time.monotonic() + settings.session_timeout_ms / 1000 + _GRACE_SECONDS
        while state := await _state(admin, settings.group_id):
            if time.monotonic() > until:
                raise AdoptError(f"group {settings.group_id} is {state}: stop its workers first")
            await asyncio.sleep(0.2)
    finally:
        await admin.close()


async def _state(admin: AIOKafkaAdminClient, group: str) -> str:
    """What the group does; "" when it has no members."""
    [response] = await admin.describe_consumer_groups([group])
    return next((str(state) for _, _, state, *_rest in response.groups if state not in _GONE), "")


async def _begin(settings: Settings, config: ChassisConfig, begin: From) -> None:
    """Commit for the group where the source topics begin or end: what old offsets said means nothing here."""
    consumer: Any = AIOKafkaConsumer(
        **kafka_options(settings), group_id=settings.group_id, enable_auto_commit=False, auto_offset_reset="none"
    )
    async with consumer:
        tps = [TopicPartition(topic, number) for topic in config.topics for number in range(config.partitions)]
        consumer.assign(tps)
        offsets = await (consumer.beginning_offsets(tps) if begin == "start" else consumer.end_offsets(tps))
        await asyncio.wait_for(consumer.commit(offsets), 30)
