"""How events become memory: every type by its own function, and nothing at or before an erasure."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from decisioning.catalogue import Catalogue
from decisioning.decision import Candidate
from decisioning.event import Event
from decisioning.payload import TYPES
from decisioning.state import State
from decisioning.state.fold import FOLDS, fold, names_unknown
from decisioning.state.model import Act
from decisioning.state.orders import late, status
from decisioning.state.orders import payment_failed as unpaid
from decisioning.suppress.base import Ask
from decisioning.suppress.consent import ConsentGiven, Lifetime
from tests.builders import (
    CUSTOMER,
    Happening,
    Story,
    answered,
    asked,
    at,
    bereaved,
    bought,
    cancelled,
    case_opened,
    case_resolved,
    delivered,
    died,
    erased,
    eta_changed,
    event,
    folded,
    granted,
    lives,
    offer,
    only,
    payment_failed,
    placed,
    prefers,
    promise_kept,
    promised,
    response,
    returned,
    shipped,
    withdrawn,
)

MONDAY, TUESDAY = "2026-03-02 10:00", "2026-03-03 10:00"


def test_every_fold_is_of_a_known_type() -> None:
    """A name that the contract does not have would never be asked for."""
    assert set(FOLDS) <= set(TYPES)


def test_requests_and_unknown_types_leave_the_memory_as_it_is() -> None:
    """They are questions, or nothing that we know."""
    state = State(CUSTOMER)
    request = event("contact.requested", MONDAY, {"request_id": "r", "candidates": [offer()]})
    assert fold(state, request) is state
    assert fold(state, Event("/s", "1", "shop.closed", at(MONDAY), CUSTOMER, None)) is state


def test_an_erasure_marks_with_its_newest_time() -> None:
    """Emptying is done by the engine, after what was live is taken back."""
    state = folded((TUESDAY, erased()), (MONDAY, erased()))
    assert (state.erased, state.erased_at) == (True, at(TUESDAY))


@pytest.mark.parametrize("when", [MONDAY, TUESDAY])
def test_nothing_at_or_before_an_erasure_folds(when: str) -> None:
    """Late news of what was to be forgotten."""
    state = folded((TUESDAY, erased()))
    assert folded((when, lives(name="Ada")), (when, granted()), (when, died()), state=state) == state


def test_a_response_to_nothing_known_folds_nothing() -> None:
    """It is counted, and no error."""
    told = event("response.failed", MONDAY, {"decision_id": "d-unknown", "channel": "sms"})
    assert fold(State(CUSTOMER), told) == State(CUSTOMER)
    assert names_unknown(State(CUSTOMER), told)


def test_what_is_known_is_not_unknown(story: Story) -> None:
    """Only responses and returns can name something that we do not know."""
    assert names_unknown(story.state, event("purchase.returned", MONDAY, returned("A").data))
    assert not names_unknown(story.state, event("customer.updated", MONDAY, {"name": "Ada"}))


@pytest.mark.parametrize("kind", ["complained", "unsubscribed"])
def test_a_complaint_folds_whatever_its_time(kind: str) -> None:
    """Also one from before an erasure, and about a decision that nobody knows ("Erasure")."""
    state = folded((TUESDAY, erased()), (MONDAY, answered(kind)))
    assert {(one.purpose, one.channel, one.kind) for one in state.marks} == {
        ("marketing", "email", kind),
        ("survey", "email", kind),
    }
    assert state.erased


@pytest.mark.parametrize("kind", ["complained", "unsubscribed", "declined", "ignored"])
def test_what_a_customer_answers_shows_that_it_arrived(story: Story, kind: str) -> None:
    """Its slot is taken and it is live no more, whatever else the answer means (reading 2)."""
    told = only(story.at(MONDAY, asked()))
    story.at(TUESDAY, response(kind, told))
    [act] = story.state.acts
    assert (act.ended, act.arrived_at) == (True, at(TUESDAY))


@pytest.mark.parametrize(
    ("happening", "field"),
    [
        (placed(), "orders"),
        (shipped(), "orders"),
        (eta_changed("2026-03-09"), "orders"),
        (delivered(), "orders"),
        (payment_failed(), "orders"),
        (case_opened(), "cases"),
        (case_resolved(), "cases"),
        (promised(), "promises"),
        (bereaved(), "life"),
        (lives(attributes={"tier": "gold"}), "attributes"),
        (answered("complained"), "marks"),
        (granted(), "consents"),
    ],
)
def test_each_fact_has_its_place(happening: Happening, field: str) -> None:
    """One event, one list that is longer by it; all other lists stay empty."""
    before, after = State(CUSTOMER), folded((MONDAY, happening))
    changed = {name for name in before.__struct_fields__ if getattr(before, name) != getattr(after, name)}
    assert changed == {field}


CHANNELS = ["sms", "email", None]
ACTS = State(
    CUSTOMER,
    acts=tuple(
        Act(f"a-{n}", 0, 10, Candidate(0, f"sale-{n % 3}", "marketing", ("sms",), 99, topic=[None, "t"][n % 2]), "sms")
        for n in range(8)
    ),
)


def some_happenings() -> st.SearchStrategy[list[Happening]]:
    """Facts of one kind about few things, so that they meet."""
    names = st.sampled_from(["1", "2"])
    days = st.sampled_from(["2026-03-05", "2026-03-07", "2026-03-09"])
    maybe = st.one_of(st.none(), days)
    on = st.sampled_from([None, ["sms"], ["email"], ["sms", "email"], []])
    purposes = st.sampled_from(["marketing", "survey"])
    decisions, channels = st.sampled_from([act.id for act in ACTS.acts] + ["a-?"]), st.sampled_from(["sms", "email"])
    replies = st.sampled_from(["declined", "ignored", "opened", "failed"])
    complaints = st.sampled_from(["complained", "unsubscribed"])
    kinds = [
        [
            st.builds(lambda purpose, on, until: granted(purpose, on=on, expires=until), purposes, on, maybe),
            st.builds(lambda purpose, on: withdrawn(purpose, on=on), purposes, on),
            st.builds(answered, complaints, decisions, channels),
        ],
        [st.builds(answered, st.one_of(replies, complaints), decisions, channels)],
        [
            st.builds(case_opened, names),
            st.builds(case_resolved, names),
            st.builds(lambda id_, what: promised(id_, what=what), names, names),
            st.builds(promise_kept, names),
        ],
        [
            st.builds(lambda until: bereaved(until=until), maybe),
            st.builds(lambda name, value: lives(attributes={name: value}, name=value), names, names),
            st.builds(lambda topics: prefers(topics_off=topics, needs=topics), st.lists(names, max_size=2)),
            st.builds(lambda number: prefers(max_marketing_per_week=number), st.integers(0, 3)),
        ],
        [
            st.builds(lambda order, until: placed(order, promised=until), names, maybe),
            st.builds(lambda order, until: shipped(order, promised=until), names, maybe),
            st.builds(lambda until, order: eta_changed(until, order), days, names),
            st.builds(delivered, names),
            st.builds(payment_failed, names),
            st.builds(cancelled, names),
            st.builds(lambda order, sku: bought(sku, order=order), names, names),
        ],
    ]
    return st.one_of([st.lists(st.one_of(kind), max_size=10) for kind in kinds])


def view(state: State) -> dict[str, object]:
    """What the rules see of a memory, whatever the order of its lists."""
    rule, found = ConsentGiven(Lifetime()), {}
    for purpose, channel in product(["marketing", "survey"], CHANNELS):
        ask = Ask(Candidate(0, "a", purpose, ("sms",), 99), channel or "fax", state, (), 0, Catalogue(), ())  # type: ignore[arg-type]
        held = rule.check(replace(ask, now=at("2026-04-01")))
        found[purpose, channel] = None if held is None else (held.reason, held.because)
    return {
        "consents": found,
        "marks": {(one.purpose, one.channel, one.kind, one.at) for one in state.marks},
        "orders": {(one.id, one.bought_at, one.lines, one.told, late(one, at("2026-03-08"))) for one in state.orders}
        | {(one.id, status(one), unpaid(one)) for one in state.orders},
        "replies": {(one.name, one.replies) for one in state.repetitions},
        "acts": [(act.id, act.ended, act.counts) for act in state.acts],
        **{name: set(getattr(state, name)) for name in ("cases", "promises", "life", "attributes")},
        **{name: getattr(state.profile, name) for name in ("name", "topics_off", "needs", "max_marketing_per_week")},
        "bought_at": state.bought_at,
    }


@given(some_happenings(), st.randoms(use_true_random=False))
def test_facts_of_different_times_mean_the_same_in_whatever_order_they_arrive(
    happenings: list[Happening], chance: Random
) -> None:
    """The later `time` holds, never the later arrival (contract.md, "Order of facts")."""
    told = [(f"2026-03-0{1 + number // 5} 10:{number:02}", one) for number, one in enumerate(happenings)]
    turned = chance.sample(told, len(told))
    assert view(folded(*turned, state=ACTS)) == view(folded(*told, state=ACTS))
