"""The topics as data: one table says what each is for, how it is keyed and kept, and why.

Customer topics are co-partitioned: partition n of all of them is one lane with one writer (design.md, section 4), and a
key's partition is Java's murmur2 of it on every topic. Topics are created in a separate step, never by the worker
(T31); before it starts, `preflight.py` checks what stands on the broker (T26).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.partitioner import murmur2 as library_murmur2

from decisioning.errors import DecisioningError
from decisioning.streaming.reach import why_not
from decisioning.streaming.settings import Settings, kafka_options

logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # our one line says it; no second one on stderr

_ANSWER_MS: Final = 10_000
_MINUTE: Final = 60_000
_DAY: Final = 24 * 60 * _MINUTE
_EVENT_ROOM: Final = 64 * 1024  # headers and framing beside the largest value
_LARGE: Final = 16 * 1024 * 1024 + _EVENT_ROOM  # state, outbox, and decisions that weigh a hundred candidates


class TopicsError(DecisioningError):
    """The broker or its topics are not as we need them: the operator's to mend, one line a fault (exit code 3)."""


class Role(StrEnum):
    """What a topic is to us."""

    SOURCE = "source"  # read by the group, co-partitioned
    BROADCAST = "broadcast"  # read whole by every worker
    OUTPUT = "output"  # written for others
    INTERNAL = "internal"  # written and read by us alone


class Topic(NamedTuple):
    """One row of the table. `retention_ms` None: kept by key (compacted), not by age."""

    name: str
    role: Role
    key: str
    co_partitioned: bool
    retention_ms: int | None
    config: Mapping[str, str]
    why: str


_BY_AGE: Final = {"segment.ms": str(_DAY)}  # a record lasts until its segment is closed, whatever the retention
_STATE: Final = {
    "min.compaction.lag.ms": str(10 * _MINUTE),  # a stale writer is noticed before compaction can prefer it
    "max.compaction.lag.ms": str(_DAY),  # an erased customer is gone from the log within a day
    "delete.retention.ms": str(7 * _DAY),  # a worker that was down for less still sees the tombstones
    "segment.ms": str(6 * 60 * _MINUTE),
    "min.cleanable.dirty.ratio": "0.1",  # a restore reads what the cleaner has left
}

_HELD: Final = {name: value for name, value in _STATE.items() if name != "min.compaction.lag.ms"}

# Source topics in the order in which a lane takes records of one timestamp: facts before requests, so that these see
# them. A topic's place is written into the headers of all stored state: append, never reorder or remove.
TOPICS: Final[tuple[Topic, ...]] = (
    Topic("purchases", Role.SOURCE, "customer", True, 7 * _DAY, {}, "what was bought and returned"),
    Topic("orders", Role.SOURCE, "customer", True, 7 * _DAY, {}, "where deliveries and payments stand"),
    Topic("support", Role.SOURCE, "customer", True, 7 * _DAY, {}, "what the customer is waiting for from us"),
    Topic("customers", Role.SOURCE, "customer", True, 7 * _DAY, {}, "who they are and what they consented to"),
    Topic("responses", Role.SOURCE, "customer", True, 7 * _DAY, {}, "what became of what we said"),
    Topic("contact-requests", Role.SOURCE, "customer", True, 7 * _DAY, {}, "who asks to speak to them"),
    Topic("relay", Role.INTERNAL, "customer", True, 7 * _DAY, {}, "what we tell ourselves: wakes, forwarded events"),
    Topic("state-changelog", Role.INTERNAL, "customer", True, None, _STATE, "the truth about state; RocksDB caches it"),
    Topic("decisions", Role.OUTPUT, "customer", True, 7 * _DAY, {}, "our answers, in order for each customer"),
    Topic("holds", Role.OUTPUT, "customer|scope", True, None, _HELD, "what nobody may say now, for whoever joins late"),
    Topic(
        "dead-letters", Role.OUTPUT, "as it came", True, 14 * _DAY, {}, "what could not be read, kept to be replayed"
    ),
    Topic("products", Role.BROADCAST, "sku", False, None, {}, "the catalogue; every worker holds all of it"),
    Topic("rulebooks", Role.BROADCAST, "rulebook", False, None, {}, "the rules; every worker follows them"),
)
_ROWS: Final = {topic.name: topic for topic in TOPICS}
LANE_TOPICS: Final = tuple(
    topic.name for topic in TOPICS if topic.co_partitioned and (topic.role is Role.SOURCE or topic.name == "relay")
)


