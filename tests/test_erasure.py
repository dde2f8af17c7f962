"""To be forgotten: what an erasure takes back, answers, empties and keeps (contract.md, section 4, "Erasure")."""

from __future__ import annotations

import pytest

from decisioning.decision import Trigger
from decisioning.state import State, dumps
from decisioning.state.memory import name
from tests.builders import (
    CUSTOMER,
    Happening,
    Story,
    asked,
    at,
    bought,
    cancelled,
    case_opened,
    case_resolved,
    died,
    erased,
    granted,
    lives,
    of,
    offer,
    only,
    prefers,
    response,
    said,
    window,
    withdrawn,
)


def test_live_acts_are_recalled_and_promises_are_answered_at_once(story: Story) -> None:
    """Recalls first, then each waiting request's one further answer, all `dnc.erased`."""
    act = only(story.at("2026-03-02 20:00", asked(offer("help", kind="service"))))
    story.at("2026-03-02 20:50", lives(time_zone="Europe/Berlin"))
    story.at("2026-03-02 20:51", asked(request="r-1").named("e-a"), asked(request="r-2").named("e-b"))
    told = story.at("2026-03-02 21:00", erased().named("x-1"))
    recall, first, second = [one for one in told if one.outcome.value in ("recall", "suppress")]
    assert said([recall, first, second]) == [
        ("recall", "dnc.erased"),
        ("suppress", "dnc.erased"),
        ("suppress", "dnc.erased"),
    ]
    assert recall.recalls == act.id
    assert [first.request_id, second.request_id] == ["r-1", "r-2"]
    assert story.until("2026-03-10") == [], "the promise was kept early, not twice"


def test_an_answer_given_at_once_has_the_trigger_of_the_wake_that_was_promised(story: Story) -> None:
    """And its cause (reading 1), so that its id is the one that the wake would have given."""
    story.at("2026-03-02 22:00", asked().named("e-a"))
    answer = only(of("suppress", story.at("2026-03-02 23:00", erased())))
    assert answer.trigger == Trigger("/decisioning", "/shop#e-a@2026-03-03T08:00:00Z", "wake")
    assert answer.cause == Trigger("/shop", "e-a", "contact.requested")
    assert (answer.time, answer.allowed_from) == (at("2026-03-02 23:00"), None)


def test_nothing_but_a_marker_is_left(story: Story) -> None:
    """Its newest time, the (source, id) memory, the request ids; nothing of who they were."""
    story.at("2026-03-02 10:00", lives(name="Ada Lovelace", country="GB", language="en"), died())
    story.at(
        "2026-03-02 10:01", prefers(channels=["pigeon"], needs=["braille"], topics_off=["chess"]), bought("ENGINE")
    )
    story.at("2026-03-02 10:02", prefers(contact_windows=[window("mon", "09:00", "17:00")], max_marketing_per_week=1))
    story.at("2026-03-02 10:03", asked(request="r-kept"), case_opened("case-of-Ada"))
    seen = len(story.state.seen)
    story.at("2026-03-02 10:05", erased())
    state = story.state
    assert state.erased
    assert state.erased_at == at("2026-03-02 10:05")
    assert (len(state.seen), [one.id for one in state.requests]) == (seen + 1, [name("r-kept")])
    empty = State(CUSTOMER)
    assert (state.profile, state.consents, state.orders) == (empty.profile, empty.consents, empty.orders)
    assert (state.acts, state.deferred, state.bought_at, state.deceased) == ((), (), None, False)
    for told in (b"Lovelace", b"GB", b"pigeon", b"braille", b"chess", b"ENGINE", b"of-Ada", b"o-1"):
        assert told not in dumps(state)


def test_a_hold_from_before_is_released_when_its_fact_is_told_again(story: Story) -> None:
    """Its case or order is known by a fingerprint alone, whatever happened in between."""
    told = story.at("2026-03-02 10:00", case_opened("k-1"), bought("A", order="o-7"))
    holds = {one.reason: one.id for one in of("hold", told)}
    story.at("2026-03-02 10:05", erased())
    story.at("2026-03-02 10:06", erased().named("again"))
    told = story.at("2026-03-02 10:10", case_resolved("k-1"))
    assert [one.releases for one in of("release", told)] == [holds["hold.open_issue"]]
    told = story.at("2026-03-02 10:15", cancelled("o-7"))
    assert [one.releases for one in of("release", told)] == [holds["recent_purchase.same_item"]]


