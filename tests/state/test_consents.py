"""What the customer allowed and forbade, in whatever order it arrives: consents, and marks after a complaint."""

from __future__ import annotations

import pytest

from decisioning.state import State
from decisioning.state.consents import bounded_marks
from decisioning.state.model import MAX_CONSENTS, MAX_GRANTS, MAX_MARKS, Mark
from tests.builders import Happening, answered, at, folded, granted, withdrawn

MONDAY, TUESDAY, WEDNESDAY = "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00"


def marked(state: State) -> set[tuple[str, str, str]]:
    """Purpose, channel and kind of each mark."""
    return {(one.purpose, one.channel, one.kind) for one in state.marks}


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


def test_a_complaint_marks_both_purposes_on_its_channel() -> None:
    """Rule 2, also where the decision is unknown ("always counts")."""
    state = folded((MONDAY, answered("complained", channel="sms")))
    assert state.marks == (
        Mark("marketing", "sms", "complained", at(MONDAY)),
        Mark("survey", "sms", "complained", at(MONDAY)),
    )


def test_each_kind_keeps_its_newest_time() -> None:
    """Of two complaints the later; an unsubscribe beside them is a mark of its own."""
    state = folded(
        (TUESDAY, answered("complained")), (MONDAY, answered("complained")), (MONDAY, answered("unsubscribed"))
    )
    assert {(one.kind, one.at) for one in state.marks} == {
        ("complained", at(TUESDAY)),
        ("unsubscribed", at(MONDAY)),
    }
    assert len(state.marks) == 4
    assert folded((WEDNESDAY, answered("complained")), state=state).marks[0].at == at(WEDNESDAY)


@pytest.mark.parametrize(
    ("grant", "left"),
    [
        (granted(), {("survey", "sms", "unsubscribed")}),
        (granted(on=["sms", "push"]), {("survey", "sms", "unsubscribed")}),
        (granted("survey"), {("marketing", "sms", "unsubscribed")}),
        (granted(on=["email"]), {("marketing", "sms", "unsubscribed"), ("survey", "sms", "unsubscribed")}),
        (granted(on=[]), {("marketing", "sms", "unsubscribed"), ("survey", "sms", "unsubscribed")}),
        (granted("profiling"), {("marketing", "sms", "unsubscribed"), ("survey", "sms", "unsubscribed")}),
        (withdrawn(), {("marketing", "sms", "unsubscribed"), ("survey", "sms", "unsubscribed")}),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_a_grant_lifts_the_marks_of_its_purpose_and_channels(
    grant: Happening, left: set[tuple[str, str, str]], late: bool
) -> None:
    """For that channel or for all, whichever of the two arrives first."""
    told = [(MONDAY, answered("unsubscribed", channel="sms")), (TUESDAY, grant)]
    assert marked(folded(*(reversed(told) if late else told))) == left


@pytest.mark.parametrize("late", [False, True])
def test_a_grant_of_the_marks_own_time_lifts_nothing(late: bool) -> None:
    """At a tie the stricter."""
    told = [(MONDAY, answered("complained")), (MONDAY, granted())]
    assert len(folded(*(reversed(told) if late else told)).marks) == 2


def test_a_grant_lifts_a_mark_even_where_a_later_withdrawal_is_known() -> None:
    """The mark and the consent are two things: what is left is that consent was withdrawn."""
    state = folded((MONDAY, answered("complained")), (WEDNESDAY, withdrawn()), (TUESDAY, granted()))
    assert {one.purpose for one in state.marks} == {"survey"}
    assert not any(one.granted for one in state.consents)


def test_marks_are_bounded_and_what_is_forgotten_holds_for_all_channels() -> None:
    """The oldest mark of a channel becomes one of all channels, which only a grant for all lifts."""
    told = [(f"2026-03-02 10:{number:02}", answered("complained", channel=f"c-{number:02}")) for number in range(40)]
    state = folded(*told)
    assert len(state.marks) <= MAX_MARKS
    wide = {one.purpose: one.at for one in state.marks if one.channel == ""}
    assert set(wide) == {"marketing", "survey"}
    forgotten = {f"c-{number:02}" for number in range(40)} - {
        one.channel for one in state.marks if one.purpose == "marketing"
    }
    assert max(forgotten) == "c-08"
    assert wide["marketing"] == at("2026-03-02 10:08")
    assert folded((TUESDAY, granted(on=sorted(forgotten))), state=state).marks == state.marks
    left = folded((TUESDAY, granted()), (TUESDAY, granted("survey")), state=state)
    assert left.marks == ()


def test_marks_within_the_bound_stay_as_they_are() -> None:
    """The very same tuple, so that nothing is copied for nothing."""
    marks = (Mark("marketing", "sms", "complained", 1),)
    assert bounded_marks(marks) is marks


@pytest.mark.parametrize(
    "told",
    [
        [(TUESDAY, granted()), (WEDNESDAY, withdrawn())],
        [(WEDNESDAY, withdrawn()), (TUESDAY, granted())],
        [(TUESDAY, granted(on=["email"])), (WEDNESDAY, withdrawn())],
        [(TUESDAY, granted(on=["email"])), (WEDNESDAY, withdrawn(on=["email"]))],
        [(WEDNESDAY, withdrawn()), (TUESDAY, granted(on=["email"]))],
    ],
)
def test_a_late_complaint_from_before_a_grant_that_was_withdrawn_since_does_not_hold(
    told: list[tuple[str, Happening]],
) -> None:
    """Consent was granted anew after it: what is told is the withdrawal, whichever of the three arrives last."""
    state = folded(*told, (MONDAY, answered("complained")))
    assert {one.purpose for one in state.marks} == {"survey"}
    assert folded(*told, (TUESDAY, answered("complained"))).marks != state.marks, "at a tie it stands"


def test_hidden_grants_are_bounded_and_only_kept_where_they_matter() -> None:
    """The newest of them; one that a fact still shows is not kept twice."""
    assert folded((MONDAY, granted()), (TUESDAY, granted()), (TUESDAY, granted(on=["sms"]))).grants == ()
    told = [(f"2026-03-02 10:{number:02}", granted(on=[f"c-{number}"])) for number in range(30)]
    state = folded(*told, (TUESDAY, withdrawn()), (TUESDAY, withdrawn("profiling")))
    assert [one.channel for one in state.grants] == [f"c-{number}" for number in range(30 - MAX_GRANTS, 30)]
    assert folded((WEDNESDAY, granted()), state=state).grants == ()
