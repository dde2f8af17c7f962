"""Which topic it is that bears a name: Kafka gives every topic an id when it is created, and another one next time.

aiokafka 0.14 asks for metadata up to version 5; ids came with version 10 (Kafka 2.8). So the request is written down
here, and sent by aiokafka's own client, which negotiates versions with the broker. A broker without ids gives none,
and then nothing follows from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from decisioning.streaming.chassis.config import ChassisConfig

__all__ = ["topic_ids"]

_NONE = bytes(16)
_TRIES = 10
_WAIT_SECONDS = 0.2


class _Uuid:
    """Sixteen bytes as they are."""

    @staticmethod
    def encode(value: bytes) -> bytes:
        return value

    @staticmethod
    def decode(data: Any) -> bytes:
        return bytes(data.read(16))


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka is untyped here
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", CompactString("utf-8")), ("port", Int32),
                                 ("rack", CompactString("utf-8")), ("tags", TaggedFields))),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        ("topics", CompactArray(
            ("error_code", Int16), ("name", CompactString("utf-8")), ("topic_id", _Uuid), ("is_internal", Boolean),
            ("partitions", CompactArray(
                ("error_code", Int16), ("partition", Int32), ("leader", Int32), ("leader_epoch", Int32),
                ("replicas", CompactArray(Int32)), ("isr", CompactArray(Int32)), ("offline", CompactArray(Int32)),
                ("tags", TaggedFields))),
            ("authorized_operations", Int32), ("tags", TaggedFields))),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )  # fmt: skip


class _MetadataStruct(RequestStruct):  # type: ignore[misc]  # aiokafka is untyped here
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("cluster_operations", Boolean),
        ("topic_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataStruct]):  # type: ignore[misc]  # aiokafka is untyped here
    API_KEY = 3

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        topics: list[tuple[bytes, str, dict[int, bytes]]] = [(_NONE, name, {}) for name in self._names]
        return request_struct_class(topics, False, False, False, {})


async def topic_ids(config: ChassisConfig, names: Sequence[str]) -> dict[str, str]:
    """The id of each of these topics, 32 hex digits; none of those that are missing or have none.

    Raises aiokafka's errors.
    """
    client: Any = AIOKafkaClient(
        client_id=config.client, bootstrap_servers=config.bootstrap, request_timeout_ms=config.request_ms,
        **config.security,
    )  # fmt: skip
    try:
        await client.bootstrap()
        answer = await _ask(client, names)
        if answer is None:
            return {}
        rows = [(row[0], row[1], row[2]) for row in answer.topics]
        return {name: uuid.hex() for code, name, uuid in rows if not code and uuid != _NONE}
    finally:
        await client.close()


async def _ask(client: Any, names: Sequence[str]) -> Any:
    """Any broker's answer; None where it is too old to know."""
    for _ in range(_TRIES):
        try:
            return await client.send(client.get_random_node(), _MetadataRequest(names))
        except NotImplementedError:  # aiokafka finds no version that both speak
            return None
        except KafkaError as error:  # that one is down; another may know
            failed = error
            await asyncio.sleep(_WAIT_SECONDS)
    raise failed
