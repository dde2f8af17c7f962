"""One question in, its answers out: who answers for whom, promises and wakes (contract.md, section 3)."""

from __future__ import annotations

from msgspec.structs import replace

from decisioning.decision import Outcome, Trigger
from decisioning.engine import Step, on_event, on_wake
from decisioning.instant import DAY, HOUR
from tests.builders import (
    CUSTOMER,
    Happening,
    Story,
    asked,
    at,
    bought,
    event,
    lives,
    offer,
    only,
    prefers,
    response,
    returned,
    said,
    weighed,
    window,
    withdrawn,
)

MORNING = "2026-03-03 08:00"
NIGHT = "2026-03-02 22:00"


def test_marketing_and_survey_get_one_answer_together_and_service_each_its_own(story: Story) -> None:
    """Service and care do not compete; answers come in the order of the request."""
    kinds = ["service", "marketing", "care", "survey", "service"]
    answers = story.at("2026-03-02 10:15", asked(*[offer(f"{kind}-{n}", kind=kind) for n, kind in enumerate(kinds)]))
    assert [one.action for one in answers] == ["service-0", "marketing-1", "care-2", "service-4"]
    assert [one.outcome for one in answers] == [Outcome.ACT] * 4
    assert [pair[0] for pair in weighed(answers[1])] == ["marketing-1", "survey-3"]
    assert {one.request_id for one in answers} == {answers[0].request_id}


def test_any_allowed_candidate_acts_however_great_the_refused(story: Story) -> None:
    """`act` with the best of those that may."""
    story.at("2026-02-20 10:15", bought("A"))
    act = only(story.at("2026-03-02 10:15", asked(offer("great", sku="A", value=99), offer("small", value=1))))
    assert (act.outcome, act.action, act.reason) == (Outcome.ACT, "small", "allowed.clear")
    assert weighed(act) == [
        ("great", "email", "suppress", "recent_purchase.same_item"),
        ("small", "email", "allow", "allowed.clear"),
    ]


def test_a_promise_names_the_best_that_waits_and_its_most_liked_channel_that_waits(story: Story) -> None:
    """`defer` passes over what is refused: the candidate just bought, and the channel without consent."""
    story.at("2026-02-20 10:15", bought("A"), prefers(channels=["sms", "push"]), withdrawn(on=["sms"]))
    great, small = offer("great", sku="A", value=99), offer("small", on=["email", "push", "sms"])
    promise = only(story.at(NIGHT, asked(great, small, offer("tiny", value=-1))))
    assert (promise.outcome, promise.action, promise.channel) == (Outcome.DEFER, "small", "push")
    assert (promise.reason, promise.not_before) == ("quiet_hours.night", at(MORNING))


def test_a_no_names_the_best_ranked_and_its_most_liked_channel(story: Story) -> None:
    """`reason` is that pair's, whatever refused the others."""
    story.at("2026-02-20 10:15", bought("A"), prefers(channels=["sms"]), withdrawn(on=["sms"]))
    answer = only(
        story.at("2026-03-02 10:15", asked(offer("low", sku="A"), offer("high", sku="A", value=2, on=["email", "sms"])))
    )
    assert (answer.outcome, answer.action, answer.channel) == (Outcome.SUPPRESS, "high", "sms")
    assert answer.reason == "consent.withdrawn"
    assert [pair[3] for pair in weighed(answer)] == [
        "recent_purchase.same_item",
        "consent.withdrawn",
        "recent_purchase.same_item",
    ]


def test_a_loser_that_was_allowed_was_outranked_until_the_winners_slot_is_free(story: Story) -> None:
    """Only for `outranked.value` does `allowed_from` count the winner's slot (reading 1)."""
    story.at("2026-02-20 10:15", bought("A"))
    act = only(
        story.at(
            "2026-03-02 10:15",
            asked(
                offer("wins", value=3, on=["sms"]),
                offer("loses", value=2, on=["sms", "email"]),
                offer("asks", kind="survey"),
                offer("owned", sku="A"),
            ),
        )
    )
    told = {(one.candidate.action, one.channel): (one.reason, one.allowed_from) for one in act.considered}
    assert told == {
        ("wins", "sms"): ("allowed.clear", None),
        ("loses", "sms"): ("outranked.value", at("2026-03-09 10:15")),
        ("loses", "email"): ("outranked.value", at("2026-03-03 10:15")),
        ("asks", "email"): ("survey.no_plan", None),
        ("owned", "email"): ("recent_purchase.same_item", at("2026-03-22 10:15")),
    }
    assert {one.as_json()["verdict"] for one in act.considered} == {"allow", "suppress"}


