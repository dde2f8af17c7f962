"""What is looked at before a worker starts, and what is said of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from decisioning.streaming import operate, permissions
from decisioning.streaming.acls import Acl, acls
from decisioning.streaming.checkup import Finding, Verdict, as_json, checkup, render
from decisioning.streaming.settings import PREFIX, Settings
from tests.builders import RETAIL
from tests.streaming.live import Live


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An embedded broker with every topic of four partitions."""
    with Live(tmp_path_factory.mktemp("live")) as running:
        yield running


async def found(live: Live, folder: Path, **more: Any) -> dict[str, Finding]:
    """The last finding of each part, in order."""
    chosen: dict[str, Any] = {"kafka": live.address, "partitions": 4, "rulebook": RETAIL, "data_dir": folder / "new"}
    return {one.part: one for one in await checkup(Settings(**chosen | more))}


async def test_where_all_is_well_nothing_is_a_fault(live: Live, tmp_path: Path) -> None:
    """The embedded broker knows no permissions, which is said; nothing is created."""
    parts = await found(live, tmp_path, disk_free_bytes=0)
    assert [(one.part, one.verdict) for one in parts.values()] == [
        ("rulebook", "fine"), ("data", "fine"), ("kafka", "fine"), ("topics", "fine"), ("acls", "look"),
        ("clocks", "look"),
    ]  # fmt: skip
    assert parts["clocks"].text == "no source topic has a record yet; clocks are not compared"
    assert list(tmp_path.iterdir()) == []


async def test_each_fault_says_what_to_do(live: Live, tmp_path: Path) -> None:
    """A broken rulebook by its place, a place that cannot be written, topics that do not fit."""
    broken = tmp_path / "broken.yaml"
    broken.write_text('rulebook: x\nversion: "1"\nowners: nobody\n')
    (tmp_path / "file").touch()
    parts = await found(live, tmp_path, partitions=3, rulebook=broken, data_dir=tmp_path / "file" / "data")
    assert parts["rulebook"].text.startswith(f"{broken}:3:1: unknown field `owners`")
    assert parts["data"].text.endswith("or set DECISIONING_DATA_DIR")
    assert parts["topics"].text.endswith("set DECISIONING_PARTITIONS=4")
    assert {parts[part].verdict for part in ("rulebook", "data", "topics")} == {Verdict.FAULT}
    parts = await found(live, tmp_path, rulebook=tmp_path / "none", disk_free_percent=90, disk_free_bytes=1 << 60)
    assert "set DECISIONING_RULEBOOK" in parts["rulebook"].text
    assert parts["data"].text.endswith("are wanted: make room")


async def test_a_broker_that_is_away_ends_the_looking(tmp_path: Path) -> None:
    """What can be known without it has been said."""
    settings = Settings(kafka="127.0.0.1:1", rulebook=RETAIL, data_dir=tmp_path, disk_free_bytes=0)
    parts = [(one.part, one.verdict) for one in await checkup(settings)]
    assert parts == [("rulebook", "fine"), ("data", "fine"), ("kafka", "fault")]


async def test_what_we_may_do_on_missing_topics_is_looked_at_later(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, beside what is really refused; with all topics there all is fine."""
    refused = acls(Settings())[0]

    async def checked(rows: list[Acl], absent: list[str]) -> list[tuple[str, str]]:
        async def told(*_: object) -> permissions.Missing:
            return permissions.Missing(rows, absent)

        monkeypatch.setattr(permissions, "missing", told)
        settings = Settings(kafka=live.address, partitions=4, rulebook=RETAIL, data_dir=tmp_path)
        return [(one.verdict, one.text) for one in await checkup(settings) if one.part == "acls"]

    later = ("look", "what we may do on the missing topics is looked at once they are there")
    assert await checked([], ["orders", "purchases"]) == [later]
    fault, said = await checked([refused], ["orders"])
    assert (fault[0], said) == ("fault", later)
    assert fault[1].startswith(f"allow our user {refused.operation} on topic {refused.name}: ")
    assert await checked([], []) == [("fine", "we may do all that a worker needs")]


async def test_clocks_are_compared_through_the_newest_records(tmp_path: Path) -> None:
    """Behind is history, a second ahead is nothing, minutes ahead are refused events."""
    with Live(tmp_path) as live:
        live.publish("orders", b"{}", "c-1", at=1000)
        live.flush()
        assert (await found(live, tmp_path))["clocks"].verdict is Verdict.FINE
        for seconds, verdict in ((60, Verdict.LOOK), (400, Verdict.FAULT)):
            live.publish("support", b"{}", "c-1", at=int((time.time() + seconds) * 1000))
            live.flush()
            clocks = (await found(live, tmp_path))["clocks"]
            assert clocks.verdict is verdict
            assert clocks.text.startswith("the newest record of support is stamped ")
            assert "s ahead of our clock; set our clock, or its producer's" in clocks.text


def test_the_command_gives_the_exit_code(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 fine, 1 the rulebook alone, 3 a part that refuses."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    chosen = {"KAFKA": live.address, "PARTITIONS": "4", "RULEBOOK": str(RETAIL), "DATA_DIR": str(tmp_path),
              "DISK_FREE_BYTES": "0"}  # fmt: skip
    for name, value in chosen.items():
        monkeypatch.setenv(PREFIX + name, value)
    assert operate.check_config(json=False) == 0
    assert capsys.readouterr().out.startswith("fine   rulebook  ")
    monkeypatch.setenv(PREFIX + "RULEBOOK", str(tmp_path / "none"))
    assert operate.check_config(json=True) == 1
    assert json.loads(capsys.readouterr().out)[0]["verdict"] == "fault"
    monkeypatch.setenv(PREFIX + "PARTITIONS", "3")
    assert operate.check_config(json=False) == 3
    assert "fault  topics " in capsys.readouterr().out


def test_findings_are_written_for_a_person_and_for_a_program() -> None:
    """Aligned; or as JSON."""
    rows = [Finding("kafka", Verdict.FINE, "it answers"), Finding("topics", Verdict.FAULT, "missing: run x")]
    assert render(rows).splitlines() == ["fine   kafka   it answers", "fault  topics  missing: run x"]
    assert json.loads(as_json(rows))[1] == {"part": "topics", "verdict": "fault", "text": "missing: run x"}
