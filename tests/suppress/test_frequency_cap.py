"""Rule 21: 1 marketing a day, 3 in 7 days, 8 in 30; SMS 1 in 7; rolling; it refuses."""

from __future__ import annotations

import pytest

from decisioning.decision import Decision
from tests.builders import BARE, Story, asked, at, granted, lives, offer, only, prefers, response, said

YES = ("act", "allowed.clear")
RESPONSES = ["delivered", "opened", "clicked", "accepted", "declined", "ignored"]


def full(cap: str) -> tuple[str, str]:
    """The refusal of one cap."""
    return ("suppress", f"frequency_cap.{cap}")


def ask(story: Story, when: str, on: str = "email", kind: str = "marketing") -> Decision:
    """The answer to one question."""
    return only(story.at(when, asked(offer(on=[on], kind=kind))))


def speak(story: Story, *days: str, on: str = "email") -> list[Decision]:
    """One marketing act at 12:00 of each of these days of March 2026."""
    acts = [ask(story, f"2026-03-{day} 12:00", on) for day in days]
    assert said(acts) == [YES] * len(days)
    return acts


def test_one_a_day(story: Story) -> None:
    """Rolling: the slot is free at made + per, not before and not at midnight (reading 3)."""
    speak(story, "02")
    early = ask(story, "2026-03-03 11:59:59.999999")
    assert said([early]) == [full("day")]
    assert early.allowed_from == at("2026-03-03 12:00")
    assert early.considered[0].because == {"count": 1, "limit": 1, "per": "1d"}
    assert said([ask(story, "2026-03-03 12:00")]) == [YES]


def test_it_counts_over_all_channels(story: Story) -> None:
    """The day's slot is the customer's, whatever the channel."""
    speak(story, "02", on="push")
    assert said([ask(story, "2026-03-02 12:30", "email")]) == [full("day")]


def test_three_in_seven_days(story: Story) -> None:
    """The fourth waits for the first to be seven days old."""
    speak(story, "02", "03", "04")
    refused = ask(story, "2026-03-06 12:00")
    assert said([refused]) == [full("week")]
    assert refused.allowed_from == at("2026-03-09 12:00")
    assert said([ask(story, "2026-03-09 12:00")]) == [YES]


def test_eight_in_thirty_days(story: Story) -> None:
    """The ninth waits for the first to be thirty days old."""
    speak(story, "01", "04", "07", "10", "13", "16", "19", "22")
    refused = ask(story, "2026-03-25 12:00")
    assert said([refused]) == [full("month")]
    assert refused.allowed_from == at("2026-03-31 12:00")
    assert said([ask(story, "2026-03-31 12:00")]) == [YES]


def test_the_caps_speak_in_the_order_of_the_table(story: Story) -> None:
    """Day before week before channel, where all are full."""
    speak(story, "02", "03")
    speak(story, "04", on="sms")
    assert said([ask(story, "2026-03-05 11:00", "sms")]) == [full("day")]
    assert said([ask(story, "2026-03-05 12:00", "sms")]) == [full("week")]
    assert said([ask(story, "2026-03-09 12:00", "sms")]) == [full("channel")]


def test_sms_once_in_seven_days(story: Story) -> None:
    """SMS has its own number, which other channels neither use nor feel."""
    speak(story, "02", on="sms")
    refused = ask(story, "2026-03-04 12:00", "sms")
    assert said([refused]) == [full("channel")]
    assert refused.allowed_from == at("2026-03-09 12:00")
    assert said([ask(story, "2026-03-04 12:01", "email")]) == [YES]


def test_a_channel_that_is_used_up_leaves_the_others_of_a_candidate(story: Story) -> None:
    """Caps are judged per candidate and channel: the next-liked channel speaks."""
    speak(story, "02", on="sms")
    act = only(story.at("2026-03-04 12:00", asked(offer(on=["sms", "email"]))))
    assert (act.outcome.value, act.channel) == ("act", "email")


def test_allowed_from_ends_all_caps(story: Story) -> None:
    """When the day is over the week is still full: `allowed_from` is the end of both."""
    speak(story, "02", "03", "04")
    assert ask(story, "2026-03-04 13:00").allowed_from == at("2026-03-09 12:00")


@pytest.mark.parametrize(("limit", "reason"), [(3, "week"), (4, "week"), (2, "own_limit")])
def test_the_customers_own_limit_counts_where_it_is_below_the_weeks(story: Story, limit: int, reason: str) -> None:
    """A limit of 3 or more changes nothing; 2 is their own."""
    story.at("2026-03-01 12:00", prefers(max_marketing_per_week=limit))
    speak(story, *(["02", "03", "04"] if reason == "week" else ["02", "03"]))
    refused = ask(story, "2026-03-06 12:00")
    assert said([refused]) == [full(reason)]
    assert refused.allowed_from == at("2026-03-09 12:00")


def test_none_a_week_is_none_for_ever(story: Story) -> None:
    """A limit of 0 refuses with nothing to hope for, but not service."""
    story.at("2026-03-01 12:00", prefers(max_marketing_per_week=0))
    refused = ask(story, "2026-03-02 12:00")
    assert said([refused]) == [full("own_limit")]
    assert refused.allowed_from is None
    assert said([ask(story, "2026-03-02 12:01", kind="service")]) == [YES]


