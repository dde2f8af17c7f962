"""The second pair of eyes: silent while the engine is right, and it sees each rule that a suppressor lets through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from decisioning.audit import RULES, Contact, Numbers, broken, contact, numbers
from decisioning.decision import Decision, Outcome, dumps, dumps_binary
from decisioning.engine import Step
from decisioning.policy import Policy
from decisioning.replay import Replay
from decisioning.state import State
from decisioning.stops import Stopped
from decisioning.suppress.base import AnySuppressor
from decisioning.suppress.basics import BasicsInOrder
from decisioning.suppress.consent import ConsentGiven
from decisioning.suppress.degraded import StateKnown
from decisioning.suppress.dnc import MayBeContacted
from decisioning.suppress.do_not_contact import NotAskedToStop
from decisioning.suppress.empathy import NotInDistress
from decisioning.suppress.frequency_cap import UnderCaps
from decisioning.suppress.hold import NoOpenIssue
from decisioning.suppress.recent_purchase import NotJustBought
from decisioning.suppress.stopped import NotStopped, Switch
from tests.builders import (
    BARE,
    CUSTOMER,
    UNCAPPED,
    Happening,
    Story,
    answered,
    asked,
    at,
    bereaved,
    bought,
    case_opened,
    case_resolved,
    died,
    erased,
    eta_changed,
    granted,
    lives,
    offer,
    payment_failed,
    placed,
    prefers,
    said,
    vulnerable,
    withdrawn,
)
from tests.properties.histories import histories, live, often, policy

MONDAY = "2026-03-02 10:00"
NOON = "2026-03-02 12:00"
CAPPED = (
    BARE + b"respect: {frequency_cap: {caps: [{name: day, limit: 1, per: 1d}]}, concurrent_channel: {within: 0s}}\n"
)
STOPPED = UNCAPPED.replace(b"respect: {", b"respect: {stopped: {marketing: true}, ")


class Audited(Replay):
    """A run of the engine whose contacts are looked at as they are said."""

    def __init__(self, by: Policy) -> None:
        super().__init__(by)
        self.contacts = 0
        self.found: list[str] = []

    def _keep(self, subject: str, step: Step) -> Iterator[Decision]:
        for decision in step.outputs:
            spoken = contact(dumps(decision), ())
            if spoken is not None:
                self.contacts += 1
                self.found += broken(spoken, decision.subject.encode(), step.state, numbers(self.policy))
        yield from super()._keep(subject, step)


def told(rules: bytes = UNCAPPED) -> tuple[Story, Audited]:
    """A customer who agreed to all, and the eyes on them."""
    story = Story(rules)
    story.run = run = Audited(story.policy)
    story.at("2026-01-05 09:00", lives(time_zone="UTC"), granted("marketing"), granted("survey"))
    return story, run


BREAKS: list[tuple[str, type[AnySuppressor], tuple[Happening, ...], bytes, str]] = [
    ("erased", MayBeContacted, (erased(),), UNCAPPED, "service"),
    ("deceased", MayBeContacted, (died(),), UNCAPPED, "service"),
    ("stopped", NotStopped, (), STOPPED, "marketing"),
    ("consent", ConsentGiven, (withdrawn("marketing"),), UNCAPPED, "marketing"),
    ("consent", ConsentGiven, (withdrawn("marketing", on=["email"]),), UNCAPPED, "marketing"),
    ("consent", ConsentGiven, (granted("marketing", expires="2026-03-02 11:00"),), UNCAPPED, "marketing"),
    ("do_not_contact", NotAskedToStop, (answered("complained"),), UNCAPPED, "marketing"),
    ("do_not_contact", NotAskedToStop, (answered("unsubscribed"),), UNCAPPED, "marketing"),
    ("distress", NotInDistress, (bereaved(),), UNCAPPED, "marketing"),
    ("distress", NotInDistress, (vulnerable(until="2026-04-01"),), UNCAPPED, "marketing"),
    ("open_case", NoOpenIssue, (case_opened(),), UNCAPPED, "marketing"),
    ("just_resolved", NoOpenIssue, (case_resolved(),), UNCAPPED, "marketing"),
    ("basics", BasicsInOrder, (payment_failed(),), UNCAPPED, "marketing"),
    ("basics", BasicsInOrder, (placed(promised="2026-03-02 11:00"),), UNCAPPED, "marketing"),
    ("basics", BasicsInOrder, (placed(promised="2026-03-05"), eta_changed("2026-03-06")), UNCAPPED, "marketing"),
    ("just_bought", NotJustBought, (bought("LAMP"),), UNCAPPED, "marketing"),
    ("too_often", UnderCaps, (asked(),), CAPPED, "marketing"),
    ("too_often", UnderCaps, (prefers(max_marketing_per_week=0),), UNCAPPED, "marketing"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "suppressor", "before", "rules", "kind"), BREAKS)
def test_what_a_broken_suppressor_lets_through_is_seen(
    rule: str,
    suppressor: type[AnySuppressor],
    before: tuple[Happening, ...],
    rules: bytes,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the suppressor as it is nobody is spoken to and nothing is found; with its check gone, the rule is named."""
    for broken_now in (False, True):
        if broken_now:
            monkeypatch.setattr(suppressor, "check", lambda self, ask: None)
        story, run = told(rules)
        story.at(MONDAY, *before)
        spoken = run.contacts
        story.at(NOON, asked(offer(kind=kind)))
        assert run.contacts == spoken + broken_now
        assert run.found == ([rule] if broken_now else [])


