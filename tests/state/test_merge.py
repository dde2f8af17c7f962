"""Two memories become one, thing by thing (contract.md, section 4, "An identity ...")."""

from __future__ import annotations

from typing import Final

import pytest
from msgspec.structs import replace

from decisioning.decision import Candidate, Trigger
from decisioning.instant import DAY
from decisioning.state import Act, Deferred, State, dumps, fold, loads, memory
from decisioning.state.merge import Lasting, knows, merge
from decisioning.state.model import (
    MAX_ABSORBED,
    MAX_ACTS,
    MAX_CASES,
    MAX_LIST,
    MAX_REQUESTS,
    MAX_SEEN,
    Absorbed,
    Case,
    Facts,
    Life,
    OwnWindows,
    Profile,
    Promise,
    Request,
)
from decisioning.state.people import MAX_PLANS
from decisioning.suppress.contact_window import InContactWindow, Wish
from decisioning.window import DailyWindow
from tests.builders import Happening, Story, asked, at, event, granted, lives, offer, prefers, said, window

LASTING: Final = Lasting(730 * DAY, lambda life: life.until if life.until is not None else life.at + 365 * DAY)


def knowing(subject: str, *happenings: tuple[str, Happening]) -> State:
    """A subject to whom these things happened at these times, and who has moved once."""
    state = State(subject, moves=1)
    for number, (when, one) in enumerate(happenings):
        state = fold(state, event(one.type, when, one.data, f"{subject}-{number}", subject))
    return state


def merged(target: State, source: State) -> State:
    """The two as one; it must survive being stored."""
    both = merge(target, source, LASTING)
    assert loads(dumps(both)) == both
    return both


def plan(day: int, start: int = 540, end: int = 1020) -> tuple[DailyWindow, ...]:
    """A plan of one window on one day."""
    return (DailyWindow(frozenset({day}), start, end),)


def act(number: int, made: int, subject: str = "c-1") -> Act:
    """A marketing act of that instant."""
    return Act(f"{subject}-{number:04}", made, made + 1, Candidate(0, "offer", "marketing", ("email",), made), "email")


def test_a_move_is_taken_in_once() -> None:
    """The same subject with the same number again changes nothing, one with a later number does."""
    target, source = knowing("c-1"), knowing("tel:1", ("2026-03-02", lives(name="Ada")))
    once = merged(target, source)
    assert knows(once, "tel:1", 1)
    assert knows(once, "tel:1")
    assert not knows(once, "tel:1", 2)
    assert merged(once, source) is once
    assert merged(once, replace(source, moves=2)) is not once


def test_whoever_was_part_of_the_source_is_part_of_the_target() -> None:
    """So that no later merge runs in a circle; the bound keeps the newest."""
    inner = merged(knowing("tel:1"), knowing("tel:2"))
    outer = merged(knowing("c-1"), inner)
    assert knows(outer, "tel:2", 1)
    assert knows(outer, "tel:1", 1)
    many = replace(knowing("c-1"), absorbed=tuple(Absorbed(number, 1) for number in range(MAX_ABSORBED)))
    full = merged(many, knowing("tel:1"))
    assert len(full.absorbed) == MAX_ABSORBED
    assert knows(full, "tel:1")


@pytest.mark.parametrize(
    ("ours", "theirs", "wins"), [("03-02", "03-03", "B"), ("03-03", "03-02", "A"), ("03-02",) * 2 + ("A",)]
)
def test_what_knows_no_stricter_side_has_the_later_time(ours: str, theirs: str, wins: str) -> None:
    """Name, zone, country, language, liking of channels and attributes; at a tie the target's."""
    told = {
        side: (lives(name=side, language=side, country=side, attributes={"tier": side}), prefers(channels=[side]))
        for side in "AB"
    }
    target = knowing("c-1", *((f"2026-{ours}", one) for one in told["A"]))
    source = knowing("tel:1", *((f"2026-{theirs}", one) for one in told["B"]))
    both = merged(target, source)
    profile = both.profile
    assert {fact.value for fact in (profile.name, profile.language, profile.country) if fact} == {wins}
    assert profile.channels == Facts((wins,), at(f"2026-{max(ours, theirs)}"))
    assert [one.value for one in both.attributes] == [wins]