class Planned(NamedTuple):
    """A row under given settings: the name, counts and configuration that the broker shall have."""

    name: str
    topic: Topic
    partitions: int
    replication: int
    config: dict[str, str]


class Found(NamedTuple):
    """What the broker has of one topic: its partitions, and the fewest copies of any of them."""

    partitions: int
    replication: int


def name_of(settings: Settings, name: str) -> str:
    """The full name of a topic of the table: those that we write carry the setting's prefix. KeyError for no row."""
    ours = _ROWS[name].role in (Role.OUTPUT, Role.INTERNAL)
    return settings.topic_prefix + name if ours else name


def lane_topics(settings: Settings) -> tuple[str, ...]:
    """The full names of the topics that make a lane, in their fixed order, the relay last."""
    return tuple(name_of(settings, name) for name in LANE_TOPICS)


def plan(settings: Settings) -> list[Planned]:
    """Every topic as it shall be."""
    planned = []
    for topic in TOPICS:
        limit = settings.max_event_bytes + _EVENT_ROOM
        if topic.role in (Role.OUTPUT, Role.INTERNAL) or topic.name == "rulebooks":
            limit = max(limit, _LARGE)
        config = {"cleanup.policy": "compact" if topic.retention_ms is None else "delete"}
        if topic.retention_ms is not None:
            config |= {"retention.ms": str(topic.retention_ms)} | _BY_AGE
        config |= topic.config
        config["max.message.bytes"] = str(limit)
        if settings.replication >= 3:
            config["min.insync.replicas"] = "2"  # an acknowledged write survives the loss of any one broker
        partitions = settings.partitions if topic.co_partitioned else 1
        planned.append(Planned(name_of(settings, topic.name), topic, partitions, settings.replication, config))
    return planned


def murmur2(key: bytes) -> int:
    """Java's murmur2 of a key (Kafka's `Utils.murmur2`), as an unsigned 32-bit number."""
    return int(library_murmur2(key)) & 0xFFFFFFFF


