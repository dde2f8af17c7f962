"""What is refused before a worker starts: all of it at once, a line each, with what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from decisioning.streaming.broker import Broker, start_broker
from decisioning.streaming.preflight import faults, preflight
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import TOPICS, Found, TopicsError, list_topics, plan

NAMES = [topic.name for topic in TOPICS]
DEV = Settings(partitions=4)
PROD = Settings(profile="prod", security_protocol="SSL", replication=3, partitions=4)


def there(settings: Settings) -> dict[str, Found]:
    """All topics as they shall be."""
    return {topic.name: Found(topic.partitions, topic.replication) for topic in plan(settings)}


def configured(settings: Settings, topic: str = "", **changed: str) -> dict[str, dict[str, str]]:
    """The configuration as it shall be, but for `changed` keys (with _ for the dots) of one topic."""
    configs = {planned.name: dict(planned.config) for planned in plan(settings)}
    if topic:
        configs[topic] |= {key.replace("_", "."): value for key, value in changed.items()}
    return configs


@pytest.mark.parametrize("settings", [DEV, PROD], ids=["dev", "prod"])
def test_what_the_plan_makes_is_fit(settings: Settings) -> None:
    """Topics that `decisioning topics create` made are never refused."""
    assert faults(settings, there(settings), configured(settings)) == []


@pytest.mark.parametrize(
    ("topic", "changed", "line"),
    [
        ("state-changelog", {"cleanup_policy": "delete"}, "would forget by age; set it to compact"),
        ("state-changelog", {"cleanup_policy": "compact,delete"}, "would forget by age; set it to compact"),
        ("products", {"cleanup_policy": "delete"}, "topic products has cleanup.policy=delete"),
        ("orders", {"cleanup_policy": "compact"}, "what it says would be replaced by key; set it to delete"),
        ("relay", {"cleanup_policy": "compact,delete"}, "topic relay has cleanup.policy=compact,delete"),
        ("decisions", {"cleanup_policy": "compact"}, "topic decisions has cleanup.policy=compact"),
        ("decisions", {"max_message_bytes": "1048588"}, "takes messages up to 1048588 bytes; set max.message.bytes=1"),
        ("products", {"max_message_bytes": "1000"}, "topic products takes messages up to 1000 bytes"),
    ],
)
def test_a_configuration_that_would_lose_something_is_refused(topic: str, changed: dict[str, str], line: str) -> None:
    """T15, T18, T26: each fault of a topic's configuration is one line that says what to set."""
    for settings in (DEV, PROD):
        (found,) = faults(settings, there(settings), configured(settings, topic, **changed))
        assert line in found


def test_what_others_own_is_theirs() -> None:
    """A source may take smaller messages than we could read, and its durability is its owner's."""
    configs = configured(PROD, "orders", max_message_bytes="1000", min_insync_replicas="1")
    assert faults(PROD, there(PROD), configs) == []


@pytest.mark.parametrize(
    ("topic", "changed", "line"),
    [
        ("decisions", {"min_insync_replicas": "1"}, "one broker could lose what it acknowledged; set it to 2"),
        ("state-changelog", {"min_compaction_lag_ms": "0"}, "of a worker that was replaced; set it to 600000 or more"),
        ("state-changelog", {"delete_retention_ms": "60000"}, "would miss what was erased; set it to 604800000"),
    ],
)
def test_what_only_a_fault_would_show_is_refused_in_production_alone(
    topic: str, changed: dict[str, str], line: str
) -> None:
    """T15, T26: a developer has one broker, and may compact as he likes."""
    (found,) = faults(PROD, there(PROD), configured(PROD, topic, **changed))
    assert line in found
    assert faults(DEV, there(DEV), configured(DEV, topic, **changed)) == []


def test_everything_is_said_at_once() -> None:
    """Missing, misfit, thin and wrongly configured topics: whoever mends them need not start four times."""
    found = there(PROD) | {"orders": Found(3, 3), "relay": Found(4, 2)}
    del found["customers"]
    lines = faults(PROD, found, configured(PROD, "state-changelog", cleanup_policy="delete"))
    assert [line.split(":")[0].split(" has ")[0] for line in lines] == [
        "missing topics", "partitions", "copies", "topic state-changelog"
    ]  # fmt: skip


@pytest.fixture
def broker() -> Iterator[Broker]:
    """An embedded broker that has no topic of ours."""
    with start_broker(["unrelated"]) as running:
        yield running


async def test_missing_topics_are_named_and_not_created(broker: Broker) -> None:
    """T26, T31: the worker creates nothing; it says what is missing, and looking does not create it either."""
    settings = Settings(kafka=broker.address, partitions=4)
    for _ in range(2):
        with pytest.raises(TopicsError) as caught:
            await preflight(settings)
        assert str(caught.value) == f"missing topics: {', '.join(NAMES)}; run `decisioning topics create`"
    assert [found for _, found in await list_topics(settings)] == [None] * len(NAMES)


async def test_topics_that_fit_are_not_refused() -> None:
    """The embedded broker describes no configuration; nothing is said to be unchecked there."""
    with start_broker(NAMES, partitions=3) as running:
        assert await preflight(Settings(kafka=running.address, partitions=3)) == []