def test_at_a_tie_the_lower_limit_holds(story: Story) -> None:
    """Of two limits of one time the stricter."""
    story.at("2026-03-01 12:00", prefers(max_marketing_per_week=0), prefers(max_marketing_per_week=5))
    assert said([ask(story, "2026-03-02 12:00")]) == [full("own_limit")]


@pytest.mark.parametrize("kind", ["service", "care"])
def test_other_classes_take_no_slot_and_need_none(story: Story, kind: str) -> None:
    """Rule 21 is for marketing; surveys have their own caps."""
    assert said([ask(story, "2026-03-02 12:00", kind=kind), ask(story, "2026-03-02 12:01", kind=kind)]) == [YES, YES]
    speak(story, "03")
    assert said([ask(story, "2026-03-03 12:01", kind=kind)]) == [YES]


def test_a_promise_takes_no_slot(story: Story) -> None:
    """A slot is taken by `act`, never by `defer`."""
    assert said(story.at("2026-03-02 22:00", asked(request="r-1"))) == [("defer", "quiet_hours.night")]
    assert said(story.at("2026-03-03 08:00", asked(request="r-2"))) == [YES], "at one instant events go before wakes"


@pytest.mark.parametrize("kind", ["failed", "expired"])
def test_what_never_went_out_gives_its_slot_back(story: Story, kind: str) -> None:
    """`response.failed` and `.expired` give the slot back."""
    [act] = speak(story, "02")
    story.at("2026-03-02 12:10", response(kind, act))
    assert said([ask(story, "2026-03-02 12:11")]) == [YES]


@pytest.mark.parametrize(("in_time", "expected"), [(True, YES), (False, full("day"))])
def test_recalled_in_time_gives_its_slot_back(story: Story, in_time: bool, expected: tuple[str, str]) -> None:
    """`response.recalled` gives it back only when it was stopped before it went out."""
    [act] = speak(story, "02")
    story.at("2026-03-02 12:10", response("recalled", act, in_time=in_time))
    assert said([ask(story, "2026-03-02 12:11")]) == [expected]


@pytest.mark.parametrize("kind", RESPONSES)
def test_every_other_response_shows_arrival(story: Story, kind: str) -> None:
    """Of arrival and give-back the later `time` holds (reading 2), in any order of arrival here."""
    [act] = speak(story, "02")
    story.at("2026-03-02 12:20", response(kind, act), response("failed", act).since("2026-03-02 12:10"))
    assert said([ask(story, "2026-03-02 12:21")]) == [full("day")]


def test_a_later_failure_gives_back_what_seemed_to_arrive(story: Story) -> None:
    """The later `time` holds, so a bounce after a delivery report gives the slot back."""
    [act] = speak(story, "02")
    story.at("2026-03-02 12:20", response("failed", act), response("delivered", act).since("2026-03-02 12:10"))
    assert said([ask(story, "2026-03-02 12:21")]) == [YES]


@pytest.mark.parametrize("turned", [False, True])
def test_at_a_tie_the_slot_is_taken(story: Story, turned: bool) -> None:
    """Arrival and failure at one time: taken (reading 2)."""
    [act] = speak(story, "02")
    facts = [response("delivered", act), response("failed", act)]
    story.at("2026-03-02 12:20", *(reversed(facts) if turned else facts))
    assert said([ask(story, "2026-03-02 12:21")]) == [full("day")]


def test_silence_counts_as_sent(story: Story) -> None:
    """An act of which nobody ever reports keeps its slot."""
    speak(story, "02")
    assert said([ask(story, "2026-03-03 08:00")]) == [full("day")]


def test_a_recall_alone_gives_nothing_back(story: Story) -> None:
    """Only the channel knows whether it was in time."""
    speak(story, "02")
    recall = only(story.at("2026-03-02 12:10", lives(time_zone="Asia/Tokyo")))
    assert said([recall]) == [("recall", "quiet_hours.night")]
    story.at("2026-03-02 12:11", lives(time_zone="UTC"))
    assert said([ask(story, "2026-03-02 12:12")]) == [full("day")]


def test_the_caps_are_the_rulebooks() -> None:
    """An author's own caps replace the default ones, and their names are their reasons."""
    caps = b"{caps: [{name: half_day, limit: 2, per: 12h, channels: [email, push]}], own_limit: {per: 1d}}"
    story = Story(BARE + b"respect: {frequency_cap: " + caps + b"}\n")
    story.at("2026-03-01 12:00", lives(time_zone="UTC"), granted())
    assert said([ask(story, f"2026-03-02 0{hour}:00", "email") for hour in (8, 9)]) == [YES, YES]
    assert said([ask(story, "2026-03-02 10:00", "email")]) == [full("half_day")]
    assert said([ask(story, "2026-03-02 10:15", "push")]) == [YES], "a cap with channels counts each by itself"
    assert said([ask(story, "2026-03-02 10:30", "letter")]) == [YES]


def test_of_two_requests_of_one_microsecond_only_one_passes(story: Story) -> None:
    """A slot is taken in the step that decides."""
    first, second = story.at("2026-03-02 12:00", asked(), asked())
    assert said([first]) == [YES]
    assert second.outcome.value == "suppress"
