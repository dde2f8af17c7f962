"""Rule 2: after a complaint or an unsubscribe that channel is silent until consent is granted anew."""

from __future__ import annotations

import pytest

from decisioning.state.model import Mark
from decisioning.suppress.base import Ask
from decisioning.suppress.do_not_contact import Always, NotAskedToStop
from tests.builders import Story, answered, asked, granted, of, offer, only, response, said

COMPLAINED = ("suppress", "dnc.complained")
UNSUBSCRIBED = ("suppress", "dnc.unsubscribed")
YES = ("act", "allowed.clear")
MONDAY, TUESDAY, WEDNESDAY = "2026-03-02 12:00", "2026-03-03 12:00", "2026-03-04 12:00"


def ask(story: Story, when: str, on: str = "email", kind: str = "marketing") -> tuple[str, str]:
    """Outcome and reason of one question."""
    return said([only(story.at(when, asked(offer(on=[on], kind=kind))))])[0]


@pytest.mark.parametrize(("kind", "expected"), [("complained", COMPLAINED), ("unsubscribed", UNSUBSCRIBED)])
def test_a_complaint_or_an_unsubscribe_silences_its_channel(story: Story, kind: str, expected: tuple[str, str]) -> None:
    """Also about a decision that nobody knows; other channels and service go on."""
    story.at(MONDAY, answered(kind, channel="email"))
    answer = only(story.at(TUESDAY, asked()))
    assert said([answer]) == [expected]
    assert answer.allowed_from is None, "only the customer lifts it"
    assert answer.considered[0].because == {"channel": "email", "since": "2026-03-02T12:00:00Z"}
    assert ask(story, TUESDAY, kind="service") == YES
    assert ask(story, TUESDAY, on="sms") == YES
    assert ask(story, TUESDAY, kind="survey")[1] == expected[1], "before rule 16"


def test_a_complaint_is_told_before_an_unsubscribe(story: Story) -> None:
    """Within a rule, reasons come in the order in which the contract lists them."""
    story.at(MONDAY, answered("unsubscribed"))
    story.at(TUESDAY, answered("complained"))
    assert ask(story, WEDNESDAY) == COMPLAINED


@pytest.mark.parametrize(("on", "expected"), [(None, YES), (["email"], YES), (["sms"], COMPLAINED), ([], COMPLAINED)])
def test_consent_granted_anew_lifts_it(story: Story, on: list[str] | None, expected: tuple[str, str]) -> None:
    """For that channel or for all."""
    story.at(MONDAY, answered("complained"))
    story.at(TUESDAY, granted(on=on))
    assert ask(story, WEDNESDAY) == expected


def test_consent_for_another_purpose_lifts_nothing(story: Story) -> None:
    """Until consent for that purpose is granted anew."""
    story.at(MONDAY, answered("complained"))
    story.at(TUESDAY, granted("survey"))
    assert ask(story, WEDNESDAY) == COMPLAINED


def test_a_late_complaint_from_before_a_grant_does_not_hold(story: Story) -> None:
    """Of a complaint and a grant the later time holds, whichever arrives first."""
    story.at(TUESDAY, granted())
    story.at(WEDNESDAY, answered("complained").since(MONDAY))
    assert ask(story, WEDNESDAY) == YES


def test_it_takes_back_what_is_live(story: Story) -> None:
    """Two acts by email: the complaint about one, which arrived, recalls nothing of it but the channel falls silent."""
    act = only(story.at(MONDAY, asked()))
    recalls = of("recall", story.at("2026-03-02 12:10", answered("unsubscribed", channel="email")))
    assert [(one.recalls, one.reason) for one in recalls] == [(act.id, "dnc.unsubscribed")]


def test_what_is_complained_of_is_live_no_more(story: Story) -> None:
    """A response that names an act ends it: there is nothing left to take back (reading 4)."""
    act = only(story.at(MONDAY, asked()))
    assert of("recall", story.at("2026-03-02 12:10", response("complained", act))) == []


def test_a_mark_without_a_channel_is_of_all(story: Story) -> None:
    """What memory merged when it was full forbids everywhere."""
    state = story.state.__class__("c", marks=(Mark("marketing", "", "complained", 5),))
    template = only(story.at(MONDAY, asked())).considered[0].candidate
    rule = NotAskedToStop(Always())
    for channel in ("email", "sms"):
        found = rule.check(Ask(template, channel, state, (), 10, story.policy.catalogue, ()))
        assert found is not None
        assert found.reason == "dnc.complained"