def test_where_one_side_holds_nothing_the_others_stands() -> None:
    """Either way round; nothing of it changes."""
    knows_all = knowing(
        "tel:1",
        ("2026-03-02", lives(name="Ada", time_zone="UTC", attributes={"tier": "gold"})),
        ("2026-03-02", prefers(topics_off=["shoes"], needs=["step-free"], max_marketing_per_week=2)),
        ("2026-03-02", prefers(contact_windows=[window("mon", "09:00", "17:00")], channels=["sms"])),
        ("2026-03-02", granted()),
    )
    for target, source in ((knowing("c-1"), knows_all), (replace(knows_all, subject="c-1"), knowing("tel:1"))):
        both = merged(target, source)
        assert (both.profile, both.consents, both.attributes) == (
            knows_all.profile, knows_all.consents, knows_all.attributes
        )  # fmt: skip


def test_the_lower_limit_and_both_lists_hold_with_the_later_time() -> None:
    """Whichever is newer: a wish of the past was never taken back by the other name."""
    target = knowing("c-1", ("2026-03-09", prefers(max_marketing_per_week=5, topics_off=["a"], needs=["x"])))
    source = knowing("tel:1", ("2026-03-02", prefers(max_marketing_per_week=1, topics_off=["b", "a"], needs=["y"])))
    profile = merged(target, source).profile
    assert profile.max_marketing_per_week is not None
    assert (profile.max_marketing_per_week.value, profile.max_marketing_per_week.at) == (1, at("2026-03-09"))
    assert profile.topics_off == Facts(("a", "b"), at("2026-03-09"))
    assert profile.needs == Facts(("x", "y"), at("2026-03-09"))


@pytest.mark.parametrize("name", ["topics_off", "needs"])
def test_a_list_that_is_too_long_goes_on_forbidding(name: str) -> None:
    """What is forgotten is forgotten to the strict side: the memory says that the list lost something."""
    sides = []
    for subject in ("c-1", "tel:1"):
        long = Facts(tuple(f"{subject}{number}" for number in range(300)), 1)
        profile = Profile(topics_off=long) if name == "topics_off" else Profile(needs=long)
        sides.append(State(subject, moves=1, profile=profile))
    both = merged(sides[0], sides[1])
    assert len(getattr(both.profile, name).values) == MAX_LIST
    assert both.lost == (name,)


def test_windows_are_kept_side_by_side() -> None:
    """Inside one of each side's list: only where the two meet may the customer be spoken to."""
    story = Story()
    story.at("2026-03-02 06:00", lives(time_zone="UTC"), granted())
    early, late = window("mon", "09:00", "12:00"), window("mon", "11:00", "17:00")
    story.at("2026-03-02 06:00", prefers(contact_windows=[early]))
    other = knowing("tel:1", ("2026-03-02 06:00", prefers(contact_windows=[late])))
    story.run.states["c-42"] = merged(story.state, other)
    assert said(story.at("2026-03-02 10:59", asked(offer(expires="2026-03-02 10:59:30")))) == [
        ("suppress", "contact_window.outside")
    ]
    assert said(story.at("2026-03-02 11:00", asked())) == [("act", "allowed.clear")]
    assert story.state.profile.windows is not None
    assert len(story.state.profile.windows.also) == 1


def test_equal_windows_are_one_and_no_windows_are_none() -> None:
    """An empty list is no plan (exact reading 7); the same plan twice says nothing more."""
    one = replace(State("c-1", moves=1), profile=Profile(windows=OwnWindows(plan(0), 5)))
    same = replace(State("tel:1", moves=1), profile=Profile(windows=OwnWindows(plan(0), 7)))
    none = replace(State("tel:2", moves=1), profile=Profile(windows=OwnWindows((), 9)))
    assert merged(one, same).profile.windows == OwnWindows(plan(0), 7)
    assert merged(one, none).profile.windows == OwnWindows(plan(0), 9)
    assert merged(none, one).profile.windows == OwnWindows(plan(0), 9)


