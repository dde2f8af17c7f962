"""The commands of the people on call, on a broker of their own: what they print, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from decisioning.streaming import operate
from tests.streaming.live import Live


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Live]:
    """A broker and nobody on it: these commands need no worker."""
    with Live(tmp_path, partitions=1) as running:
        yield running


def test_the_commands_say_what_stands(
    alone: Live, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table for a person, JSON for a program; exit 2 where nothing of one's own is left to take back."""
    monkeypatch.setenv("DECISIONING_KAFKA", alone.address)
    monkeypatch.setenv("LOGNAME", "carla")
    assert operate.show_stops(every=False, json=False) == 0
    assert capsys.readouterr().out == "nothing is stopped by hand\n"
    assert operate.stop_now("campaign", "spring", by="", why="typo in the subject") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["STOPPED", "BY", "SINCE", "WHY", "OVER"]
    assert lines[1].startswith("campaign spring  carla  20")
    assert lines[1].endswith("typo in the subject")
    assert operate.resume_now("campaign", "spring", by="bob", why="x", whose=None) == 2
    assert "it is stopped by carla" in capsys.readouterr().err
    assert operate.resume_now("campaign", "spring", by="bob", why="x", whose=["carla"]) == 0
    assert capsys.readouterr().out == "over: campaign spring, stopped by carla: typo in the subject\n"
    assert operate.show_stops(every=True, json=True) == 0
    [found] = json.loads(capsys.readouterr().out)
    assert (found["what"], found["name"], found["resumed"]["by"]) == ("campaign", "spring", "bob")
