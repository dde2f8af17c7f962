"""The values that a memory is made of, and what they say of themselves."""

from __future__ import annotations

import gc

import pytest
from msgspec import Struct

from decisioning.decision import Candidate, Trigger
from decisioning.state import dumps, loads, model, order
from decisioning.state.model import Act, Deferred, State

OFFER = Candidate(0, "offer", "marketing", ("email",), 100)


@pytest.mark.parametrize(
    ("arrived", "undone", "taken"),
    [
        (None, None, True),
        (None, 5, False),
        (5, None, True),
        (5, 5, True),
        (6, 5, True),
        (5, 6, False),
        (None, 0, False),
    ],
)
def test_a_slot_is_taken_until_a_later_word_says_nothing_went_out(
    arrived: int | None, undone: int | None, taken: bool
) -> None:
    """Silence counts as sent; of arrival and give-back the later holds, at a tie it is taken (reading 2)."""
    assert Act("a", 0, 10, OFFER, "email", arrived_at=arrived, undone_at=undone).counts is taken


def test_an_act_is_live_until_it_ends_or_runs_out() -> None:
    """[made, valid_until), and not after a response or a recall."""
    act = Act("a", 0, 10, OFFER, "email")
    assert act.live(9)
    assert not act.live(10)
    assert not Act("a", 0, 10, OFFER, "email", ended=True).live(9)


def test_a_state_wants_to_be_woken_at_its_earliest_promise() -> None:
    """None without any."""
    waiting = [Deferred(Trigger("/s", "1", "t"), "r", None, (OFFER,), due) for due in (30, 20)]
    assert State("c").wake_at is None
    assert State("c", deferred=tuple(waiting)).wake_at == 20


def test_memories_are_values() -> None:
    """They compare by content and never change in place, so that a state can be shared and put back."""
    assert State("c") == State("c")
    with pytest.raises(AttributeError):
        State("c").now = 1  # type: ignore[misc]


def test_the_collector_need_not_look_at_a_memory() -> None:
    """A worker holds thousands of them, and nothing in one can point back at it."""
    named = [*vars(model).values(), *vars(order).values()]
    kinds = [one for one in named if isinstance(one, type) and issubclass(one, Struct) and one is not Struct]
    assert [kind for kind in kinds if kind.__struct_config__.gc] == []
    state = loads(dumps(State("c", acts=(Act("a", 0, 10, OFFER, "email"),))))
    gc.collect()
    assert not gc.is_tracked(state)
    assert not gc.is_tracked(state.acts)
