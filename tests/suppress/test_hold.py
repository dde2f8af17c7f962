"""Rule 5: while a case is open, and for two days after, there is nothing to offer."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.builders import (
    BARE,
    CUSTOMER,
    Story,
    asked,
    at,
    case_opened,
    case_resolved,
    of,
    offer,
    only,
    said,
    uncapped,
)

OPEN = ("suppress", "hold.open_issue")
RESOLVED = ("suppress", "hold.recently_resolved")
YES = ("act", "allowed.clear")
MONDAY, TUESDAY = "2026-03-02 12:00", "2026-03-03 12:00"


def ask(story: Story, when: str, kind: str = "marketing") -> tuple[str, str]:
    """Outcome and reason of one question."""
    return said([only(story.at(when, asked(offer(kind=kind))))])[0]


@pytest.mark.parametrize("severity", ["low", "normal", "high"])
def test_an_open_case_of_any_severity_is_silence(story: Story, severity: str) -> None:
    """Until it is resolved, which no clock does; service goes on."""
    story.at(MONDAY, case_opened(severity=severity, topic="fridge"))
    answer = only(story.at("2026-12-02 12:00", asked()))
    assert said([answer]) == [OPEN]
    assert answer.allowed_from is None
    assert answer.considered[0].because == {
        "case_id": "k-1",
        "opened_at": "2026-03-02T12:00:00Z",
        "severity": severity,
        "topic": "fridge",
    }
    assert ask(story, "2026-12-02 12:00", "survey") == OPEN
    assert ask(story, "2026-12-02 12:00", "service") == YES


def test_48_hours_after_it_is_resolved(story: Story) -> None:
    """To the microsecond."""
    story.at(MONDAY, case_opened())
    story.at(TUESDAY, case_resolved())
    answer = only(story.at("2026-03-05 11:59:59.999999", asked()))
    assert said([answer]) == [RESOLVED]
    assert answer.allowed_from == at("2026-03-05 12:00")
    assert answer.considered[0].because == {"case_id": "k-1", "resolved_at": "2026-03-03T12:00:00Z"}
    assert ask(story, "2026-03-05 12:00") == YES


def test_a_resolution_without_an_opening_holds_48_hours_too(story: Story) -> None:
    """Reading 6."""
    story.at(MONDAY, case_resolved())
    assert ask(story, "2026-03-04 11:59") == RESOLVED
    assert ask(story, "2026-03-04 12:00") == YES


def test_at_equal_times_it_is_open(story: Story) -> None:
    """Reading 6, whichever arrives first."""
    story.at(MONDAY, case_resolved(), case_opened())
    assert ask(story, "2026-03-09 12:00") == OPEN


def test_one_open_case_is_enough(story: Story) -> None:
    """The one that has waited longest gives the facts."""
    story.at(MONDAY, case_opened("a"), case_opened("b"))
    story.at(TUESDAY, case_opened("c"), case_resolved("a"))
    answer = only(story.at("2026-03-20 12:00", asked()))
    assert said([answer]) == [OPEN]
    assert answer.considered[0].because is not None
    assert answer.considered[0].because["case_id"] == "b"


def test_the_last_to_be_resolved_gives_the_end(story: Story) -> None:
    """Two cases resolved one after the other."""
    story.at(MONDAY, case_resolved("a"))
    story.at(TUESDAY, case_resolved("b"))
    assert only(story.at(TUESDAY, asked())).allowed_from == at("2026-03-05 12:00")


def test_it_takes_back_what_is_live(story: Story) -> None:
    """A complaint at noon stops the offer of the morning."""
    act = only(story.at(MONDAY, asked()))
    recall = only(of("recall", story.at("2026-03-02 12:10", case_opened())))
    assert (recall.recalls, recall.reason) == (act.id, "hold.open_issue")


def test_a_case_that_memory_had_to_forget_stays_open(story: Story) -> None:
    """What is forgotten is forgotten to the strict side."""
    story.run.states[CUSTOMER] = replace(story.state, lost=("cases",))
    assert ask(story, MONDAY) == OPEN


def test_the_hours_are_the_rulebooks() -> None:
    """48h is a default."""
    story = uncapped(BARE + b"respect: {hold: {after_resolved: 2h}}\n")
    story.at(MONDAY, case_opened(), case_resolved().since("2026-03-02 12:00:01"))
    assert ask(story, "2026-03-02 14:00") == RESOLVED
    assert ask(story, "2026-03-02 14:00:01") == YES
