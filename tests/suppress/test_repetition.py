"""Rule 13: declined twice or ignored three times, that topic rests."""

from __future__ import annotations

import pytest

from decisioning.decision import Decision
from tests.builders import UNCAPPED, Story, asked, at, offer, only, response, said, uncapped

DECLINED = ("suppress", "repetition.declined")
IGNORED = ("suppress", "repetition.ignored")
YES = ("act", "allowed.clear")


@pytest.fixture
def story() -> Story:
    """The usual customer, whom no cap limits: only the answers speak."""
    return uncapped()


def answer(story: Story, day: str, reply: str, **of: object) -> Decision:
    """On that day in March something is said at ten and answered at noon."""
    act = only(story.at(f"2026-03-{day} 10:00", asked(offer(**of))))  # type: ignore[arg-type]
    story.at(f"2026-03-{day} 12:00", response(reply, act))
    return act


def ask(story: Story, when: str, **of: object) -> Decision:
    """The answer to one question."""
    return only(story.at(when, asked(offer(**of))))  # type: ignore[arg-type]


def test_declined_twice_is_30_days_of_silence(story: Story) -> None:
    """From the last response, to the microsecond; another topic goes on, and service too."""
    answer(story, "02", "declined", topic="sale")
    assert said([ask(story, "2026-03-03 09:00", topic="sale")]) == [YES]
    answer(story, "04", "declined", topic="sale")
    last = ask(story, "2026-04-03 11:59:59.999999", topic="sale")
    assert said([last]) == [DECLINED]
    assert last.allowed_from == at("2026-04-03 12:00")
    assert last.considered[0].because == {"topic": "sale", "since": "2026-03-04T12:00:00Z"}
    assert said([ask(story, "2026-04-03 11:59:59.999999", topic="news")]) == [YES]
    assert said([ask(story, "2026-04-03 11:59:59.999999", topic="sale", kind="survey")]) == [DECLINED]
    assert said([ask(story, "2026-04-03 11:59:59.999999", topic="sale", kind="service")]) == [YES]
    assert said([ask(story, "2026-04-03 12:00", topic="sale")]) == [YES]


def test_ignored_three_times_is_too(story: Story) -> None:
    """Twice is not yet."""
    answer(story, "02", "ignored", topic="sale")
    answer(story, "03", "ignored", topic="sale")
    assert said([ask(story, "2026-03-03 13:00", topic="sale")]) == [YES]
    answer(story, "04", "ignored", topic="sale")
    last = ask(story, "2026-03-04 13:00", topic="sale")
    assert said([last]) == [IGNORED]
    assert last.allowed_from == at("2026-04-03 12:00")


def test_every_later_time_is_90_days(story: Story) -> None:
    """Counted anew since the last block."""
    answer(story, "02", "declined", topic="sale")
    answer(story, "03", "declined", topic="sale")
    for month in ("04", "05"):
        act = only(story.at(f"2026-{month}-10 10:00", asked(offer(topic="sale"))))
        story.at(f"2026-{month}-10 12:00", response("declined", act))
    last = ask(story, "2026-05-11 10:00", topic="sale")
    assert (last.reason, last.allowed_from) == ("repetition.declined", at("2026-08-08 12:00"))


def test_without_a_topic_it_is_the_action_that_rests(story: Story) -> None:
    """A topic of that name is another thing."""
    answer(story, "02", "declined", action="sale")
    answer(story, "03", "declined", action="sale")
    last = ask(story, "2026-03-04 10:00", action="sale")
    assert said([last]) == [DECLINED]
    assert last.considered[0].because == {"action": "sale", "since": "2026-03-03T12:00:00Z"}
    assert said([ask(story, "2026-03-04 10:00", action="sale", topic="sale")]) == [YES]


def test_every_class_counts(story: Story) -> None:
    """Service that was declined silences marketing of that topic (reading 5)."""
    answer(story, "02", "declined", topic="sale", kind="service")
    answer(story, "03", "declined", topic="sale", kind="care")
    assert said([ask(story, "2026-03-04 10:00", topic="sale")]) == [DECLINED]


def test_declined_is_told_before_ignored_and_the_later_end_counts(story: Story) -> None:
    """Two blocks that overlap: the reasons come in the table's order, `allowed_from` is past both."""
    waiting = [only(story.at("2026-03-02 10:00", asked(offer(topic="sale")))) for _ in range(5)]
    for day, (kind, act) in enumerate(zip(["ignored"] * 3 + ["declined"] * 2, waiting, strict=True), 3):
        story.at(f"2026-03-{day:02} 12:00", response(kind, act))
    last = ask(story, "2026-03-08 10:00", topic="sale")
    assert (last.reason, last.allowed_from) == ("repetition.declined", at("2026-06-05 12:00"))
    assert ask(story, "2026-03-08 10:00", topic="other").reason == "allowed.clear"


def test_it_takes_back_what_is_live(story: Story) -> None:
    """The second no silences what was just said of the same."""
    first = only(story.at("2026-03-02 10:00", asked(offer(topic="sale"))))
    second = only(story.at("2026-03-02 10:01", asked(offer(topic="sale"))))
    third = only(story.at("2026-03-02 10:02", asked(offer(topic="sale"))))
    assert story.at("2026-03-02 10:03", response("declined", first)) == []
    recall = only(story.at("2026-03-02 10:04", response("declined", second)))
    assert (recall.recalls, recall.reason) == (third.id, "repetition.declined")


def test_the_numbers_are_the_rulebooks() -> None:
    """2, 3, 30d and 90d are defaults."""
    rule = b"{declined: 1, ignored: 2, first: 5d, later: 10d}"
    story = uncapped(UNCAPPED.replace(b"respect: {", b"respect: {repetition: " + rule + b", "))
    answer(story, "02", "declined", topic="sale")
    assert ask(story, "2026-03-02 13:00", topic="sale").allowed_from == at("2026-03-07 12:00")
    answer(story, "08", "ignored", topic="sale")
    answer(story, "09", "ignored", topic="sale")
    assert ask(story, "2026-03-09 13:00", topic="sale").allowed_from == at("2026-03-19 12:00")
