"""`decisioning config check`: all that a worker of these settings will meet, looked at before one is started.

The rulebook, the data directory, the brokers, the topics, our permissions, the clocks. Nothing is written and nothing
is created. Kafka tells nobody what time it is, so clocks are compared through the newest records: one that is stamped
ahead of our clock shows that its producer's clock or ours is wrong, and by how much at least.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from decisioning.catalogue import Catalogue
from decisioning.errors import RulebookError
from decisioning.streaming import permissions
from decisioning.streaming.chassis.disk import DiskGate
from decisioning.streaming.preflight import preflight
from decisioning.streaming.rulebooks import RulebookFile, build
from decisioning.streaming.settings import Settings, kafka_options
from decisioning.streaming.shipped import rulebook_of
from decisioning.streaming.topics import TOPICS, Role, TopicsError, connected, name_of, partition_counts, plan

FUTURE_SECONDS: Final = 300
"""Events that are further ahead of our clock are refused."""
NOTICED_SECONDS: Final = 1
_SECONDS_TO_READ: Final = 10.0


class Verdict(StrEnum):
    """What was found."""

    FINE = "fine"
    LOOK = "look"  # a worker would start, but somebody should know
    FAULT = "fault"  # a worker would refuse, or would not do its work


class Finding(NamedTuple):
    """One thing that was looked at; of a fault the text says what to do."""

    part: str
    verdict: Verdict
    text: str


async def checkup(settings: Settings, clock: Callable[[], float] = time.time) -> list[Finding]:
    """Everything that was found, in order; `clock` gives seconds since the Unix epoch."""
    found = [*_rulebook(rulebook_of(settings)), *_data(settings)]
    try:
        async with connected(settings):
            pass
    except TopicsError as error:
        return [*found, *_faults("kafka", error)]
    found.append(Finding("kafka", Verdict.FINE, f"{settings.kafka} answers"))
    try:
        unchecked = await preflight(settings)
    except TopicsError as error:
        found += _faults("topics", error)
    else:
        fit = f"all {len(plan(settings))} are there, with {settings.partitions} partitions where customers are the key"
        found.append(Finding("topics", Verdict.FINE, fit))
        if unchecked:
            text = f"the configuration of {', '.join(unchecked)} is not shown to us; allow DescribeConfigs"
            found.append(Finding("topics", Verdict.LOOK, text))
    found += await _permissions(settings)
    return found + await _clocks(settings, clock)


def render(found: Sequence[Finding]) -> str:
    """For a person: one line each, what is wrong marked."""
    width = max(len(one.part) for one in found)
    return "\n".join(f"{one.verdict:5}  {one.part.ljust(width)}  {one.text}" for one in found)


def as_json(found: Sequence[Finding]) -> str:
    """For a program: a JSON array."""
    return json.dumps([one._asdict() for one in found], indent=1)


def _rulebook(path: Path) -> Iterator[Finding]:
    try:
        policy = build(RulebookFile(path).read(), str(path), Catalogue())
    except RulebookError as error:
        yield from _faults("rulebook", error)
    except OSError as error:
        text = f"{path} cannot be read ({error.strerror}); set DECISIONING_RULEBOOK, and let our user read it"
        yield Finding("rulebook", Verdict.FAULT, text)
    else:
        name, version, digest = policy.stamp.values()
        yield Finding("rulebook", Verdict.FINE, f"{path} is {name} {version} ({digest[:19]})")


def _data(settings: Settings) -> Iterator[Finding]:
    path = settings.data_dir
    nearest = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        text = f"{path} cannot be written; let our user write {nearest}, or set DECISIONING_DATA_DIR"
        yield Finding("data", Verdict.FAULT, text)
        return
    disk = DiskGate(
        nearest, share=settings.disk_free_percent / 100, most=settings.disk_free_bytes, told=lambda line: None
    )
    disk.look()
    if disk.reason is not None:
        yield Finding("data", Verdict.FAULT, f"a worker would take no event: {disk.reason}")
    else:
        yield Finding("data", Verdict.FINE, f"{path} can be written, {disk.free // 2**20:,} MiB are free")


async def _permissions(settings: Settings) -> list[Finding]:
    try:
        async with connected(settings) as admin:
            missing = await permissions.missing(admin, settings)
    except TopicsError as error:
        return _faults("acls", error)
    if missing is None:
        return [
            Finding("acls", Verdict.LOOK, "the brokers do not say what we may do; `decisioning topics acls` lists it")
        ]
    found = [
        Finding(
            "acls", Verdict.FAULT, f"allow our user {row.operation} on {row.resource.lower()} {row.name}: {row.why}"
        )
        for row in missing.rows
        if row.operation != "DescribeConfigs"
    ]
    if missing.absent:
        text = "what we may do on the missing topics is looked at once they are there"
        return [*found, Finding("acls", Verdict.LOOK, text)]
    return found or [Finding("acls", Verdict.FINE, "we may do all that a worker needs")]


async def _clocks(settings: Settings, clock: Callable[[], float]) -> list[Finding]:
    sources = [name_of(settings, topic.name) for topic in TOPICS if topic.role is Role.SOURCE]
    try:
        async with asyncio.timeout(_SECONDS_TO_READ):
            newest = await _newest(settings, sources)
    except TopicsError:
        return []  # said already
    except (KafkaError, TimeoutError) as error:
        kind = type(error).__name__
        return [
            Finding("clocks", Verdict.LOOK, f"the newest records could not be read ({kind}); clocks are not compared")
        ]
    if not newest:
        return [Finding("clocks", Verdict.LOOK, "no source topic has a record yet; clocks are not compared")]
    topic = max(newest, key=lambda name: newest[name])
    ahead = newest[topic] / 1000 - clock()
    if ahead <= NOTICED_SECONDS:
        return [Finding("clocks", Verdict.FINE, "no newest record of a source topic is ahead of our clock")]
    text = (
        f"the newest record of {topic} is stamped {ahead:,.0f} s ahead of our clock; set our clock, or its producer's"
    )
    if ahead > FUTURE_SECONDS:
        return [Finding("clocks", Verdict.FAULT, f"{text}: events further ahead than 300 s are dead letters")]
    return [Finding("clocks", Verdict.LOOK, text)]


async def _newest(settings: Settings, topics: Sequence[str]) -> dict[str, int]:
    """The timestamp (ms) of the newest last record of each topic that has one that bears one."""
    counts = await partition_counts(settings, topics)
    places = [TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)]
    found: dict[str, int] = {}
    async with AIOKafkaConsumer(
        **kafka_options(settings), enable_auto_commit=False, auto_offset_reset="none", fetch_max_wait_ms=100
    ) as consumer:
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        left = {place for place in places if ends[place] > begins[place]}
        consumer.assign(left)
        for place in left:
            consumer.seek(place, ends[place] - 1)
        while left:
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                left.discard(place)
                found[place.topic] = max(found.get(place.topic, -1), *(record.timestamp for record in records), -1)
    return {topic: stamp for topic, stamp in found.items() if stamp >= 0}


def _faults(part: str, error: Exception) -> list[Finding]:
    return [Finding(part, Verdict.FAULT, line) for line in str(error).splitlines()]
