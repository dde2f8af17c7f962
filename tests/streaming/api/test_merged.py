"""Whose part a subject became: by our own memory, by the owner's, and never by guess."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from decisioning.state import State
from decisioning.streaming.api.merged import Merged
from tests.streaming.api.test_server import Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A worker's API; another worker owns whom it does not."""
    made = Desk(tmp_path)
    async with made.listener:
        yield made
    await made.peers.close()
    await made.decide.stop()


async def test_a_chain_is_followed_to_its_end_and_a_circle_is_left(desk: Desk) -> None:
    """In order; whoever moved nowhere is nobody's part, and two that moved into each other end somewhere."""
    desk.states |= {"a": State("a", moved_to="b/1"), "b/1": State("b/1", moved_to="c"), "c": State("c")}
    desk.states |= {"x": State("x", moved_to="y"), "y": State("y", moved_to="x")}
    merged = Merged(desk.views, desk.peers)
    assert await merged.into("a") == ["b/1", "c"]
    assert await merged.into("c") == []
    assert await merged.into("x") == ["y"]


async def test_the_owner_is_asked_and_silence_is_no_answer(desk: Desk, tmp_path: Path) -> None:
    """The next may be anybody's; where nobody says, nobody is guessed."""
    far = tmp_path / "far"
    far.mkdir()
    other = Desk(far)
    other.states = {"a": State("a", moved_to="b/1"), "b/1": State("b/1")}
    merged = Merged(desk.views, desk.peers)
    assert await merged.into("a") == []
    desk.owner = "http://127.0.0.1:1"
    assert await merged.into("a") == []
    async with other.listener:
        desk.owner = f"http://127.0.0.1:{other.listener.port}"
        assert await merged.into("a") == ["b/1"]
        assert await merged.into("b/1") == []
    await other.peers.close()
