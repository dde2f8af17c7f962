"""Events in the order given, wakes between them (contract.md, section 2, "Order of facts", and reading 9)."""

from __future__ import annotations

from decisioning.decision import Decision
from tests.builders import Happening, Story, asked, at, event, granted, lives, nothing_new, offer, only, product, said

NIGHT, MORNING = "2026-03-02 22:00", "2026-03-03 08:00"


def who(decisions: list[Decision]) -> list[tuple[str, str]]:
    """Customer and outcome of each decision, in order."""
    return [(decision.subject, decision.outcome.value) for decision in decisions]


def told(*customers: str) -> Story:
    """A story about customers in UTC who all agreed to marketing."""
    story = Story()
    for customer in customers:
        story.at("2026-03-02 09:00", lives(time_zone="UTC").by(customer), granted().by(customer))
    return story


def test_the_clock_is_the_newest_event_time_and_never_goes_back(story: Story) -> None:
    """An event that comes late is handled at the newest time so far."""
    story.at("2026-03-02 12:00", nothing_new())
    act = only(story.at("2026-03-02 12:00", asked().since("2026-03-02 11:50")))
    assert act.time == at("2026-03-02 12:00")
    assert story.run.now == at("2026-03-02 12:00")


def test_wakes_fire_before_the_event_that_comes_after_them() -> None:
    """Whoever it is about, at their own time."""
    story = told("c-1")
    story.at(NIGHT, asked().by("c-1"))
    wake, answer = story.at("2026-03-03 09:00", asked(offer(kind="service")).by("c-2"))
    assert who([wake, answer]) == [("c-1", "act"), ("c-2", "act")]
    assert (wake.time, answer.time) == (at(MORNING), at("2026-03-03 09:00"))


def test_at_one_instant_events_go_before_wakes() -> None:
    """The wake waits until the clock has left its instant, or the events are over."""
    story = told("c-1")
    story.at(NIGHT, asked().by("c-1"))
    assert story.at(MORNING, nothing_new().by("c-1")) == []
    assert story.at(MORNING, nothing_new().by("c-2")) == []
    assert who(story.at("2026-03-03 08:00:00.000001", nothing_new().by("c-2"))) == [("c-1", "act")]


def test_wakes_go_by_due_and_then_by_customer() -> None:
    """Of two due at one instant the lesser name goes first, whoever asked first."""
    story = told("c-9", "c-1", "c-5")
    story.at("2026-03-02 09:00", lives(time_zone="Europe/Berlin").by("c-5"))
    story.at(NIGHT, asked().by("c-9"), asked().by("c-1"), asked().by("c-5"))
    assert [decision.subject for decision in story.until("2026-03-04")] == ["c-5", "c-1", "c-9"]


def test_products_and_unknown_types_and_repeats_move_the_clock() -> None:
    """All that could be read does (reading 9)."""
    for happening in (product("A"), Happening("shop.closed", {}), nothing_new().named("e-known")):
        story = told("c-1")
        story.at("2026-03-02 10:00", nothing_new().named("e-known"))
        story.at(NIGHT, asked().by("c-1"))
        assert who(story.at("2026-03-03 08:00:01", happening)) == [("c-1", "act")]


def test_products_reach_the_catalogue_and_no_customer(story: Story) -> None:
    """Their subject is a sku."""
    story.at("2026-03-02 10:00", product("A"))
    assert story.policy.catalogue.get("A") is not None
    assert "A" not in story.run.states


def test_an_unknown_type_leaves_no_memory() -> None:
    """Nobody is remembered for an event that nobody understands."""
    story = Story()
    list(story.run.feed(event("shop.closed", "2026-03-02 10:00", {}, subject="c-1")))
    assert story.run.states == {}


def test_at_the_end_wakes_due_by_the_newest_event_have_fired() -> None:
    """Or by `--until` where that is later (reading 9)."""
    story = told("c-1")
    story.at(NIGHT, asked().by("c-1"))
    assert list(story.run.finish()) == []
    story.at(MORNING, nothing_new().by("c-2"))
    assert who(list(story.run.finish())) == [("c-1", "act")]
    assert list(story.run.finish()) == []


def test_until_fires_what_is_due_by_then() -> None:
    """At `--until` itself too; an earlier one than the newest event changes nothing."""
    story = told("c-1")
    story.at(NIGHT, asked().by("c-1"))
    assert story.until("2026-03-03 07:59:59") == []
    assert story.until("2026-03-01") == []
    assert said(story.until(MORNING)) == [("act", "allowed.clear")]


def test_a_promise_made_at_a_wake_is_kept_in_the_same_run() -> None:
    """A wake that promises again is followed by its own wake."""
    story = told("c-1")
    story.at(NIGHT, asked(offer(expires="2026-03-05")).by("c-1"))
    story.at("2026-03-02 23:00", lives(time_zone="America/New_York").by("c-1"))
    first, second = story.until("2026-03-04")
    assert [(one.outcome.value, one.time) for one in (first, second)] == [
        ("defer", at(MORNING)),
        ("act", at("2026-03-03 13:00")),
    ]
