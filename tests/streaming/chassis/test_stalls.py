"""Records that are in the log and are not fetched are noticed; that it ends a worker: test_guards.py."""

from __future__ import annotations

from decisioning.streaming.chassis.stalls import Reach, Stalls


def test_a_position_that_does_not_move_while_there_is_more_is_a_stall() -> None:
    """Moving, or having nothing left, or not being wanted for a while begins anew."""
    stalls: Stalls[str] = Stalls(10.0)
    assert stalls.look(0, {"a": Reach(5, 9), "b": Reach(0, 0)}) == []
    assert stalls.look(10, {"a": Reach(5, 12), "b": Reach(0, 3)}) == []
    assert stalls.look(11, {"a": Reach(5, 12), "b": Reach(0, 3)}) == ["a"]
    assert stalls.look(12, {"a": Reach(6, 12), "b": Reach(0, 3)}) == []
    assert stalls.look(21, {"b": Reach(3, 3)}) == []
    assert stalls.look(22, {"a": Reach(6, 12), "b": Reach(3, 4)}) == []
    assert stalls.look(32.5, {"a": Reach(6, 12), "b": Reach(3, 4)}) == ["a", "b"]
