"""The topics and the worker's user as resources of Strimzi, the Kafka operator of Kubernetes: `kubectl apply` them.

From the same two tables as `decisioning topics create` and `decisioning topics acls`, so that they cannot say anything
else. Shapes: kafka.strimzi.io/v1, as Strimzi has it since 0.49; they are held against its schemas in
tests/deploy/test_kubernetes.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from decisioning.streaming.acls import Acl, acls
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import Planned, plan

_API = "kafka.strimzi.io/v1"


def render_strimzi(settings: Settings, cluster: str, user: str) -> str:
    """The YAML of everything: a KafkaTopic for each topic of these settings, and the KafkaUser of the workers.

    `cluster` is the name of the Kafka resource, in whose namespace they belong. Strimzi puts the user's password into
    a Secret of the user's name.
    """
    documents = [_topic(topic, cluster) for topic in plan(settings)]
    documents.append(_user(acls(settings), cluster, user))
    return "---\n".join("\n".join(lines) + "\n" for lines in documents)


def _topic(planned: Planned, cluster: str) -> list[str]:
    lines = [f"# {planned.topic.why}", *_head("KafkaTopic", _resource_name(planned.name), cluster)]
    if _resource_name(planned.name) != planned.name:
        lines.append(f"  topicName: {json.dumps(planned.name)}")
    lines += [f"  partitions: {planned.partitions}", f"  replicas: {planned.replication}", "  config:"]
    return lines + [f"    {name}: {json.dumps(content)}" for name, content in planned.config.items()]


def _user(allowed: Iterable[Acl], cluster: str, user: str) -> list[str]:
    return [
        "# what a worker may do, and nothing more: `decisioning topics acls` gives the reasons",
        *_head("KafkaUser", user, cluster),
        "  authentication: {type: scram-sha-512}",
        "  authorization:",
        "    type: simple",
        "    acls:",
        *_rules(allowed),
    ]


def _rules(allowed: Iterable[Acl]) -> Iterator[str]:
    for (kind, name), rows in groupby(allowed, key=lambda row: (row.resource, row.name)):
        yield f"      - resource: {{type: {kind.lower()}, name: {json.dumps(name)}, patternType: literal}}"
        yield f"        operations: [{', '.join(row.operation for row in rows)}]"


def _head(kind: str, name: str, cluster: str) -> list[str]:
    return [
        f"apiVersion: {_API}",
        f"kind: {kind}",
        "metadata:",
        f"  name: {name}",
        f"  labels: {{strimzi.io/cluster: {cluster}, app.kubernetes.io/part-of: decisioning}}",
        "spec:",
    ]


def _resource_name(topic: str) -> str:
    """What Kubernetes takes for a name (RFC 1123): a topic's may hold capitals and underscores."""
    return re.sub(r"[^a-z0-9.-]", "-", topic.lower()).strip("-.")