def test_it_empties_whatever_its_time(story: Story) -> None:
    """An erasure that arrives late empties later facts as well."""
    story.at("2026-03-02 10:00", erased().since("2026-01-01 00:00"))
    assert story.state.erased_at == at("2026-01-01")
    assert said(story.at("2026-03-02 10:01", asked())) == [("suppress", "dnc.erased")]
    assert story.state.consents == ()


@pytest.mark.parametrize("time", ["2026-03-02 09:59", "2026-03-02 10:00"])
@pytest.mark.parametrize(
    "late", [bought("A"), granted(), withdrawn(), lives(name="Ada"), prefers(channels=["sms"]), died(), cancelled()]
)
def test_nothing_else_from_at_or_before_it_folds(story: Story, time: str, late: Happening) -> None:
    """The late news of a life that was to be forgotten leaves no trace but that it was seen."""
    story.at("2026-03-02 10:00", erased())
    story.at("2026-03-02 10:05", late.since(time))
    empty = State(CUSTOMER)
    state = story.state
    assert state.erased
    assert (state.profile, state.consents, state.orders) == (empty.profile, empty.consents, empty.orders)
    assert (state.deceased, state.bought_at) == (False, None)


def test_what_is_told_afterwards_folds_again(story: Story) -> None:
    """Later facts are new facts: a customer who comes back is known by them."""
    story.at("2026-03-02 10:00", erased())
    story.at("2026-03-02 10:05", granted(), lives(time_zone="UTC"))
    assert said(story.at("2026-03-02 10:10", asked())) == [("act", "allowed.clear")]
    assert not story.state.erased


def test_a_customer_who_came_back_is_still_protected_from_old_news(story: Story) -> None:
    """The marker's time outlives the revival: a late grant from before it does not count."""
    story.at("2026-03-02 10:00", erased())
    story.at("2026-03-02 10:05", bought("A"), lives(time_zone="UTC"), granted().since("2026-03-02 09:00"))
    assert said(story.at("2026-03-10 10:10", asked())) == [("suppress", "consent.missing")]


def test_who_came_back_can_go_again(story: Story) -> None:
    """A second erasure empties as the first did."""
    story.at("2026-03-02 10:00", erased())
    story.at("2026-03-02 10:05", bought("A"))
    story.at("2026-03-02 10:10", erased())
    assert said(story.at("2026-03-02 10:15", asked(offer(kind="service")))) == [("suppress", "dnc.erased")]


def test_an_erased_customers_events_are_still_known_as_repeats(story: Story) -> None:
    """The (source, id) memory stays: a purchase that is sent again does not bring them back."""
    story.at("2026-03-02 10:00", bought("A").named("p-1"))
    story.at("2026-03-02 10:05", erased())
    assert story.at("2026-03-02 10:10", bought("A").named("p-1")) == []
    assert story.state.erased


def test_an_erased_customers_requests_are_still_answered_once(story: Story) -> None:
    """The request ids stay, those answered at once by the erasure included."""
    story.at("2026-03-02 10:00", asked(request="r-1"))
    story.at("2026-03-02 22:00", asked(request="r-2"))
    story.at("2026-03-02 22:05", erased())
    again = story.at("2026-03-02 22:10", asked(request="r-1"), asked(request="r-2"))
    assert said(again) == [("suppress", "duplicate.request")] * 2


def test_a_response_to_what_was_forgotten_is_no_error(story: Story) -> None:
    """It folds nothing, for nothing is left to fold it on."""
    act = only(story.at("2026-03-02 10:00", asked()))
    story.at("2026-03-02 10:05", erased())
    assert story.at("2026-03-02 10:10", response("delivered", act)) == []
    assert story.state.acts == ()