def test_an_act_tells_whoever_speaks_what_to_know(story: Story) -> None:
    """`context`: name, language, and the skus that were bought, neither sent back nor cancelled."""
    story.at("2026-02-20 10:15", bought("B", "A", "C"), returned("C"), lives(name="Ada", language="en-GB"))
    act, no = story.at("2026-02-20 10:20", asked(offer(kind="service"), offer()))
    assert act.context == {"name": "Ada", "language": "en-GB", "owned_skus": ["A", "B"]}
    assert no.context is None


def test_the_context_is_bounded(story: Story) -> None:
    """Who bought a whole shop is told of its first 50 skus."""
    story.at("2026-02-20 10:15", bought(*[f"S-{number:03}" for number in range(60)]))
    act = only(story.at("2026-02-20 10:20", asked(offer(kind="service"))))
    assert act.context == {"owned_skus": [f"S-{number:03}" for number in range(50)]}


def test_a_promise_is_kept_once_at_its_time(story: Story) -> None:
    """Exactly one further answer, at `not_before`, with the wake as trigger and the request as cause."""
    promise = only(story.at(NIGHT, asked(request="r-9").named("e-9")))
    assert story.until("2026-03-03 07:59:59.999999") == []
    answer = only(story.until(MORNING))
    assert (answer.outcome, answer.time, answer.request_id) == (Outcome.ACT, promise.not_before, "r-9")
    assert answer.trigger == Trigger("/decisioning", "/shop#e-9@2026-03-03T08:00:00Z", "wake")
    assert answer.cause == Trigger("/shop", "e-9", "contact.requested")
    assert promise.cause is None
    assert story.until("2026-04-03 08:00") == []


def test_a_promise_is_judged_on_the_memory_of_its_moment(story: Story) -> None:
    """What happened in the night counts."""
    story.at(NIGHT, asked())
    story.at("2026-03-02 23:00", withdrawn())
    assert said(story.until(MORNING)) == [("suppress", "consent.withdrawn")]


def test_at_one_instant_events_go_before_wakes(story: Story) -> None:
    """So the request of the morning takes the slot that the night's had hoped for."""
    story.at(NIGHT, asked(offer("night")))
    assert said(story.at(MORNING, asked(offer("morning")))) == [("act", "allowed.clear")]
    late = only(story.until(MORNING))
    assert (late.outcome, late.action) == (Outcome.SUPPRESS, "night")


def test_due_requests_compete_as_if_they_had_come_together(story: Story) -> None:
    """Everyone is judged before the winner acts; the loser learns when the winner's slot is free (reading 1)."""
    story.at(NIGHT, asked(offer("low", value=1), request="r-1"))
    story.at("2026-03-02 23:00", asked(offer("high", value=2), request="r-2"))
    low, high = story.until(MORNING)
    assert (high.outcome, high.action, high.request_id) == (Outcome.ACT, "high", "r-2")
    assert (low.outcome, low.reason, low.request_id) == (Outcome.SUPPRESS, "outranked.value", "r-1")
    assert low.allowed_from == at("2026-03-04 08:00")
    assert low.trigger != high.trigger
    assert weighed(low) == [("low", "email", "allow", "outranked.value")]


def test_of_equals_the_one_asked_first_speaks(story: Story) -> None:
    """The same rank as within a request: value, then order."""
    story.at(NIGHT, asked(offer("first")))
    story.at("2026-03-02 23:00", asked(offer("second")))
    assert [(one.action, one.outcome.value) for one in story.until(MORNING)] == [
        ("first", "act"),
        ("second", "suppress"),
    ]


def test_a_refused_request_at_a_wake_keeps_its_own_reason(story: Story) -> None:
    """Its `allowed_from` does not count the slot of the winner beside it."""
    story.at(NIGHT, asked(offer("wins")))
    story.at("2026-03-02 22:30", asked(offer("no", on=["push"])))
    story.at("2026-03-02 23:00", withdrawn(on=["push"]))
    assert said(story.until(MORNING)) == [("act", "allowed.clear"), ("suppress", "consent.withdrawn")]


def test_a_further_answer_may_be_another_promise(story: Story) -> None:
    """Which again promises exactly one (reading 1); every trigger is the wake that was promised, every cause the
    request."""
    promise = only(story.at(NIGHT, asked(offer(expires="2026-03-10")).named("e-9")))
    story.at("2026-03-02 23:00", prefers(contact_windows=[window("tue", "10:00", "12:00")]))
    again, answer = story.until("2026-03-05")
    assert (promise.not_before, again.time, again.not_before) == (at(MORNING), at(MORNING), at("2026-03-03 10:00"))
    assert said([again, answer]) == [("defer", "contact_window.outside"), ("act", "allowed.clear")]
    assert [one.trigger.id for one in (again, answer)] == [
        "/shop#e-9@2026-03-03T08:00:00Z",
        "/shop#e-9@2026-03-03T10:00:00Z",
    ]
    assert again.cause == answer.cause == Trigger("/shop", "e-9", "contact.requested")


