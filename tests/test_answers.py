"""What an answer carries beside its verdicts; the choice itself is tested with the engine."""

from __future__ import annotations

import pytest

from decisioning.decision import Decision
from tests.builders import RETAIL, Happening, Story, asked, at, bought, granted, lives, offer, only, said

MADE = "2026-03-02 12:00"


@pytest.fixture
def story() -> Story:
    """A customer with consent to marketing."""
    story = Story(RETAIL.read_bytes())
    story.at("2026-03-01 09:00", lives(time_zone="UTC", name="Ann", language="en"), granted())
    return story


def act(story: Story, when: str = MADE) -> Decision:
    """A service act, which nothing but death and erasure refuses."""
    return only(story.at(when, asked(offer("help", kind="service"))))


def test_whoever_speaks_knows_of_an_open_problem(story: Story) -> None:
    """The newest of those that are open."""
    for case, when in (("k-1", "2026-03-01 10:00"), ("k-2", "2026-03-01 11:00")):
        story.at(when, Happening("support.case_opened", {"case_id": case, "severity": "low", "topic": "billing"}))
    assert (act(story).context or {})["open_case"] == {"case_id": "k-2", "topic": "billing"}
    story.at("2026-03-02 12:01", Happening("support.case_resolved", {"case_id": "k-2"}))
    assert (act(story, "2026-03-02 12:02").context or {})["open_case"] == {"case_id": "k-1", "topic": "billing"}


def test_whoever_speaks_knows_the_last_promise(story: Story) -> None:
    """What was promised, until when, and whether it was kept."""
    promise = {"promise_id": "p-1", "what": "a call back", "due_at": "2026-03-03T12:00:00Z"}
    story.at("2026-03-01 10:00", Happening("support.promise_made", promise))
    told = {"what": "a call back", "due_at": "2026-03-03T12:00:00Z", "kept": False}
    assert (act(story).context or {})["last_promise"] == told
    story.at("2026-03-02 13:00", Happening("support.promise_kept", {"promise_id": "p-1"}))
    assert (act(story, "2026-03-02 13:01").context or {})["last_promise"] == {**told, "kept": True}


def test_a_test_customer_is_marked_as_such(story: Story) -> None:
    """So that no report counts them among the real ones."""
    story.at("2026-03-01 10:00", lives(attributes={"test": True, "seed": False}))
    found = act(story).context or {}
    assert found["test"] is True
    assert "seed" not in found


def test_a_promise_to_several_waits_for_the_first_that_may_speak(story: Story) -> None:
    """An allowed one is not held back by a refused one at a wake, and each request is answered once."""
    story.at("2026-03-02 22:00", asked(offer("a", value=1), request="r-1"), asked(offer("b", value=2), request="r-2"))
    morning = story.until("2026-03-03 08:00")
    assert [(one.request_id, one.outcome.value, one.reason) for one in morning] == [
        ("r-1", "suppress", "outranked.value"),
        ("r-2", "act", "allowed.clear"),
    ]


def test_a_purchase_in_the_night_silences_what_was_promised(story: Story) -> None:
    """At the wake everything is judged on the memory of that moment."""
    story.at("2026-03-02 22:00", asked(offer("a"), request="r-1"))
    story.at("2026-03-02 23:00", bought("X"))
    assert said(story.until("2026-03-03 08:00")) == [("suppress", "recent_purchase.cooldown")]
    assert at("2026-03-03 08:00") == story.state.now
