"""Taking words back: every live act is judged again as if it had not been made (contract.md, section 3, "Recall")."""

from __future__ import annotations

import pytest

from decisioning.decision import Decision, Trigger
from decisioning.engine import on_sweep
from decisioning.stops import Stop, Stopped, Stops, What, Word, dumps, key_of
from tests.builders import (
    BARE,
    Happening,
    Story,
    asked,
    at,
    bought,
    died,
    granted,
    lives,
    nothing_new,
    of,
    offer,
    only,
    prefers,
    product,
    response,
    said,
    uncapped,
    weighed,
    window,
    withdrawn,
)

MADE = "2026-03-02 12:00"
FIVE_A_DAY = BARE + b"respect: {frequency_cap: {caps: [{name: day, limit: 5, per: 1d}]}}\n"


@pytest.fixture
def act(story: Story) -> Decision:
    """A marketing act by email at 12:00, live until 16:00."""
    return only(story.at(MADE, asked(offer(sku="B"), request="r-known")))


def stopped(what: What, name: str = "") -> Stopped:
    """Somebody pulled the switch."""
    known = Stops()
    made = Stop(what, name, Word("anna", "2026-03-02T13:00:00Z", "because"))
    known.take(key_of(made), dumps(made))
    return known.stopped


@pytest.mark.parametrize(
    ("what", "name", "reason"),
    [
        (What.MARKETING, "", "stopped.marketing"),
        (What.CHANNEL, "email", "stopped.channel"),
        (What.ACTION, "offer", "stopped.action"),
        (What.CAMPAIGN, "spring", "stopped.campaign"),
        (What.CHANNEL, "sms", None),
        (What.ACTION, "other", None),
        (What.CAMPAIGN, "autumn", None),
    ],
)
def test_what_is_stopped_by_hand_is_taken_back_without_an_event(
    story: Story, what: What, name: str, reason: str | None
) -> None:
    """At once, with the stop as its trigger; and once: the same stop told again changes nothing."""
    act = only(story.at(MADE, asked(campaign="spring")))
    policy = story.policy.under(stopped(what, name))
    step = on_sweep(policy, story.state, policy.stopped_by, at("2026-03-02 13:00"))
    if reason is None:
        assert (step.state, step.outputs) == (story.state, ())
        return
    taken = only(step.outputs)
    assert (taken.recalls, taken.reason, taken.allowed_from) == (act.id, reason, None)
    cause = f"{what} {name}".rstrip() + "@2026-03-02T13:00:00Z"
    assert taken.trigger == Trigger("/decisioning", cause, "stop")
    assert weighed(taken) == [("offer", "email", "suppress", reason)]
    assert on_sweep(policy, step.state, policy.stopped_by, at("2026-03-02 13:01")).outputs == ()


def test_a_stop_asks_no_other_rule(story: Story, act: Decision) -> None:
    """What only time has changed waits for an event; what has run out is nobody's to take back."""
    story.at("2026-03-02 12:30", asked(offer(kind="service", on=["push"])))
    sms = story.policy.under(stopped(What.CHANNEL, "sms"))
    assert on_sweep(sms, story.state, "x", at("2026-03-02 15:59")).outputs == ()
    all_ = story.policy.under(stopped(What.MARKETING))
    assert [one.recalls for one in on_sweep(all_, story.state, "x", at("2026-03-02 15:59")).outputs] == [act.id]
    assert on_sweep(all_, story.state, "x", at("2026-03-02 16:00")).outputs == ()


def recalls(story: Story, when: str, *happenings: Happening) -> list[Decision]:
    """The recalls among what is said."""
    return of("recall", story.at(when, *happenings))