def test_beside_a_promise_service_is_answered_at_once(story: Story) -> None:
    """A service candidate of a request of the night does not wait for its marketing."""
    answers = story.at(NIGHT, asked(offer("sell"), offer("help", kind="service")))
    assert [(one.action, one.outcome.value) for one in answers] == [("sell", "defer"), ("help", "act")]
    assert [one.action for one in story.until(MORNING)] == ["sell"]


def test_a_late_wake_says_what_was_promised_at_the_time_it_is(story: Story) -> None:
    """Late rather than never: the trigger names the promised time, `time` is now, and lateness is not measured."""
    story.at(NIGHT, asked().named("e-9"))
    step = on_wake(story.policy, story.state, at("2026-03-03 11:00"))
    answer = only(step.outputs)
    assert (answer.outcome, answer.time) == (Outcome.ACT, at("2026-03-03 11:00"))
    assert answer.trigger.id == "/shop#e-9@2026-03-03T08:00:00Z"
    assert step.wake_at is None


def test_a_wake_with_nothing_due_changes_nothing(story: Story) -> None:
    """A wake that comes early or twice is harmless."""
    story.at(NIGHT, asked())
    early = on_wake(story.policy, story.state, at(MORNING) - 1)
    assert early == Step(story.state, (), at(MORNING))
    kept = on_wake(story.policy, story.state, at(MORNING))
    assert on_wake(story.policy, kept.state, at(MORNING)) == Step(kept.state, (), None)


def test_a_step_says_when_to_ask_again(story: Story) -> None:
    """The earliest promise; None without any."""
    assert story.state.wake_at is None
    story.at(NIGHT, asked())
    assert story.state.wake_at == at(MORNING)


def test_unknown_types_and_products_change_nothing(story: Story) -> None:
    """Unknown types are counted and skipped; types marked later count as unknown (reading 13)."""
    for type_, data in [("shop.closed", {}), ("question.requested", {"request_id": "r", "fields": []})]:
        step = on_event(story.policy, story.state, event(type_, "2026-03-02 10:15", data), at("2026-03-02 10:15"))
        assert step == Step(story.state, (), None, unknown=False)


def test_a_first_event_begins_a_memory(story: Story) -> None:
    """Without a state there is none yet: the event's subject gets one."""
    happened = event("customer.updated", "2026-03-02 10:15", {"name": "Ada"}, subject="c-new")
    step = on_event(story.policy, None, happened, happened.time)
    assert step.state.subject == "c-new"
    assert step.state.now == happened.time


def test_now_never_runs_backwards_for_a_customer(story: Story) -> None:
    """A worker's clock that is set back does not make a decision older than the last."""
    story.at("2026-03-02 10:15", lives(name="Ada"))
    request = event("contact.requested", "2026-03-02 10:10", {"request_id": "r", "candidates": [offer()]}, "e-99")
    answer = only(on_event(story.policy, story.state, request, at("2026-03-02 10:10")).outputs)
    assert answer.time == at("2026-03-02 10:15")


def test_what_names_something_unknown_is_told_and_is_no_error(story: Story) -> None:
    """A response to an unknown decision and a return of an unknown order are counted."""
    act = only(story.at("2026-03-02 10:15", asked()))
    stranger = replace(act, ref="99")

    def unknown(happening: Happening) -> bool:
        happened = event(happening.type, "2026-03-02 10:20", happening.data, "e-99", CUSTOMER)
        return on_event(story.policy, story.state, happened, happened.time).unknown

    assert unknown(response("opened", stranger))
    assert unknown(returned("A", order="o-unknown"))
    assert not unknown(response("opened", act))
    assert not unknown(lives(name="Ada"))


def test_memory_forgets_what_no_rule_can_see(story: Story) -> None:
    """Acts whose slots are free, that are not live and that no response names any more are dropped."""
    act = only(story.at("2026-03-02 10:15", asked()))
    story.at("2026-03-02 10:16", lives(name="Ada"))
    assert [one.id for one in story.state.acts] == [act.id]
    request = event("customer.updated", "2026-06-02 10:15", {"name": "Ada"}, "e-99")
    swept = on_event(story.policy, story.state, request, at("2026-03-02 10:15") + 90 * DAY)
    assert swept.state.acts == ()
    kept = on_event(story.policy, story.state, request, at("2026-03-02 10:15") + 90 * DAY - HOUR)
    assert [one.id for one in kept.state.acts] == [act.id]