@lru_cache(maxsize=65536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key among `partitions`, as Java's default partitioner has it."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


async def create_topics(settings: Settings) -> list[str]:
    """Creates what is missing and returns its names; existing topics are checked and left alone.

    TopicsError when the broker is unreachable or refuses, or an existing topic does not fit. The embedded broker has no
    controller to ask: there topics come into being when touched, with its own number of partitions.
    """
    planned = plan(settings)
    async with connected(settings) as admin:
        found = await find_topics(admin)
        missing = [topic for topic in planned if topic.name not in found]
        _refuse_misfits(settings, planned, found)
        if not await has_controller(admin):
            await _touch(admin, missing)
        elif missing:
            await _create(admin, missing)
        found = await _settled(admin, planned)
        _refuse_misfits(settings, planned, found)
    return [topic.name for topic in missing]


async def list_topics(settings: Settings) -> list[tuple[Planned, Found | None]]:
    """Every topic of the table beside what the broker has of it (None: missing). TopicsError when unreachable."""
    async with connected(settings) as admin:
        found = await find_topics(admin)
    return [(topic, found.get(topic.name)) for topic in plan(settings)]


async def partition_counts(settings: Settings, names: Sequence[str]) -> dict[str, int]:
    """How many partitions each of these topics has; TopicsError, naming the command that mends, if one is missing."""
    async with connected(settings) as admin:
        found = await find_topics(admin)
    if lines := missing_line(settings, names, found):
        raise TopicsError(*lines)
    return {name: found[name].partitions for name in names}


def render(rows: Sequence[tuple[Planned, Found | None]]) -> str:
    """The table for a person: one line a topic, aligned, what differs on the broker marked."""
    lines = [("TOPIC", "ROLE", "KEY", "PARTITIONS", "COPIES", "KEPT", "WHY")]
    for planned, found in rows:
        partitions, copies = str(planned.partitions), str(planned.replication)
        if found is None:
            partitions += " (missing)"
        else:
            partitions += "" if found.partitions == planned.partitions else f" (is {found.partitions})"
            copies += "" if found.replication == planned.replication else f" (is {found.replication})"
        topic = planned.topic
        kept = "by key" if topic.retention_ms is None else f"{topic.retention_ms // _DAY}d"
        lines.append((planned.name, topic.role.value, topic.key, partitions, copies, kept, topic.why))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    aligned = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in aligned)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client; every Kafka error inside becomes one line, as TopicsError."""
    admin = AIOKafkaAdminClient(**kafka_options(settings), request_timeout_ms=_ANSWER_MS)
    try:
        async with asyncio.timeout(_ANSWER_MS / 1000):  # over all brokers of the settings: each alone may take as long
            await admin.start()
        yield admin
    except (KafkaConnectionError, OSError) as error:  # TimeoutError is an OSError
        why = await why_not(settings)
        raise TopicsError(f"Kafka at {settings.kafka} cannot be reached or refuses us: {why}") from error
    except KafkaError as error:
        raise TopicsError(
            f"Kafka at {settings.kafka} refuses us ({type(error).__name__}); "
            "let our user describe topics, and `decisioning topics create` create them"
        ) from error
    finally:
        await admin.close()


async def find_topics(admin: AIOKafkaAdminClient) -> dict[str, Found]:
    """All topics of the broker. All at once on purpose: asking for one by name may create it."""
    return {
        topic["topic"]: Found(
            len(topic["partitions"]), min((len(part["replicas"]) for part in topic["partitions"]), default=0)
        )
        for topic in await admin.describe_topics()
        if not topic["error_code"]
    }


async def has_controller(admin: AIOKafkaAdminClient) -> bool:
    """Whether there is somebody to ask for topics and their configuration; the embedded broker has nobody."""
    cluster = await admin.describe_cluster()
    return cluster["controller_id"] in {broker["node_id"] for broker in cluster["brokers"]}


async def _create(admin: AIOKafkaAdminClient, missing: Sequence[Planned]) -> None:
    wanted = [NewTopic(t.name, t.partitions, t.replication, topic_configs=t.config) for t in missing]
    response = await admin.create_topics(wanted, timeout_ms=30_000)
    for name, code, *reason in response.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:  # another may have created it just now
            said = reason[0] if reason and reason[0] else for_code(code).__name__
            raise TopicsError(f"topic {name} was not created: {said}")


async def _touch(admin: AIOKafkaAdminClient, missing: Sequence[Planned]) -> None:
    if missing:
        await admin.describe_topics([topic.name for topic in missing])


async def _settled(admin: AIOKafkaAdminClient, planned: Sequence[Planned]) -> dict[str, Found]:
    """What the broker has once it shows every planned topic; TopicsError when it does not within 10 seconds."""
    deadline = time.monotonic() + 10
    while True:
        found = await find_topics(admin)
        missing = [topic.name for topic in planned if topic.name not in found]
        if not missing:
            return found
        if time.monotonic() > deadline:
            raise TopicsError(f"created, but not to be seen after 10 s: {', '.join(missing)}; look at the broker's log")
        await asyncio.sleep(0.05)


def missing_line(settings: Settings, names: Sequence[str], found: Mapping[str, Found]) -> list[str]:
    """The line that names those topics which the broker does not show us; none where it shows all."""
    missing = [name for name in names if name not in found]
    # Kafka hides topics from a user that may do nothing with them.
    hidden = "" if settings.security_protocol == "PLAINTEXT" else ", or allow our user `decisioning topics acls`"
    return [f"missing topics: {', '.join(missing)}; run `decisioning topics create`{hidden}"] if missing else []


def misfits(settings: Settings, planned: Sequence[Planned], found: Mapping[str, Found]) -> list[str]:
    """One line where lanes would not line up (T26), and one where production has fewer copies than asked for."""
    lines = []
    lanes = [topic for topic in planned if topic.topic.co_partitioned and topic.name in found]
    wrong = [topic for topic in lanes if found[topic.name].partitions != settings.partitions]
    if wrong:
        counts = {found[topic.name].partitions for topic in lanes}
        if len(counts) == 1:
            count = counts.pop()
            listed, remedy = f"all customer topics have {count}", f"set DECISIONING_PARTITIONS={count}"
        else:
            listed = ", ".join(f"{topic.name} has {found[topic.name].partitions}" for topic in wrong)
            remedy = "delete those and run `decisioning topics create`"
        lines.append(f"partitions: {settings.partitions} expected, but {listed}; {remedy}")
    thin = [t for t in planned if t.name in found and found[t.name].replication < settings.replication]
    if thin and settings.profile == "prod":
        listed = ", ".join(f"{topic.name} has {found[topic.name].replication}" for topic in thin)
        lines.append(f"copies: {settings.replication} expected, but {listed}; reassign their partitions")
    return lines


def _refuse_misfits(settings: Settings, planned: Sequence[Planned], found: Mapping[str, Found]) -> None:
    lines = misfits(settings, planned, found)
    if lines:
        raise TopicsError("\n".join(lines))
