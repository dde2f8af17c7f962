"""What the customer answered, by topic, and the blocks that follow from it (rule 13)."""

from __future__ import annotations

from itertools import permutations
from typing import Literal

import pytest

from decisioning.decision import Candidate
from decisioning.instant import DAY
from decisioning.state import State, replies
from decisioning.state.model import MAX_REPETITIONS, MAX_REPLIES, Act, Repetition, Reply
from decisioning.state.replies import Block, about, blocks, bounded, find, joined, standing
from tests.builders import CUSTOMER, Happening, Story, answered, asked, at, folded, offer, only, response

Told = tuple[int, Literal["declined", "ignored"], int]
RULE = {"declined": 2, "ignored": 3, "first": 30 * DAY, "later": 90 * DAY}


def repetition(*told: Told) -> Repetition:
    """What is remembered after these answers: decision, kind and day, in this order of arrival."""
    found = Repetition("topic:sale")
    for decision, kind, day in told:
        found = joined(found, Repetition("topic:sale", (Reply(decision, kind, day * DAY),)))
    return found


def begun(*told: Told) -> list[tuple[str, int, int]]:
    """Kind, first and last day of each block that these answers began."""
    return [(one.kind, one.since // DAY, one.until // DAY) for one in blocks(repetition(*told), **RULE)]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(1, "declined", 1)], []),
        ([(1, "declined", 1), (2, "declined", 3)], [("declined", 3, 33)]),
        ([(1, "ignored", 1), (2, "ignored", 2)], []),
        ([(1, "ignored", 1), (2, "ignored", 2), (3, "ignored", 5)], [("ignored", 5, 35)]),
        ([(1, "declined", 1), (2, "ignored", 2), (3, "ignored", 3)], []),
        ([(1, "ignored", 1), (2, "ignored", 2), (3, "declined", 3), (4, "declined", 4)], [("declined", 4, 34)]),
        (
            [(n, "declined", n) for n in range(1, 7)],
            [("declined", 2, 32), ("declined", 4, 94), ("declined", 6, 96)],
        ),
        ([(1, "declined", 1), (2, "declined", 2), (3, "declined", 200), (4, "ignored", 300)], [("declined", 2, 32)]),
        (
            [(1, "ignored", 1), (2, "declined", 2), (3, "declined", 3), (4, "ignored", 4), (5, "ignored", 5)],
            [("declined", 3, 33)],
        ),
        (
            [(1, "declined", 1), (2, "declined", 2), (3, "ignored", 3), (4, "ignored", 4), (5, "ignored", 5)],
            [("declined", 2, 32), ("ignored", 5, 95)],
        ),
    ],
)
def test_what_begins_a_block(told: list[Told], expected: list[tuple[str, int, int]]) -> None:
    """Declined twice or ignored three times since the last block, which spends both counts (reading 5)."""
    assert begun(*told) == expected


def test_answers_count_by_their_time_in_whatever_order_they_arrive() -> None:
    """Late facts still fold, and where they belong."""
    told: list[Told] = [(1, "declined", 1), (2, "ignored", 2), (3, "declined", 3), (4, "declined", 60)]
    for order in permutations(told):
        assert begun(*order) == [("declined", 3, 33)]


@pytest.mark.parametrize("turned", [False, True])
def test_a_decision_counts_once_declined_before_ignored(turned: bool) -> None:
    """Whichever of its answers arrives first; of two of one kind the later time holds."""
    told: list[Told] = [(1, "declined", 1), (1, "ignored", 2), (1, "declined", 4), (2, "declined", 3)]
    assert begun(*(reversed(told) if turned else told)) == [("declined", 4, 34)]
    assert begun((1, "ignored", 1), (1, "ignored", 2), (1, "ignored", 3)) == []


