"""The permissions of a worker's user as data; that they are enough, and each needed: tests/kafka/test_acls.py."""

from __future__ import annotations

from pathlib import Path

from decisioning.streaming.acls import acls, render_acls
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import TOPICS, Role, name_of

SETTINGS = Settings(topic_prefix="shop.", group_id="offers")


def test_every_topic_of_the_table_is_named_and_nothing_else() -> None:
    """A topic that is new in the table cannot be forgotten here."""
    named = {row.name for row in acls(SETTINGS) if row.resource == "Topic"}
    assert named == {name_of(SETTINGS, topic.name) for topic in TOPICS}


def test_sources_are_never_written_and_outputs_never_read() -> None:
    """Least privilege: a worker that is taken over cannot forge an event."""
    roles = {name_of(SETTINGS, topic.name): topic.role for topic in TOPICS}
    kinds = {(roles[row.name], row.operation) for row in acls(SETTINGS) if row.resource == "Topic"}
    assert (Role.SOURCE, "Write") not in kinds
    assert (Role.OUTPUT, "Read") not in kinds


def test_both_groups_are_named() -> None:
    """The workers' own, and the one that remembers which dead letters are written."""
    assert [row.name for row in acls(SETTINGS) if row.resource == "Group"] == ["offers", "offers-broadcast"]


def test_a_person_reads_one_line_a_permission() -> None:
    """Aligned, with the reason."""
    lines = render_acls(acls(SETTINGS)).splitlines()
    assert len(lines) == 1 + len(acls(SETTINGS))
    assert lines[0].split() == ["RESOURCE", "NAME", "OPERATION", "WHY"]
    assert "Topic     shop.state-changelog  DescribeConfigs  the start refuses" in "\n".join(lines)


def test_the_api_asks_and_reads_back(tmp_path: Path) -> None:
    """Three more where there is an API, and only there."""
    tokens = tmp_path / "tokens"
    tokens.touch()
    more = set(acls(Settings(api_tokens_file=tokens))) - set(acls(Settings()))
    assert {(row.name, row.operation) for row in more} == {
        ("contact-requests", "Write"), ("decisions", "Read"), ("rulebooks", "Write"),
    }  # fmt: skip
