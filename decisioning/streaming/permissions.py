"""What our user may do on the brokers, as they say themselves, beside what a worker needs (`acls`).

Kafka tells everybody their own permissions along with its metadata (KIP-430, Kafka 2.3), whether they come from ACLs or
from anything else that authorizes. aiokafka 0.14 does not ask for them, so both requests are written down here and sent
by its own admin client, which negotiates versions. A broker that does not say is not asked twice.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple, cast

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Bytes, Int16, Int32, Schema, String

from decisioning.streaming.acls import Acl, acls
from decisioning.streaming.settings import Settings

_BIT: Final = {"Read": 3, "Write": 4, "DescribeConfigs": 10}  # Kafka's own numbers of operations
_TRIES: Final = 20
_WAIT_SECONDS: Final = 0.25
_UNKNOWN: Final = -(1 << 31)
_UTF8: Final = String("utf-8")


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka is untyped here
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", _UTF8), ("port", Int32), ("rack", _UTF8))),
        ("cluster_id", _UTF8),
        ("controller_id", Int32),
        ("topics", Array(
            ("error_code", Int16), ("name", _UTF8), ("is_internal", Boolean),
            ("partitions", Array(
                ("error_code", Int16), ("partition", Int32), ("leader", Int32), ("leader_epoch", Int32),
                ("replicas", Array(Int32)), ("isr", Array(Int32)), ("offline", Array(Int32)))),
            ("authorized_operations", Int32))),
        ("authorized_operations", Int32),
    )  # fmt: skip


class _MetadataStruct(RequestStruct):  # type: ignore[misc]  # aiokafka is untyped here
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(_UTF8)),
        ("allow_auto_topic_creation", Boolean),
        ("cluster_operations", Boolean),
        ("topic_operations", Boolean),
    )


class _MetadataRequest(Request[_MetadataStruct]):  # type: ignore[misc]  # aiokafka is untyped here
    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        return request_struct_class(self._names, False, False, True)


class _GroupsResponse(Response):  # type: ignore[misc]  # aiokafka is untyped here
    API_KEY = 15
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("groups", Array(
            ("error_code", Int16), ("group", _UTF8), ("state", _UTF8), ("protocol_type", _UTF8), ("protocol", _UTF8),
            ("members", Array(
                ("member_id", _UTF8), ("client_id", _UTF8), ("client_host", _UTF8), ("member_metadata", Bytes),
                ("member_assignment", Bytes))),
            ("authorized_operations", Int32))),
    )  # fmt: skip


class _GroupsStruct(RequestStruct):  # type: ignore[misc]  # aiokafka is untyped here
    API_KEY = 15
    API_VERSION = 3
    RESPONSE_TYPE = _GroupsResponse
    SCHEMA = Schema(("groups", Array(_UTF8)), ("operations", Boolean))


class _GroupsRequest(Request[_GroupsStruct]):  # type: ignore[misc]  # aiokafka is untyped here
    API_KEY = 15

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_GroupsStruct]) -> _GroupsStruct:
        return request_struct_class(self._names, True)


class Missing(NamedTuple):
    """`rows`: what of `acls` the brokers do not grant us; `absent`: topics that are not there, of which they say
    nothing."""

    rows: list[Acl]
    absent: list[str]


async def missing(admin: AIOKafkaAdminClient, settings: Settings) -> Missing | None:
    """What the brokers do not grant us; None where they do not say what they grant.

    Raises aiokafka's errors where nobody answers.
    """
    wanted = acls(settings)
    client = cast(Any, admin)
    try:
        topics = await client._send_request(
            _MetadataRequest(sorted({row.name for row in wanted if row.resource == "Topic"}))
        )
        absent = sorted(row[1] for row in topics.topics if row[0] == UnknownTopicOrPartitionError.errno)
        granted = {("Topic", row[1]): 0 if row[0] else row[-1] for row in topics.topics if row[1] not in absent}
        for name in {row.name for row in wanted if row.resource == "Group"}:
            granted["Group", name] = await _of_group(client, name)
    except (IncompatibleBrokerVersion, NotImplementedError):  # aiokafka finds no version that both speak
        return None
    if all(operations == _UNKNOWN for operations in granted.values()):
        return None
    known = [row for row in wanted if row.resource != "Topic" or row.name not in absent]
    return Missing([row for row in known if not _has(granted.get((row.resource, row.name), 0), row)], absent)


def _has(operations: int, row: Acl) -> bool:
    return operations == _UNKNOWN or bool(operations >> _BIT[row.operation] & 1)


async def _of_group(client: Any, name: str) -> int:
    """The bits of a group; none where we may not even look at it. A young cluster has no coordinator yet: it is asked
    again."""
    for left in reversed(range(_TRIES)):
        try:
            coordinator = await client.find_coordinator(name)
            answer = await client._send_request_to_node(coordinator, _GroupsRequest([name]))
        except GroupAuthorizationFailedError:
            return 0
        except KafkaError as error:
            if not left or not error.retriable:
                raise
        else:
            code, operations = answer.groups[0][0], int(answer.groups[0][-1])
            if not code:
                return operations
            if not left or not for_code(code).retriable:
                return 0
        await asyncio.sleep(_WAIT_SECONDS)
    return 0