def test_what_falls_out_of_memory_leaves_the_strict_side() -> None:
    """Of many answers the newest are kept; then every further one begins a long block."""
    found = repetition(*[(n, "ignored", n) for n in range(1, MAX_REPLIES + 4)])
    assert (len(found.replies), found.forgotten, found.since) == (MAX_REPLIES, 3, 3 * DAY)
    told = blocks(found, **RULE)
    assert {one.until - one.since for one in told} == {90 * DAY}
    assert told[-1].since == (MAX_REPLIES + 3) * DAY
    assert len(told) == MAX_REPLIES + 1


def test_within_the_bound_nothing_is_forgotten() -> None:
    """The bound is exact."""
    assert repetition(*[(n, "ignored", n) for n in range(MAX_REPLIES)]).forgotten == 0


def candidate(topic: str | None = None, action: str = "sale") -> Candidate:
    """Something on offer."""
    return Candidate(0, action, "marketing", ("email",), 100, topic=topic)


def test_a_topic_and_an_action_of_one_name_are_two_things() -> None:
    """Same topic; without one, same action."""
    assert about(candidate("sale")) == about(candidate("sale", "other"))
    assert about(candidate()) == about(candidate())
    assert about(candidate("sale")) != about(candidate())


def acts(*named: tuple[str, str | None]) -> State:
    """Someone to whom these were said: id and topic."""
    return State(CUSTOMER, acts=tuple(Act(id_, 0, 10, candidate(topic), "email") for id_, topic in named))


def test_an_answer_belongs_to_what_the_named_act_was_about() -> None:
    """An answer to a decision that nobody knows is about nothing."""
    state = folded(
        ("2026-03-02 10:00", answered("declined", "a-1")),
        ("2026-03-03 10:00", answered("ignored", "a-2")),
        ("2026-03-04 10:00", answered("declined", "a-unknown")),
        ("2026-03-04 10:00", answered("opened", "a-3")),
        state=acts(("a-1", "sale"), ("a-2", None), ("a-3", "news")),
    )
    assert {one.name: [reply.kind for reply in one.replies] for one in state.repetitions} == {
        "topic:sale": ["declined"],
        "action:sale": ["ignored"],
    }
    assert find(state, "topic:news") is None


def test_topics_are_bounded_and_the_forgotten_are_taken_for_declined() -> None:
    """The name whose newest answer is the oldest goes; whatever is not known any more is silent for as long as its
    block could last, and one further answer begins the next."""
    named = [(f"a-{number}", f"t-{number}") for number in range(MAX_REPETITIONS + 5)]
    told = [
        (f"2026-03-02 {10 + number // 60}:{number % 60:02}", answered("ignored", id_))
        for number, (id_, _) in enumerate(named)
    ]
    state = folded(*told, state=acts(*named, ("again", "t-0")))
    assert len(state.repetitions) == MAX_REPETITIONS
    since = at("2026-03-02 10:05")
    assert standing(state, candidate("t-0"), **RULE) == (Block("declined", since, since + 90 * DAY),)
    assert standing(state, candidate("t-60"), **RULE) == ()
    state = folded(("2026-03-04 10:00", answered("ignored", "again")), state=state)
    last = at("2026-03-04 10:00")
    assert standing(state, candidate("t-0"), **RULE)[-1] == Block("ignored", last, last + 90 * DAY)


def test_who_never_answered_has_no_block() -> None:
    """Nothing is known, and silence about it is none of ours."""
    assert standing(State(CUSTOMER), candidate("sale"), **RULE) == ()
    assert bounded(()) == ()


def test_an_act_that_lost_its_channels_keeps_its_topic(story: Story) -> None:
    """An answer comes days later, when the act is only a slot."""
    act = only(story.at("2026-03-02 12:00", asked(offer(topic="sale"))))
    story.at("2026-03-10 12:00", Happening("support.interaction", {"interaction_id": "i", "channel": "phone"}))
    story.at("2026-03-11 12:00", response("declined", act))
    assert [one.name for one in story.state.repetitions] == ["topic:sale"]
    assert replies.KINDS == ("declined", "ignored")