@pytest.mark.parametrize(
    ("happening", "reason"),
    [
        (withdrawn(), "consent.withdrawn"),
        (bought("B"), "recent_purchase.same_item"),
        (bought("Z"), "recent_purchase.cooldown"),
        (lives(time_zone="Asia/Tokyo"), "quiet_hours.night"),
        (prefers(contact_windows=[window("tue", "09:00", "17:00")]), "contact_window.outside"),
        (prefers(max_marketing_per_week=0), "frequency_cap.own_limit"),
        (died(), "empathy.deceased"),
    ],
)
def test_what_would_now_be_refused_or_delayed_is_taken_back(
    story: Story, act: Decision, happening: Happening, reason: str
) -> None:
    """A `suppress` or `defer` verdict recalls with that reason, whichever rule gives it."""
    recall = only(recalls(story, "2026-03-02 12:30", happening))
    assert (recall.recalls, recall.reason) == (act.id, reason)


def test_a_recall_says_what_and_why(story: Story, act: Decision) -> None:
    """It names act, request, channel, the event that made it wrong and the verdict."""
    recall = only(recalls(story, "2026-03-02 12:30", bought("Z").named("p-1")))
    assert (recall.action, recall.class_, recall.channel, recall.request_id) == (
        "offer",
        "marketing",
        "email",
        "r-known",
    )
    assert recall.trigger == Trigger("/shop", "p-1", "purchase.completed")
    assert (recall.time, recall.allowed_from) == (at("2026-03-02 12:30"), at("2026-03-04 12:30"))
    assert weighed(recall) == [("offer", "email", "suppress", "recent_purchase.cooldown")]
    assert recall.cause is None


def test_its_own_slot_does_not_recall_an_act(story: Story, act: Decision) -> None:
    """*As if it had not been made*: its own slot is left out."""
    assert recalls(story, "2026-03-02 12:30", nothing_new()) == []


def test_an_act_is_recalled_once(story: Story, act: Decision) -> None:
    """What was taken back is not live any more."""
    assert len(recalls(story, "2026-03-02 12:30", died())) == 1
    assert recalls(story, "2026-03-02 12:40", nothing_new(), withdrawn()) == []


@pytest.mark.parametrize(("when", "count"), [("2026-03-02 15:59:59.999999", 1), ("2026-03-02 16:00", 0)])
def test_an_act_is_live_until_its_valid_until(story: Story, act: Decision, when: str, count: int) -> None:
    """[made, valid_until)."""
    assert act.valid_until == at("2026-03-02 16:00")
    assert len(recalls(story, when, died())) == count


@pytest.mark.parametrize(
    "kind", ["delivered", "failed", "expired", "opened", "clicked", "accepted", "declined", "ignored"]
)
def test_a_response_ends_its_being_live(story: Story, act: Decision, kind: str) -> None:
    """Nothing can be taken back once a response names it (reading 4)."""
    story.at("2026-03-02 12:10", response(kind, act))
    assert recalls(story, "2026-03-02 12:30", died()) == []


@pytest.mark.parametrize("in_time", [True, False])
def test_a_report_of_a_recall_ends_its_being_live_too(story: Story, act: Decision, in_time: bool) -> None:
    """`response.recalled` names the act as well."""
    story.at("2026-03-02 12:10", response("recalled", act, in_time=in_time))
    assert recalls(story, "2026-03-02 12:30", died()) == []


def test_an_answered_survey_ends_its_being_live(story: Story) -> None:
    """`survey.answered` may name the act that asked: who has answered cannot be unasked."""
    survey = only(story.at(MADE, asked()))
    story.at("2026-03-02 12:05", Happening("survey.answered", {"survey": "nps", "score": 9}))
    story.at("2026-03-02 12:10", Happening("survey.answered", {"survey": "nps", "decision_id": survey.id}))
    assert recalls(story, "2026-03-02 12:30", died()) == []


def test_an_answered_survey_that_names_no_act_ends_none(story: Story) -> None:
    """`decision_id` is optional; without it nothing is known of an act."""
    story.at(MADE, asked())
    story.at("2026-03-02 12:10", Happening("survey.answered", {"survey": "nps", "score": 9}))
    assert len(recalls(story, "2026-03-02 12:30", died())) == 1


