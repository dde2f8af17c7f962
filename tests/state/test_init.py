"""A memory's bytes, its bounds, and the ways it changes from outside."""

from __future__ import annotations

from decisioning.decision import Candidate, Trigger
from decisioning.state import Act, Deferred, State, dumps, erase, full, loads, postpone, record, sweep
from decisioning.state.model import MAX_ACTS, MAX_DEFERRED, MAX_WAITING_BYTES, Order
from tests.builders import (
    Story,
    asked,
    bereaved,
    bought,
    cancelled,
    case_opened,
    delivered,
    eta_changed,
    lives,
    offer,
    only,
    payment_failed,
    placed,
    prefers,
    promised,
    response,
    returned,
    shipped,
    window,
    withdrawn,
)

OFFER = Candidate(0, "offer", "marketing", ("email",), 100)
SERVICE = Candidate(0, "help", "service", ("email",), 100)


def waiting(count: int, due: int = 10) -> Deferred:
    """A request of so many candidates that waits."""
    return Deferred(Trigger("/s", "1", "t"), "r", None, (OFFER,) * count, due)


def test_a_full_life_survives_its_bytes(story: Story) -> None:
    """What was dumped loads as the same memory, and dumps as the same bytes."""
    story.at("2026-03-02 10:00", lives(name="Jürgen 東", country="PT"), prefers(channels=["sms"], needs=["n"]))
    story.at(
        "2026-03-02 10:01", prefers(contact_windows=[window("thu fri", "07:00", "24:00")], max_marketing_per_week=2)
    )
    story.at(
        "2026-03-02 10:02", bought("A", "B", quantity=2), returned("A"), bought("C", order="o-2"), cancelled("o-2")
    )
    act = only(
        story.at(
            "2026-03-05 10:03",
            asked(offer(value="1.5", kind="service", topic="news", expires="2026-03-07"), campaign="spring"),
        )
    )
    story.at("2026-03-05 10:04", response("opened", act), withdrawn("survey", on=["sms"]))
    story.at("2026-03-05 23:00", asked(offer(needs_ok=["n"], expires="2026-03-09"), request="r-1"))
    story.at("2026-03-05 23:01", response("declined", act), response("complained", act), case_opened(order_id="o-1"))
    story.at("2026-03-05 23:02", promised(), bereaved(until="2026-04-01"), lives(attributes={"tier": "gold", "n": 1}))
    story.at("2026-03-05 23:03", placed("o-3", promised="2026-03-09"), eta_changed("2026-03-10", "o-3"), shipped("o-3"))
    story.at("2026-03-05 23:04", delivered("o-3"), payment_failed("o-4"))
    state = story.state
    assert all((state.deferred, state.acts, state.orders, state.holds, state.marks))
    assert all((state.cases, state.promises, state.life, state.repetitions, state.attributes))
    assert loads(dumps(state)) == state
    assert dumps(loads(dumps(state))) == dumps(state)


def test_acts_are_bounded_and_what_counts_goes_last() -> None:
    """What holds neither slot nor life goes first, then service, the oldest before the newest."""
    state = State("c")
    for number in range(MAX_ACTS):
        kind = SERVICE if number == 7 else OFFER
        state = record(state, Act(f"a-{number}", number, 10**6, kind, "email", undone_at=1 if number == 9 else None))
    state = record(state, Act("new-1", MAX_ACTS, 10**6, OFFER, "email"))
    assert len(state.acts) == MAX_ACTS
    gone = {f"a-{number}" for number in range(MAX_ACTS)} - {act.id for act in state.acts}
    state = record(state, Act("new-2", MAX_ACTS, 10**6, OFFER, "email"))
    gone = {f"a-{number}" for number in range(MAX_ACTS)} - {act.id for act in state.acts}
    assert gone == {"a-7", "a-9"}
    assert [act.id for act in state.acts[-2:]] == ["new-1", "new-2"]


def test_promises_are_bounded() -> None:
    """By their number and by the bytes of what waits."""
    state = State("c")
    for _ in range(MAX_DEFERRED):
        assert not full(state)
        state = postpone(state, waiting(1))
    assert full(state)
    assert full(postpone(State("c"), waiting(MAX_WAITING_BYTES // 20)))


def test_beyond_the_bound_of_promises_the_answer_is_no(story: Story) -> None:
    """What cannot be remembered cannot be promised, and silence is the strict side."""
    for _ in range(MAX_DEFERRED):
        assert only(story.at("2026-03-02 22:00", asked())).outcome.value == "defer"
    answer = only(story.at("2026-03-02 22:00", asked()))
    assert (answer.outcome.value, answer.reason) == ("suppress", "quiet_hours.night")
    assert len(story.state.deferred) == MAX_DEFERRED


def test_acts_are_dropped_when_their_slot_is_free_and_they_are_not_live() -> None:
    """A live act stays however old: it can still be recalled."""
    acts = (Act("old", 0, 10, OFFER, "email"), Act("live", 0, 200, OFFER, "email"), Act("new", 50, 60, OFFER, "email"))
    swept = sweep(State("c", acts=acts), 100, orders_for=1000, acts_for=100)
    assert [act.id for act in swept.acts] == ["live", "new"]


def test_sweeping_nothing_gives_the_same_memory() -> None:
    """So that an event that changes nothing costs nothing."""
    state = State("c", orders=(Order("o", 90),), acts=(Act("live", 50, 600, OFFER, "email"),))
    assert sweep(state, 100, orders_for=1000, acts_for=100) is state


def test_erasing_keeps_the_marker_and_nothing_else() -> None:
    """Its newest time, what was seen, what was answered."""
    state = State("c", now=7, erased=True, erased_at=5, deceased=True, seen=((1, 2),), seen_floor=1, bought_at=3)
    assert erase(state) == State("c", now=7, erased=True, erased_at=5, seen=((1, 2),), seen_floor=1)


def test_an_act_that_is_over_keeps_what_its_slot_and_its_responses_need() -> None:
    """Action, class and topic; not what was on offer, nor who asked."""
    offer = Candidate(
        3, "sale", "marketing", ("sms",), 900, sku="A", category="c", price="9", currency="GBP", topic="shoes"
    )
    act = Act("a", 10, 20, offer, "sms", "r-1", "spring", ended=True)
    (kept,) = sweep(State("c", acts=(act,)), 100, orders_for=1000, acts_for=1000).acts
    assert kept == Act("a", 10, 20, Candidate(0, "sale", "marketing", (), 0, topic="shoes"), "sms", ended=True)
    assert sweep(State("c", acts=(act,)), 15, orders_for=1000, acts_for=1000).acts != (act,)
