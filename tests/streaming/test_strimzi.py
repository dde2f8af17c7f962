"""Topics and permissions as Strimzi's resources; that Strimzi takes them: tests/deploy/test_kubernetes.py."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML

from decisioning.streaming.acls import acls
from decisioning.streaming.settings import Settings
from decisioning.streaming.strimzi import render_strimzi
from decisioning.streaming.topics import plan

SETTINGS = Settings(topic_prefix="Shop_A.", group_id="offers", partitions=12, replication=3)


def resources(kind: str) -> list[dict[str, Any]]:
    """What is rendered of one kind."""
    text = render_strimzi(SETTINGS, "events", "worker")
    return [one for one in YAML(typ="safe").load_all(text) if one["kind"] == kind]


def test_every_topic_is_the_plans() -> None:
    """Name, counts and configuration; so `decisioning topics create` finds nothing missing and nothing to refuse."""
    made = [
        (one["spec"].get("topicName", one["metadata"]["name"]), one["spec"]["partitions"], one["spec"]["replicas"],
         one["spec"]["config"]) for one in resources("KafkaTopic")
    ]  # fmt: skip
    assert made == [(row.name, row.partitions, row.replication, row.config) for row in plan(SETTINGS)]


def test_a_name_that_kubernetes_does_not_take_is_the_topics_alone() -> None:
    """Capitals and underscores are fine in Kafka and nowhere else."""
    named = {one["spec"].get("topicName"): one["metadata"]["name"] for one in resources("KafkaTopic")}
    assert named["Shop_A.decisions"] == "shop-a.decisions"
    assert len({one["metadata"]["name"] for one in resources("KafkaTopic")}) == len(plan(SETTINGS))


def test_the_user_may_do_what_the_list_says_and_nothing_more() -> None:
    """Each row of `decisioning topics acls`, once, by whole names."""
    (user,) = resources("KafkaUser")
    rules = user["spec"]["authorization"]["acls"]
    allowed = [
        (rule["resource"]["type"].title(), rule["resource"]["name"], operation)
        for rule in rules
        for operation in rule["operations"]
    ]
    assert sorted(allowed) == sorted((row.resource, row.name, row.operation) for row in acls(SETTINGS))
    assert {rule["resource"]["patternType"] for rule in rules} == {"literal"}


def test_all_belong_to_the_cluster() -> None:
    """Strimzi's operators look at nothing without this label."""
    labels = [one["metadata"]["labels"] for kind in ("KafkaTopic", "KafkaUser") for one in resources(kind)]
    assert {label["strimzi.io/cluster"] for label in labels} == {"events"}
