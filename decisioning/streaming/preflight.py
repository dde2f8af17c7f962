"""Before a worker starts: the topics on the broker are as the table wants them, or it says all that is wrong at once.

What is refused would lose or stall something later, and silently: lanes that do not line up (T26), topics that are
missing (T31: a worker creates none), a changelog that forgets by age, a source that is compacted (its offsets have
holes, and facts vanish), a topic that cannot take our largest record (T18); and in production an acknowledged write
that one broker could lose, and a changelog that is compacted before a stale writer is noticed (T15). One line each,
with what to do.

`faults` is pure: what to check next is a line there. The embedded broker describes no configuration, so there only
names, partitions and copies are checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import (
    Found,
    Planned,
    Role,
    TopicsError,
    connected,
    find_topics,
    has_controller,
    misfits,
    missing_line,
    plan,
)

Configs = Mapping[str, Mapping[str, str]]
"""The configuration that holds for each topic, by topic and key; a topic that we may not look at is not in it."""

_AT_LEAST: Final = ("min.compaction.lag.ms", "delete.retention.ms")
_WHY: Final = {
    "min.compaction.lag.ms": "compaction could prefer the record of a worker that was replaced",
    "delete.retention.ms": "a worker that was down for a while would miss what was erased",
}


async def preflight(settings: Settings) -> list[str]:
    """Refuses to start on topics that would lose state: TopicsError, one line a fault with what mends it.

    Returns the topics whose configuration the broker did not let us read: those are not checked.
    """
    async with connected(settings) as admin:
        found = await find_topics(admin)
        names = [topic.name for topic in plan(settings) if topic.name in found]
        configs = await _configs(admin, names) if await has_controller(admin) else None
    wrong = faults(settings, found, configs or {})
    if wrong:
        raise TopicsError("\n".join(wrong))
    return [] if configs is None else [name for name in names if name not in configs]


def faults(settings: Settings, found: Mapping[str, Found], configs: Configs) -> list[str]:
    """All that is wrong with the broker's topics, a line each; nothing where a worker may start."""
    planned = plan(settings)
    lines = missing_line(settings, [topic.name for topic in planned], found) + misfits(settings, planned, found)
    for topic in planned:
        if topic.name in configs:
            lines += _wrong(settings, topic, configs[topic.name])
    return lines


def _wrong(settings: Settings, planned: Planned, config: Mapping[str, str]) -> Iterator[str]:
    def number(key: str) -> int:
        return int(config.get(key, planned.config[key]))

    name, role, wanted = planned.name, planned.topic.role, planned.config["cleanup.policy"]
    policy = config.get("cleanup.policy", wanted)
    if policy != wanted and wanted == "compact":
        yield f"topic {name} has cleanup.policy={policy} and would forget by age; set it to compact"
    elif policy != wanted:
        yield f"topic {name} has cleanup.policy={policy}: what it says would be replaced by key; set it to delete"
    if role is not Role.SOURCE and number("max.message.bytes") < int(planned.config["max.message.bytes"]):
        least = planned.config["max.message.bytes"]
        yield f"topic {name} takes messages up to {number('max.message.bytes')} bytes; set max.message.bytes={least}"
    if settings.profile != "prod":
        return
    if role is not Role.SOURCE and number("min.insync.replicas") < 2:
        yield f"topic {name} has min.insync.replicas=1: one broker could lose what it acknowledged; set it to 2"
    for key in _AT_LEAST:
        if key in planned.config and number(key) < int(planned.config[key]):
            yield f"topic {name} has {key}={number(key)}: {_WHY[key]}; set it to {planned.config[key]} or more"


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> Configs:
    found = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for response in await admin.describe_configs(resources):
        for code, _reason, _type, name, entries in response.resources:
            if not code:
                found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return found
