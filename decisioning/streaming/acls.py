"""What a worker's user may do on a Kafka with ACLs, and nothing more: from the table of topics, to grant as it stands.

Least privilege: who creates topics is another (T31), so there is no Create and no Alter; and both groups are named, for
any member of a group can hand its partitions to others (T35). Each row is held by tests/kafka/test_acls.py, which takes
it away and sees a worker say so.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from decisioning.streaming.letters import group_of
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import TOPICS, Role, name_of

Operation = Literal["Read", "Write", "DescribeConfigs"]


class Acl(NamedTuple):
    """One thing to allow, by Kafka's own words; each resource by its whole name (LITERAL)."""

    resource: Literal["Topic", "Group"]
    name: str
    operation: Operation
    why: str


_READ: Final = {Role.SOURCE: "its events are decided", Role.BROADCAST: "every worker holds all of it"}
_WRITE: Final = {Role.OUTPUT: "what we say"}
_MORE: Final[tuple[tuple[str, Operation, str], ...]] = (
    ("products", "Write", "a product that came on a source topic is passed on"),
    ("relay", "Read", "what we told ourselves"),
    ("relay", "Write", "what we tell ourselves"),
    ("state-changelog", "Read", "states are restored"),
    ("state-changelog", "Write", "states are remembered"),
)
_API: Final[tuple[tuple[str, Operation, str], ...]] = (
    ("contact-requests", "Write", "the API asks by the log"),
    ("decisions", "Read", "the API reads the answer back"),
    ("rulebooks", "Write", "the API's stop switch; not needed where no token has the scope admin"),
)


def acls(settings: Settings) -> list[Acl]:
    """Everything that a worker of these settings needs; Describe follows from Read and from Write in Kafka itself.

    Without DescribeConfigs it starts all the same, and says which topics it could not check.
    """
    allowed = []
    for topic in TOPICS:
        name = name_of(settings, topic.name)
        if topic.role in _READ:
            allowed.append(Acl("Topic", name, "Read", _READ[topic.role]))
        if topic.role in _WRITE:
            allowed.append(Acl("Topic", name, "Write", _WRITE[topic.role]))
        allowed += [Acl("Topic", name, operation, why) for row, operation, why in _MORE if row == topic.name]
        if settings.api_tokens_file is not None:
            allowed += [Acl("Topic", name, operation, why) for row, operation, why in _API if row == topic.name]
        allowed.append(Acl("Topic", name, "DescribeConfigs", "the start refuses a topic that would lose records"))
    groups = {settings.group_id: "work is shared", group_of(settings): "which dead letters are written already"}
    return allowed + [Acl("Group", group, "Read", why) for group, why in groups.items()]


def render_acls(rows: list[Acl]) -> str:
    """One line a permission: resource, name, operation and why, aligned."""
    lines = [("RESOURCE", "NAME", "OPERATION", "WHY"), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3]]) for line in lines
    )