def test_more_plans_than_the_bound_are_never_open() -> None:
    """What is forgotten is forgotten to the strict side."""
    story = Story()
    story.at("2026-03-02 06:00", lives(time_zone="UTC"), granted())
    both = story.state
    for number in range(MAX_PLANS + 1):
        wide = tuple(DailyWindow(frozenset(range(7)), 0, 1440 - end) for end in (0, number))
        profile = Profile(windows=OwnWindows(wide, 5))
        both = merged(both, replace(State(f"tel:{number}", moves=1), profile=profile))
        story.run.states["c-42"] = both
        expected = ("act", "allowed.clear") if number < MAX_PLANS else ("suppress", "contact_window.outside")
        if number in (MAX_PLANS - 1, MAX_PLANS):
            day = f"2026-03-0{3 + number - MAX_PLANS + 1}"
            assert said(story.at(f"{day} 12:00", asked(offer(f"a{number}")))) == [expected]
    assert InContactWindow(Wish()).section == "contact_window"


def test_open_on_either_side_is_open() -> None:
    """Even where the other side's resolution is newer, and as of the newest word."""
    ours, theirs = Case("7", opened_at=5, resolved_at=9, severity="low"), Case("7", opened_at=6, severity="high")
    for one, other in ((ours, theirs), (theirs, ours)):
        [case] = merged(replace(State("c-1"), cases=(one,)), replace(State("tel:1", moves=1), cases=(other,))).cases
        assert case.open
        assert (case.opened_at, case.severity) == (9, "high")


def test_resolved_on_both_sides_is_resolved_at_the_later_time() -> None:
    """The silence after it lasts from then."""
    [case] = merged(
        replace(State("c-1"), cases=(Case("7", 1, 9),)), replace(State("tel:1", moves=1), cases=(Case("7", 2, 7),))
    ).cases
    assert (case.open, case.resolved_at) == (False, 9)


def test_too_many_cases_forbid_for_ever() -> None:
    """The bound is the fold's."""
    sides = [
        replace(State(subject, moves=1), cases=tuple(Case(f"{subject}{n}", n) for n in range(MAX_CASES)))
        for subject in ("c-1", "tel:1")
    ]
    both = merged(*sides)
    assert (len(both.cases), both.lost) == (MAX_CASES, ("cases",))


def test_a_promise_stands_where_one_side_still_waits() -> None:
    """Kept on one side only is not kept; the mere news of its keeping is a fact of its own."""
    made, kept, news = Promise("p", 5, "call", 9), Promise("p", 5, "call", 9, kept_at=7), Promise("p", kept_at=7)
    for other, expected in ((made, None), (kept, None), (news, 7)):
        [promise] = merged(
            replace(State("c-1"), promises=(made,)), replace(State("tel:1", moves=1), promises=(other,))
        ).promises
        assert (promise.made_at, promise.what, promise.kept_at) == (5, "call", expected)


@pytest.mark.parametrize(
    ("ours", "theirs", "end"),
    [
        (Life("bereavement", 5), Life("bereavement", 9), 9 + 365 * DAY),
        (Life("bereavement", 5, 100), Life("bereavement", 9, 50), 100),
        (Life("bereavement", 5, 100), Life("bereavement", 1), 1 + 365 * DAY),
        (Life("bereavement", 5), Life("bereavement", 9, 1000 * DAY), 1000 * DAY),
    ],
)
def test_mourning_lasts_until_the_later_end(ours: Life, theirs: Life, end: int) -> None:
    """Whichever side knows of it; the kinds are apart."""
    target = replace(State("c-1"), life=(ours,))
    source = replace(State("tel:1", moves=1), life=(theirs, Life("vulnerable", 1)))
    mourning, frail = merged(target, source).life
    assert (LASTING.life_until(mourning), mourning.at) == (end, max(ours.at, theirs.at))
    assert frail == Life("vulnerable", 1)


def test_death_and_an_unreadable_memory_win() -> None:
    """On whichever side they are known."""
    for ours, theirs in ((True, False), (False, True), (False, False)):
        assert merged(State("c-1", deceased=ours), State("tel:1", moves=1, deceased=theirs)).deceased is (
            ours or theirs
        )
        assert merged(State("c-1", degraded=ours), State("tel:1", moves=1, degraded=theirs)).degraded is (
            ours or theirs
        )


