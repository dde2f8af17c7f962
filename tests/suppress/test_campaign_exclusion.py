"""Rule 12: whoever ever bought is no prospect."""

from __future__ import annotations

import pytest

from tests.builders import Happening, Story, asked, bought, cancelled, offer, only, placed, returned, said

EXISTING = ("suppress", "campaign_exclusion.existing_customer")
YES = ("act", "allowed.clear")


def ask(story: Story, when: str, audience: str | None = "prospect", kind: str = "marketing") -> tuple[str, str]:
    """Outcome and reason of one question."""
    return said([only(story.at(when, asked(offer(kind=kind, audience=audience))))])[0]


@pytest.mark.parametrize("since", [[], [returned("A")], [cancelled()]])
def test_whoever_ever_bought_is_no_prospect(story: Story, since: list[Happening]) -> None:
    """Returned or not, and for ever."""
    story.at("2026-03-02 12:00", bought("A"), *since)
    answer = only(story.at("2027-12-20 12:00", asked(offer(audience="prospect"))))
    assert said([answer]) == [EXISTING]
    assert answer.allowed_from is None
    assert answer.considered[0].because == {"bought_at": "2026-03-02T12:00:00Z"}
    assert ask(story, "2027-12-20 12:00", kind="survey") == EXISTING
    assert ask(story, "2027-12-20 12:00", kind="service") == YES
    assert ask(story, "2027-12-20 12:00", audience="customers") == YES


def test_who_never_bought_is_one(story: Story) -> None:
    """An order that was only placed is no purchase."""
    story.at("2026-03-02 12:00", placed())
    assert ask(story, "2026-03-02 12:00") == YES


def test_what_is_for_nobody_in_particular_is_for_all(story: Story) -> None:
    """Without an audience the rule says nothing."""
    story.at("2026-03-02 12:00", bought("A"))
    assert ask(story, "2026-03-20 12:00", audience=None) == YES
