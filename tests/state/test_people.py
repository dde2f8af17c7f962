"""Who the customer is, what they asked of us and what happened to them: the later time holds, at a tie the stricter."""

from __future__ import annotations

import pytest

from decisioning.instant import DAY
from decisioning.state import dumps, loads
from decisioning.state.model import MAX_ATTRIBUTES, MAX_LIST, MAX_NAME, Attribute, Facts, Life
from decisioning.state.people import MAX_PLANS, longer, on_trial
from decisioning.window import DailyWindow, Windows, first_open
from decisioning.zones import zone
from tests.builders import Happening, at, bereaved, folded, lives, prefers, vulnerable, window

MONDAY, TUESDAY, WEDNESDAY = "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00"


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


@pytest.mark.parametrize(("kind", "deceased"), [("deceased", True), ("goal", False), ("other", False)])
def test_death_is_remembered(kind: str, deceased: bool) -> None:
    """Rule 1 reads it."""
    assert folded((MONDAY, Happening("customer.life_event", {"kind": kind}))).deceased is deceased


def test_a_list_too_long_for_memory_says_so_until_a_later_one_replaces_it() -> None:
    """What a bound forgets is forgotten to the strict side: the list is named among what is lost."""
    told = [(MONDAY, prefers(needs=[f"{turn}-{number}" for number in range(200)])) for turn in range(3)]
    state = folded(*told)
    assert state.lost == ("needs",)
    assert state.profile.needs is not None
    assert len(state.profile.needs.values) == MAX_LIST
    assert folded((TUESDAY, prefers(needs=["n"])), state=state).lost == ()
    assert folded((TUESDAY, prefers(topics_off=["n"])), state=state).lost == ("needs",)


def test_a_life_event_lasts_from_its_newest_time() -> None:
    """One entry a kind; the later time holds, and what it says of the end too."""
    state = folded((TUESDAY, bereaved(until="2026-09-01")), (MONDAY, bereaved()), (MONDAY, vulnerable()))
    assert state.life == (Life("bereavement", at(TUESDAY), at("2026-09-01")), Life("vulnerable", at(MONDAY)))
    assert folded((WEDNESDAY, bereaved()), state=state).life[0] == Life("bereavement", at(WEDNESDAY))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("ends", "usual", "end"),
    [
        (["2026-05-01", "2026-04-01"], 365, "2026-05-01 00:00"),
        (["2026-05-01", None], 365, "2027-03-02 10:00"),
        (["2026-05-01", None], 10, "2026-05-01 00:00"),
        ([None, None], 10, "2026-03-12 10:00"),
    ],
)
def test_of_two_life_events_of_one_time_the_later_end_holds(
    ends: list[str | None], usual: int, end: str, turned: bool
) -> None:
    """At a tie the stricter; one without an end lasts as long as the rulebook says."""
    told = [(MONDAY, bereaved(until=until)) for until in (reversed(ends) if turned else ends)]
    [life] = folded(*told).life
    assert life.end(usual * DAY) == at(end)


def test_joining_ends_forgets_none_of_three() -> None:
    """A given end, a missing one and another given one: the latest of all, and the usual length beside it."""
    first, second, third = Life("vulnerable", 0, 50), Life("vulnerable", 0), Life("vulnerable", 0, 20)
    for joined in (longer(longer(first, second), third), longer(first, longer(second, third))):
        assert (joined.end(10), joined.end(100)) == (50, 100)


def test_attributes_are_facts_of_their_own() -> None:
    """Each name has its own time; null is absent, and what cannot be compared is nothing."""
    state = folded(
        (TUESDAY, lives(attributes={"tier": "gold", "visits": 3, "vip": True, "score": 0.5})),
        (MONDAY, lives(attributes={"tier": "silver", "since": "2020"})),
        (WEDNESDAY, lives(attributes={"visits": 4, "vip": None, "tags": ["a"], "more": {"a": 1}})),
    )
    assert {one.name: one.value for one in state.attributes} == {
        "tier": "gold",
        "visits": 4,
        "vip": True,
        "score": 0.5,
        "since": "2020",
    }
    assert [one.name for one in state.attributes] == sorted(one.name for one in state.attributes)


def test_at_a_tie_the_later_attribute_holds() -> None:
    """It knows no stricter side (reading 11)."""
    state = folded((MONDAY, lives(attributes={"tier": "a"})), (MONDAY, lives(attributes={"tier": "b"})))
    assert state.attributes == (Attribute("tier", "b", at(MONDAY)),)


def test_household_and_birth_date_are_attributes_too() -> None:
    """Nothing that we are told of a customer is lost."""
    state = folded((MONDAY, lives(household_id="h-1", birth_date="1815-12-10")))
    assert {one.name: one.value for one in state.attributes} == {"household_id": "h-1", "birth_date": "1815-12-10"}


def test_attributes_are_bounded_in_number_and_size() -> None:
    """The oldest go first, the marks of test customers last; texts are cut, huge numbers stay readable."""
    many = {f"a-{number:03}": number for number in range(MAX_ATTRIBUTES + 10)}
    state = folded((MONDAY, lives(attributes={"test": True})), (TUESDAY, lives(attributes=many)))
    assert len(state.attributes) == MAX_ATTRIBUTES
    assert on_trial(state)
    state = folded((MONDAY, lives(attributes={"text": "x" * 1000, "big": 10**30, "least": -(2**63) + 1})))
    found = {one.name: one.value for one in state.attributes}
    assert found == {"text": "x" * MAX_NAME, "big": 1e30, "least": -(2**63) + 1}


def test_a_number_beyond_all_measure_is_let_go() -> None:
    """JSON has no largest number; the event is fine, and what stood before stays."""
    known = folded((MONDAY, lives(attributes={"a": 7})))
    for beyond in (10**400, -(10**400)):
        state = folded((MONDAY, lives(attributes={"a": 7})), (TUESDAY, lives(attributes={"a": beyond})))
        assert state.attributes == known.attributes
    assert loads(dumps(state)) == state


@pytest.mark.parametrize(
    ("attributes", "trial"),
    [
        ({"test": True}, True),
        ({"seed": True}, True),
        ({"test": False}, False),
        ({"seed": "yes"}, False),
        ({"test": 1}, False),
        ({"tested": True}, False),
    ],
)
def test_test_and_seed_customers_are_marked(attributes: dict[str, object], trial: bool) -> None:
    """Only by `true`: whoever is in doubt is a customer."""
    assert on_trial(folded((MONDAY, lives(attributes=attributes)))) is trial


def test_many_lists_of_windows_of_one_time_are_bounded() -> None:
    """Beyond the bound the customer is never within all of them, which is the strict side."""
    told = [
        (MONDAY, prefers(contact_windows=[window("mon", "08:00", f"{9 + n // 60:02}:{n % 60:02}")])) for n in range(40)
    ]
    own = folded(*told[:MAX_PLANS], (MONDAY, prefers(contact_windows=[]))).profile.windows
    assert own is not None
    assert len(own.also) == MAX_PLANS - 1
    own = folded(*told).profile.windows
    assert own is not None
    zones = [zone("UTC")]
    plans = [Windows(windows) for windows in (own.windows, *own.also)]
    assert first_open(plans, zones, at(MONDAY), at("2026-04-02 10:00")) is None