def test_acts_of_both_are_one_list_in_the_order_made() -> None:
    """Slots of either side count; the bound is that of `record`."""
    both = merged(
        replace(State("c-1"), acts=(act(1, 5), act(2, 9))),
        replace(State("tel:1", moves=1), acts=(act(1, 7, "tel:1"),)),
    )
    assert [one.made for one in both.acts] == [5, 7, 9]
    sides = [
        replace(State(subject, moves=1), acts=tuple(act(n, 2 * n + place, subject) for n in range(200)))
        for place, subject in enumerate(("c-1", "tel:1"))
    ]
    kept = merged(*sides).acts
    assert len(kept) == MAX_ACTS
    assert kept[-1].made == 399


def test_what_waits_on_either_side_waits() -> None:
    """Every promised answer is still promised, the target's first."""
    waits = [Deferred(Trigger("/s", f"e-{n}", "contact.requested"), f"r-{n}", None, (), 9 - n) for n in range(2)]
    both = merged(replace(State("c-1"), deferred=(waits[0],)), replace(State("tel:1", moves=1), deferred=(waits[1],)))
    assert both.deferred == tuple(waits)
    assert both.wake_at == 8


def test_events_seen_and_requests_answered_are_known_to_both() -> None:
    """A re-sent event is a repeat wherever it first came; what falls out raises the floor."""
    both = merged(
        State("c-1", seen=((1, 5), (2, 9)), seen_floor=3, requests=(Request(1, 5, (1,)),)),
        State("tel:1", moves=1, seen=((2, 7), (3, 6)), seen_floor=4, requests=(Request(1, 4, (2,)), Request(2, 9, ()))),
    )
    assert both.seen == ((1, 5), (3, 6), (2, 9))
    assert both.seen_floor == 4
    assert both.requests == (Request(1, 5, (1, 2)), Request(2, 9, ()))
    many = [
        State(subject, moves=1, seen=tuple((2 * n + place, 2 * n + place) for n in range(MAX_SEEN)),
              requests=tuple(Request(2 * n + place, n, ()) for n in range(MAX_REQUESTS)))
        for place, subject in enumerate(("c-1", "tel:1"))
    ]  # fmt: skip
    full = merged(*many)
    assert (len(full.seen), len(full.requests)) == (MAX_SEEN, MAX_REQUESTS)
    assert full.seen_floor == MAX_SEEN - 1


def test_an_erased_source_adds_nothing_but_what_was_seen() -> None:
    """Not even that it was erased."""
    source = State("tel:1", moves=1, erased=True, erased_at=9, seen=((7, 5),), requests=(Request(1, 5, ()),))
    both = merged(State("c-1"), source)
    named = Absorbed(memory.name("tel:1"), 1)
    assert both == State("c-1", seen=((7, 5),), absorbed=(named,))


def test_an_erased_target_takes_nothing_but_what_was_seen_and_answered() -> None:
    """Whoever asked to be forgotten is not remembered again through another name."""
    source = replace(
        knowing("tel:1", ("2026-03-02", lives(name="Ada")), ("2026-03-02", granted())),
        seen=((7, 5),), requests=(Request(1, 5, ()),), acts=(act(1, 5),), deceased=True,
    )  # fmt: skip
    both = merged(State("c-1", erased=True, erased_at=9), source)
    assert both == State(
        "c-1", erased=True, erased_at=9, seen=((7, 5),), requests=(Request(1, 5, ()),),
        absorbed=(Absorbed(memory.name("tel:1"), 1),),
    )  # fmt: skip


def test_holds_are_left_to_the_engine() -> None:
    """The target keeps its own; those of the source are issued anew by whoever speaks."""
    story = Story()
    story.at("2026-03-02", granted(), Happening("consent.withdrawn", {"purpose": "marketing"}).by("tel:1"))
    source = story.run.states["tel:1"]
    assert source.holds
    assert merged(story.state, replace(source, moves=1)).holds == story.state.holds


def test_a_grant_that_was_withdrawn_still_answers_an_older_complaint() -> None:
    """A complaint from before it that arrives after the merge does not hold, on whichever side it was granted."""
    told = (("2026-03-02", granted()), ("2026-03-03", Happening("consent.withdrawn", {"purpose": "marketing"})))
    for target, source in ((knowing("c-1"), knowing("tel:1", *told)), (knowing("c-1", *told), knowing("tel:1"))):
        both = merged(target, source)
        late = event("response.complained", "2026-03-01", {"decision_id": "d", "channel": "sms"}, "late", "c-1")
        assert {mark.purpose for mark in fold(both, late).marks} == {"survey"}
