"""Rule 15: topics that the customer switched off, and needs that the candidate does not meet."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.builders import CUSTOMER, Story, asked, offer, only, prefers, said, uncapped

OFF = ("suppress", "ineligible.topic_off")
NEED = ("suppress", "need_conflict.need")
YES = ("act", "allowed.clear")
WHEN = "2026-03-02 12:00"


@pytest.fixture
def story() -> Story:
    """The usual customer, whom no cap limits."""
    return uncapped()


def ask(story: Story, **of: object) -> tuple[str, str]:
    """Outcome and reason of one question."""
    return said([only(story.at(WHEN, asked(offer(**of))))])[0]  # type: ignore[arg-type]


def test_a_topic_that_is_switched_off_is_silent(story: Story) -> None:
    """For good, and only that topic; service goes on."""
    story.at(WHEN, prefers(topics_off=["sale", "news"]))
    answer = only(story.at(WHEN, asked(offer(topic="sale"))))
    assert said([answer]) == [OFF]
    assert answer.allowed_from is None
    assert answer.considered[0].because == {"topic": "sale"}
    assert ask(story, topic="sale", kind="survey") == OFF
    assert ask(story, topic="sale", kind="service") == YES
    assert ask(story, topic="other") == YES
    assert ask(story, action="sale") == YES


@pytest.mark.parametrize(
    ("meets", "expected"),
    [(None, NEED), ([], NEED), (["a"], NEED), (["a", "b"], YES), (["c", "b", "a"], YES)],
)
def test_every_need_must_be_met(story: Story, meets: list[str] | None, expected: tuple[str, str]) -> None:
    """What does not say that it meets a need does not meet it."""
    story.at(WHEN, prefers(needs=["b", "a"]))
    assert ask(story, needs_ok=meets) == expected
    assert ask(story, needs_ok=meets, kind="service") == YES


def test_it_says_which_needs_are_not_met(story: Story) -> None:
    """Sorted, for an author to read."""
    story.at(WHEN, prefers(needs=["c", "b", "a"]))
    answer = only(story.at(WHEN, asked(offer(needs_ok=["b"]))))
    assert answer.considered[0].because == {"needs": ["a", "c"]}
    assert answer.allowed_from is None


def test_the_topic_is_told_before_the_need(story: Story) -> None:
    """Within a rule, reasons come in the order in which the contract lists them."""
    story.at(WHEN, prefers(needs=["a"], topics_off=["sale"]))
    assert ask(story, topic="sale") == OFF


def test_who_asked_for_nothing_is_refused_nothing(story: Story) -> None:
    """Empty lists take back what was asked before."""
    story.at(WHEN, prefers(needs=["a"], topics_off=["sale"]))
    story.at(WHEN, prefers(needs=[], topics_off=[]).since("2026-03-02 12:00:01"))
    assert ask(story, topic="sale") == YES


@pytest.mark.parametrize(("lost", "expected"), [("topics_off", OFF), ("needs", NEED)])
def test_lists_too_long_for_memory_name_everything(story: Story, lost: str, expected: tuple[str, str]) -> None:
    """What is forgotten is forgotten to the strict side."""
    story.run.states[CUSTOMER] = replace(story.state, lost=(lost,))
    assert ask(story, topic="anything", needs_ok=["all"]) == expected
    assert ask(story, needs_ok=["all"]) == (YES if lost == "topics_off" else NEED), "without a topic none is off"