def test_every_rule_can_be_broken() -> None:
    """The table above and the three that no suppressor could let through."""
    assert {row[0] for row in BREAKS} | {"moved", "stranger", "degraded"} == set(RULES)


def seen(state: State, by: Numbers | None = None, key: bytes = CUSTOMER.encode(), **more: Any) -> tuple[str, ...]:
    """What is found of one marketing e-mail at noon to a customer of this memory."""
    spoken = Contact("d-1", CUSTOMER, at(NOON), "marketing", "email", "offer")._replace(**more)
    return broken(spoken, key, state, by or numbers(policy()))


def test_a_state_that_could_not_be_read_and_one_that_moved_away_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what was said under the name of another."""
    story, run = told()
    assert seen(story.state) == ()
    assert seen(replace(story.state, degraded=True)) == ("degraded",)
    assert seen(replace(story.state, degraded=True), class_="service") == ()
    assert seen(replace(story.state, moved_to="c-7"), class_="service") == ("moved",)
    assert seen(story.state, key=b"c-7") == ("stranger",)
    assert seen(replace(story.state, subject="c-7")) == ("stranger",)
    monkeypatch.setattr(StateKnown, "check", lambda self, ask: None)
    run.states[CUSTOMER] = replace(story.state, degraded=True)
    assert said(story.at(NOON, asked())) == [("act", "allowed.clear")]
    assert run.found == ["degraded"]


def test_nothing_is_known_of_a_stranger() -> None:
    """No memory is no consent."""
    assert seen(State(CUSTOMER)) == ("consent",)
    assert seen(State(CUSTOMER), class_="service") == ()


def test_at_a_tie_every_word_on_consent_must_allow() -> None:
    """One for all channels and one for this channel, of one instant: the stricter holds, in whichever order."""
    story, _ = told()
    story.at(MONDAY, granted("marketing"), withdrawn("marketing", on=["email"]))
    for consents in (story.state.consents, story.state.consents[::-1]):
        assert seen(replace(story.state, consents=consents)) == ("consent",)
        assert seen(replace(story.state, consents=consents), channel="sms") == ()


def test_numbers_are_the_rulebooks() -> None:
    """An author who lets marketing out after a day is taken at their word."""
    story, _ = told()
    story.at("2026-02-28 10:00", case_resolved(), bought("LAMP"))
    assert seen(story.state) == ()
    assert seen(story.state, numbers(policy())._replace(cooldown=10**12)) == ("just_bought",)
    assert seen(story.state, numbers(policy())._replace(after_resolved=10**12)) == ("just_resolved",)


def test_what_is_stopped_by_hand_is_stopped() -> None:
    """Beside what the rulebook stops, and whether or not the suppressor knows."""
    halted = policy().under(Stopped(Switch(channels=("email",))))
    story, _ = told()
    assert seen(story.state, numbers(halted)) == ("stopped",)
    assert seen(story.state, numbers(halted), channel="sms") == ()


def test_a_stopped_campaign_is_known_by_its_act() -> None:
    """A decision does not carry its campaign; the memory of it does."""
    story, run = told()
    (act,) = story.at(NOON, asked(campaign="spring"))
    by = numbers(story.policy)
    halted = by._replace(stopped=(False, frozenset(), frozenset(), frozenset({"spring"})))
    spoken = contact(dumps(act), ())
    assert spoken is not None
    assert broken(spoken, CUSTOMER.encode(), story.state, by) == ()
    assert broken(spoken, CUSTOMER.encode(), story.state, halted) == ("stopped",)
    assert run.found == []


def test_a_contact_is_read_from_either_encoding() -> None:
    """What is looked at is what channels get; only an act speaks to anybody."""
    story, _ = told()
    (act,) = story.at(NOON, asked())
    expected = Contact(act.id, CUSTOMER, at(NOON), "marketing", "email", "offer")
    assert contact(dumps(act), ()) == contact(*dumps_binary(act)) == expected
    for outcome in set(Outcome) - {Outcome.ACT}:
        assert contact(dumps(replace(act, outcome=outcome)), ()) is None
    with pytest.raises(msgspec.MsgspecError):
        contact(b'{"id": 5}', ())


@given(histories)
@often(150)
def test_the_engine_is_never_found_wrong(drawn: bytes) -> None:
    """Random lives of three subjects: contacts are made, and not one is objected to."""
    events, _ = live(drawn)
    run = Audited(policy())
    for event in events:
        list(run.feed(event))
    list(run.finish(run.now + 400 * 86_400_000_000))
    assert run.found == []
