"""Consents and marks of two sides: the stricter wins, channel by channel (contract.md, section 4, rules 2 and 3)."""

from __future__ import annotations

from typing import Final

import pytest

from decisioning.decision import Candidate
from decisioning.event import Event
from decisioning.instant import DAY
from decisioning.payload import ConsentChanged
from decisioning.state import State
from decisioning.state.allowed import consents_of_both, marks_of_both
from decisioning.state.consents import granted
from decisioning.state.model import MAX_CONSENTS, MAX_MARKS, Consent, Mark

LASTS: Final = 730 * DAY
CHANNELS: Final = ("email", "sms", "push")


def yes(channel: str = "", at: int = 5, until: int | None = None) -> Consent:
    """A grant of marketing."""
    return Consent("marketing", channel, True, at, until)


def no(channel: str = "", at: int = 5) -> Consent:
    """A withdrawal of marketing."""
    return Consent("marketing", channel, False, at)


def holding(consents: tuple[Consent, ...], channel: str) -> tuple[bool, int, int | None] | None:
    """What rule 3 reads for a channel: granted, its time, its end."""
    facts = [one for one in consents if one.channel in ("", channel)]
    found = max(facts, key=lambda one: (one.at, not one.granted, -one.end(LASTS)), default=None)
    return None if found is None else (found.granted, found.at, found.end(LASTS) if found.granted else None)


def both(ours: tuple[Consent, ...], theirs: tuple[Consent, ...]) -> dict[str, tuple[bool, int, int | None] | None]:
    """What holds on each channel after the merge, which is the same whoever is the target."""
    there = consents_of_both(State("a", consents=ours), State("b", consents=theirs), LASTS)
    back = consents_of_both(State("b", consents=theirs), State("a", consents=ours), LASTS)
    found = {channel: holding(there, channel) for channel in CHANNELS}
    assert found == {channel: holding(back, channel) for channel in CHANNELS}
    return found


def test_one_sides_consent_stands_alone() -> None:
    """Where the other side holds none, for all channels or for one."""
    assert both((yes(at=7),), ())["sms"] == (True, 7, 7 + LASTS)
    found = both((yes("sms", 7),), (no("email", 9),))
    assert found == {"sms": (True, 7, 7 + LASTS), "email": (False, 9, None), "push": None}


def test_a_withdrawal_wins_whatever_the_times_and_takes_the_later() -> None:
    """A newer grant of the other side does not speak for this one."""
    for ours, theirs in (((no(at=5),), (yes(at=9),)), ((no(at=9),), (yes(at=5),))):
        assert set(both(ours, theirs).values()) == {(False, 9, None)}


def test_the_sides_are_compared_channel_by_channel() -> None:
    """A fact for all channels is a fact for each; a withdrawn channel leaves the others granted."""
    found = both((yes(at=5),), (no("sms", 3),))
    assert found == {"email": (True, 5, 5 + LASTS), "sms": (False, 5, None), "push": (True, 5, 5 + LASTS)}
    found = both((no(at=5), yes("email", 7)), (yes(at=6),))
    assert found["email"] == (True, 7, 6 + LASTS)
    assert found["sms"] == (False, 6, None)


def test_what_both_sides_grant_on_a_channel_stays_granted() -> None:
    """Also where one of them refuses all the others, and the other granted all of them later."""
    found = both((no(at=1), yes("push", 2)), (yes(at=3),))
    assert found["sms"] == (False, 3, None)
    assert found["push"] is not None
    assert (found["push"][0], found["push"][2]) == (True, 2 + LASTS)
    found = both((yes(at=5, until=50), yes("sms", 7, until=100)), (yes(at=7, until=100),))
    assert found["email"] == (True, 7, 50)
    assert found["sms"] is not None
    assert found["sms"][2] == 100


def test_of_two_grants_the_earlier_end_holds() -> None:
    """Also where an end is only the usual lifetime."""
    assert both((yes(at=5, until=100),), (yes(at=9, until=50),))["sms"] == (True, 9, 50)
    assert both((yes(at=5),), (yes(at=9),))["sms"] == (True, 9, 5 + LASTS)
    assert both((yes(at=5),), (yes(at=9, until=LASTS),))["sms"] == (True, 9, LASTS)


def test_purposes_are_apart() -> None:
    """No to surveys is not no to marketing."""
    survey = Consent("survey", "", False, 9)
    found = consents_of_both(State("a", consents=(yes(),)), State("b", consents=(survey,)), LASTS)
    assert set(found) == {yes(), survey}


def test_too_many_consents_are_forgotten_to_the_strict_side() -> None:
    """The bound is the fold's: a withdrawal that must go takes all channels with it."""
    sides = [State(side, consents=tuple(no(f"{side}{n}", n) for n in range(MAX_CONSENTS))) for side in "ab"]
    found = consents_of_both(sides[0], sides[1], LASTS)
    assert len(found) <= MAX_CONSENTS
    assert any(not one.granted and one.channel == "" for one in found)


@pytest.mark.parametrize("grant", [yes(at=7), yes("sms", 7)])
def test_a_mark_is_not_lifted_by_the_other_sides_grant(grant: Consent) -> None:
    """It takes the later time: only a grant after both lifts it."""
    mark = Mark("marketing", "sms", "complained", 5)
    for ours, theirs in ((State("a", marks=(mark,)), State("b", consents=(grant,))),) * 2:
        assert (
            marks_of_both(ours, theirs) == marks_of_both(theirs, ours) == (Mark("marketing", "sms", "complained", 7),)
        )
    state = State("a", marks=marks_of_both(ours, theirs), consents=consents_of_both(ours, theirs, LASTS))
    for at, left in ((6, 1), (7, 1), (8, 0)):
        event = Event("/s", "e", "consent.granted", at, "a", None)
        assert len(granted(state, event, ConsentChanged("marketing")).marks) == left


def test_marks_of_other_purposes_channels_and_kinds_are_apart() -> None:
    """A grant elsewhere moves nothing; the same mark twice has the later time."""
    ours = State("a", marks=(Mark("survey", "sms", "complained", 5), Mark("marketing", "sms", "unsubscribed", 5)))
    theirs = State("b", marks=(Mark("survey", "sms", "complained", 8),), consents=(yes("email", 9), no(at=10)))
    assert set(marks_of_both(ours, theirs)) == {
        Mark("survey", "sms", "complained", 8), Mark("marketing", "sms", "unsubscribed", 5)
    }  # fmt: skip


def test_too_many_marks_are_marks_of_all_channels() -> None:
    """The bound is the fold's."""
    sides = [
        State(side, marks=tuple(Mark("survey", f"{side}{n}", "complained", n) for n in range(MAX_MARKS)))
        for side in "ab"
    ]
    found = marks_of_both(*sides)
    assert len(found) <= MAX_MARKS
    assert any(mark.channel == "" for mark in found)
    assert Candidate(0, "a", "survey", (), 0).class_ == found[0].purpose