def test_a_response_to_another_decision_leaves_it_live(story: Story, act: Decision) -> None:
    """Only the act that is named ends."""
    stranger = only(of("suppress", story.at("2026-03-02 12:10", asked())))
    story.at("2026-03-02 12:20", response("delivered", stranger))
    assert len(recalls(story, "2026-03-02 12:30", died())) == 1


@pytest.mark.parametrize("kind", ["service", "care"])
def test_acts_of_every_class_are_judged_again(story: Story, kind: str) -> None:
    """A service act of someone who has died is taken back."""
    act = only(story.at(MADE, asked(offer(kind=kind))))
    assert [one.recalls for one in recalls(story, "2026-03-02 12:30", died())] == [act.id]


def test_service_stays_where_only_marketing_must_go(story: Story) -> None:
    """The rules of marketing do not recall a service act."""
    story.at(MADE, asked(offer(kind="service")))
    assert recalls(story, "2026-03-02 12:30", withdrawn(), bought("A"), lives(time_zone="Asia/Tokyo")) == []


def test_a_product_and_a_wake_recall_nothing_but_the_next_event_does() -> None:
    """Each event of a customer that is not a repeat can matter; wakes and products do not (reading 4)."""
    story = uncapped()
    story.at("2026-02-20 12:00", bought("A"))
    story.at(MADE, prefers(contact_windows=[window("mon", "13:00", "14:00")]), asked())
    story.at("2026-03-02 12:01", prefers(contact_windows=[]))
    act = only(story.at("2026-03-02 12:30", asked(offer(sku="B")).named("e-b")))
    assert story.at("2026-03-02 12:40", product("B", variant_of="A")) == []
    assert said(story.until("2026-03-02 13:00")) == [("act", "allowed.clear")], "the wake of what waited"
    assert story.at("2026-03-02 13:10", asked(offer(sku="B")).named("e-b")) == [], "a repeat"
    recall = only(recalls(story, "2026-03-02 13:20", nothing_new()))
    assert (recall.recalls, recall.reason) == (act.id, "recent_purchase.same_item")


def test_another_customers_event_recalls_nothing(story: Story, act: Decision) -> None:
    """Only the customer's own events can matter."""
    assert recalls(story, "2026-03-02 12:30", died().by("c-other")) == []


@pytest.fixture
def talkative() -> Story:
    """Someone who may hear from us five times a day, with two live acts of 12:00 and 12:30."""
    story = Story(FIVE_A_DAY)
    story.at("2026-03-01 09:00", lives(time_zone="UTC"), granted())
    story.at(MADE, asked(offer("first", on=["email"])))
    story.at("2026-03-02 12:30", asked(offer("second", on=["push"])))
    return story


def test_acts_are_judged_oldest_first_and_later_ones_are_left_out(talkative: Story) -> None:
    """With a limit of 1 the first stands, for the second is left out; the second goes, for the first counts."""
    told = recalls(talkative, "2026-03-02 13:00", prefers(max_marketing_per_week=1))
    assert [(one.action, one.reason) for one in told] == [("second", "frequency_cap.own_limit")]


def test_acts_just_recalled_still_count(talkative: Story) -> None:
    """The first is recalled for the window, and still takes the slot that the second would need."""
    closed = [window("tue", "09:00", "17:00")]
    told = recalls(talkative, "2026-03-02 13:00", prefers(max_marketing_per_week=1, contact_windows=closed))
    assert [(one.action, one.reason) for one in told] == [
        ("first", "contact_window.outside"),
        ("second", "frequency_cap.own_limit"),
    ]


