"""How events become memory: the later time holds, at a tie the stricter (contract.md, section 2, "Order of facts")."""

from __future__ import annotations

import pytest

from decisioning.event import Event
from decisioning.payload import TYPES
from decisioning.state import State
from decisioning.state.fold import FOLDS, fold, names_unknown
from decisioning.state.model import MAX_CONSENTS, MAX_NAME, Facts
from decisioning.window import DailyWindow
from tests.builders import (
    CUSTOMER,
    Happening,
    Story,
    at,
    died,
    erased,
    event,
    granted,
    lives,
    offer,
    prefers,
    returned,
    window,
    withdrawn,
)

MONDAY, TUESDAY = "2026-03-02 10:00", "2026-03-03 10:00"


def folded(*told: tuple[str, Happening], state: State | None = None) -> State:
    """The memory after these events, in this order of arrival."""
    state = state or State(CUSTOMER)
    for number, (when, happening) in enumerate(told):
        state = fold(state, event(happening.type, when, happening.data, f"e-{number}"))
    return state


def test_every_fold_is_of_a_known_type() -> None:
    """A name that the contract does not have would never be asked for."""
    assert set(FOLDS) <= set(TYPES)


def test_requests_and_unknown_types_leave_the_memory_as_it_is() -> None:
    """They are questions, or nothing that we know."""
    state = State(CUSTOMER)
    request = event("contact.requested", MONDAY, {"request_id": "r", "candidates": [offer()]})
    assert fold(state, request) is state
    assert fold(state, Event("/s", "1", "shop.closed", at(MONDAY), CUSTOMER, None)) is state


@pytest.mark.parametrize("field", ["name", "time_zone", "country", "language"])
def test_each_field_of_a_customer_is_a_fact_of_its_own(field: str) -> None:
    """The later `time` holds for each by itself; at a tie the later arrival (reading 11)."""
    zones = ["UTC", "Asia/Tokyo", "Europe/Berlin"]
    first, second, third = zones if field == "time_zone" else ["one", "two", "three"]
    state = folded(
        (TUESDAY, lives(**{field: first})), (TUESDAY, lives(**{field: second})), (MONDAY, lives(**{field: third}))
    )
    fact = getattr(state.profile, field)
    assert (fact.value, fact.at) == (second, at(TUESDAY))
    others = {"name", "time_zone", "country", "language"} - {field}
    assert all(getattr(state.profile, other) is None for other in others)


def test_a_field_that_is_not_told_stays() -> None:
    """Any of the fields; null is absent (reading 8)."""
    state = folded((MONDAY, lives(name="Ada", country="GB")), (TUESDAY, lives(name=None, language="en")))
    assert state.profile.name is not None
    assert (state.profile.name.value, state.profile.name.at) == ("Ada", at(MONDAY))


def test_a_name_is_cut_to_its_bound() -> None:
    """Every text in a memory has a limit."""
    name = folded((MONDAY, lives(name="A" * 10_000))).profile.name
    assert name is not None
    assert name.value == "A" * MAX_NAME


def test_contact_windows_are_kept_as_arithmetic() -> None:
    """Days from Monday = 0, minutes of the day."""
    windows = folded((MONDAY, prefers(contact_windows=[window("mon sun", "09:30", "24:00")]))).profile.windows
    assert windows is not None
    assert windows.windows == (DailyWindow(frozenset({0, 6}), 570, 1440),)


@pytest.mark.parametrize("field", ["topics_off", "needs"])
def test_at_a_tie_topics_and_needs_are_those_of_both(field: str) -> None:
    """The stricter of two lists of what is refused or needed is both; the later `time` replaces."""
    state = folded((TUESDAY, prefers(**{field: ["a", "b"]})), (TUESDAY, prefers(**{field: ["b", "c"]})))
    assert getattr(state.profile, field) == Facts(("a", "b", "c"), at(TUESDAY))
    state = folded((MONDAY, prefers(**{field: ["z"]})), state=state)
    assert getattr(state.profile, field).values == ("a", "b", "c")
    state = folded(("2026-03-04 10:00", prefers(**{field: []})), state=state)
    assert getattr(state.profile, field).values == ()


@pytest.mark.parametrize("field", ["topics_off", "needs"])
def test_lists_joined_at_ties_stay_bounded(field: str) -> None:
    """However many events of one time tell their own list."""
    told = [(MONDAY, prefers(**{field: [f"{turn}-{number}" for number in range(200)]})) for turn in range(20)]
    assert len(getattr(folded(*told).profile, field).values) <= 1000


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_weekly_limits_of_one_time_the_lower_holds(turned: bool) -> None:
    """At a tie the stricter, else the later."""
    told = [(TUESDAY, prefers(max_marketing_per_week=2)), (TUESDAY, prefers(max_marketing_per_week=1))]
    state = folded((MONDAY, prefers(max_marketing_per_week=0)), *(reversed(told) if turned else told))
    assert state.profile.max_marketing_per_week is not None
    assert state.profile.max_marketing_per_week.value == 1


def test_channels_come_in_the_order_of_liking_each_once() -> None:
    """A liking knows no stricter side: at a tie the later arrival."""
    state = folded((MONDAY, prefers(channels=["sms"])), (MONDAY, prefers(channels=["push", "email", "push"])))
    assert state.profile.channels == Facts(("push", "email"), at(MONDAY))


def test_a_consent_for_several_channels_is_one_for_each() -> None:
    """Purpose and channel together are the thing that a consent is a fact about."""
    consents = folded((MONDAY, granted(on=["sms", "email"]))).consents
    assert {(one.purpose, one.channel, one.granted) for one in consents} == {
        ("marketing", "sms", True),
        ("marketing", "email", True),
    }


def test_what_a_later_fact_for_all_channels_says_already_is_not_kept_twice() -> None:
    """Older facts of single channels go; of another purpose they stay."""
    state = folded(
        (MONDAY, granted(on=["sms"])),
        (MONDAY, granted("survey", on=["sms"])),
        (TUESDAY, withdrawn()),
        (TUESDAY, granted(on=["push"])),
    )
    assert {(one.purpose, one.channel, one.granted) for one in state.consents} == {
        ("survey", "sms", True),
        ("marketing", "", False),
        ("marketing", "push", True),
    }


def test_consents_are_bounded_and_grants_are_forgotten_first() -> None:
    """A forgotten grant is silence."""
    told = [(f"2026-03-02 10:{number:02}", granted(on=[f"g-{number}"])) for number in range(50)]
    told += [(f"2026-03-02 11:{number:02}", withdrawn(on=[f"w-{number}"])) for number in range(50)]
    consents = folded(*told).consents
    assert len(consents) <= MAX_CONSENTS
    assert sum(not one.granted for one in consents) == 50


def test_a_withdrawal_that_must_go_takes_all_channels_with_it() -> None:
    """What is forgotten is forgotten to the strict side: no channel may speak that once was withdrawn."""
    told = [(f"2026-03-02 {10 + number // 60}:{number % 60:02}", withdrawn(on=[f"w-{number}"])) for number in range(90)]
    consents = folded(("2026-03-01 10:00", granted()), *told).consents
    assert len(consents) <= MAX_CONSENTS
    [on_all] = [one for one in consents if one.channel == ""]
    assert not on_all.granted


@pytest.mark.parametrize(("kind", "deceased"), [("deceased", True), ("goal", False), ("other", False)])
def test_death_is_remembered(kind: str, deceased: bool) -> None:
    """Rule 1 reads it."""
    assert folded((MONDAY, Happening("customer.life_event", {"kind": kind}))).deceased is deceased


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