def test_an_act_whose_slot_was_given_back_does_not_count(talkative: Story) -> None:
    """Nothing of the first went out, so the second is alone."""
    first = talkative.state.acts[0]
    failure = Happening("response.failed", {"decision_id": first.id, "channel": "email"})
    talkative.at("2026-03-02 12:40", failure)
    assert recalls(talkative, "2026-03-02 13:00", prefers(max_marketing_per_week=1)) == []


def test_acts_of_one_instant_are_judged_by_their_id(story: Story) -> None:
    """Oldest first: made, then id."""
    acts = story.at(MADE, *[asked(offer(f"service-{n}", kind="service")) for n in range(5)])
    told = recalls(story, "2026-03-02 12:30", died())
    assert [one.recalls for one in told] == sorted(one.id for one in acts)


def test_recalls_come_before_answers(story: Story, act: Decision) -> None:
    """In one step: recalls, then acts and answers (reading 10)."""
    story.at("2026-03-02 12:04", bought("A").since("2026-02-20 12:00"))
    story.at("2026-03-02 12:05", product("B", variant_of="A"))
    told = story.at("2026-03-02 12:30", asked(offer(kind="service")))
    assert [one.outcome.value for one in told] == ["recall", "act"]


def test_lateness_is_not_measured_at_recalls(story: Story) -> None:
    """A request 15 minutes late when first handled is hours old at the next event, and stands (reading 3)."""
    only(story.at(MADE, asked().since("2026-03-02 11:45")))
    assert recalls(story, "2026-03-02 15:00", nothing_new()) == []


def test_a_new_request_may_speak_once_a_recall_came_in_time(story: Story, act: Decision) -> None:
    """The slot is given back by the channel's report, not by the recall."""
    recalls(story, "2026-03-02 12:30", withdrawn(on=["email"]))
    assert said(of("suppress", story.at("2026-03-02 12:31", asked(offer(on=["push"]))))) == [
        ("suppress", "frequency_cap.day")
    ]
    story.at("2026-03-02 12:32", response("recalled", act, in_time=True))
    assert said(story.at("2026-03-02 12:33", asked(offer(on=["push"])))) == [("act", "allowed.clear")]


@pytest.mark.parametrize(
    ("named", "reason"), [({"request_id": "r-1"}, "withdrawn.request"), ({"campaign": "spring"}, "withdrawn.campaign")]
)
def test_whoever_asked_may_withdraw(story: Story, named: dict[str, str], reason: str) -> None:
    """What is live is recalled at once, what waits gets its one further answer at once; neither says when it may."""
    act = only(story.at(MADE, asked(offer("a"), request="r-1", campaign="spring")))
    story.at("2026-03-02 12:01", asked(offer("b", kind="service"), request="r-2"))
    recall = only(story.at("2026-03-02 12:05", Happening("contact.withdrawn", named)))
    assert (recall.recalls, recall.reason, recall.allowed_from) == (act.id, reason, None)
    assert story.at("2026-03-02 12:06", Happening("contact.withdrawn", named)) == []


def test_what_waits_is_answered_when_it_is_withdrawn(story: Story) -> None:
    """With the trigger of the wake that was promised and its cause; at the wake nothing more is said."""
    promise = only(story.at("2026-03-02 22:00", asked(offer(), request="r-1", campaign="spring")))
    answer = only(story.at("2026-03-02 22:05", Happening("contact.withdrawn", {"campaign": "spring"})))
    assert said([answer]) == [("suppress", "withdrawn.campaign")]
    assert (answer.trigger.type, answer.cause) == ("wake", promise.trigger)
    assert answer.trigger.id.endswith("@2026-03-03T08:00:00Z")
    assert (answer.allowed_from, answer.request_id) == (None, "r-1")
    assert story.until("2026-03-03 09:00") == []


def test_a_withdrawal_of_something_else_withdraws_nothing(story: Story, act: Decision) -> None:
    """Another request, another campaign."""
    for named in ({"request_id": "r-other"}, {"campaign": "other"}):
        assert story.at("2026-03-02 12:05", Happening("contact.withdrawn", named)) == []
