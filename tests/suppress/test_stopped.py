"""The stop switch: all marketing, a channel, an action or a campaign, from the next event on."""

from __future__ import annotations

import pytest

from decisioning.catalogue import Catalogue
from decisioning.decision import Decision
from decisioning.policy import Policy
from decisioning.rulebook import parse
from tests.builders import BARE, Story, asked, nothing_new, of, offer, only, said, uncapped

YES = ("act", "allowed.clear")


def stopped(what: str) -> bytes:
    """A rulebook that stops this."""
    return BARE + f"respect: {{stopped: {what}}}\n".encode()


def ask(rules: str, kind: str = "marketing", on: str = "email", campaign: str | None = None) -> Decision:
    """The answer to one question about a "sale" under a rulebook that stops this."""
    return only(
        uncapped(stopped(rules)).at("2026-03-02 12:00", asked(offer("sale", kind=kind, on=[on]), campaign=campaign))
    )


@pytest.mark.parametrize(
    ("rules", "kind", "expected"),
    [
        ("{marketing: true}", "marketing", ("suppress", "stopped.marketing")),
        ("{marketing: true}", "service", YES),
        ("{marketing: false}", "marketing", YES),
        ("{channels: [email]}", "marketing", ("suppress", "stopped.channel")),
        ("{channels: [email]}", "service", ("suppress", "stopped.channel")),
        ("{channels: [sms]}", "care", YES),
        ("{actions: [sale]}", "care", ("suppress", "stopped.action")),
        ("{actions: [other]}", "care", YES),
        ("{campaigns: [spring]}", "service", ("suppress", "stopped.campaign")),
        ("{campaigns: [autumn]}", "service", YES),
        ("{}", "marketing", YES),
    ],
)
def test_what_is_stopped_is_silent(rules: str, kind: str, expected: tuple[str, str]) -> None:
    """A channel, an action and a campaign of every class; `marketing` is that class alone."""
    answer = ask(rules, kind, campaign="spring")
    assert said([answer]) == [expected]
    assert answer.allowed_from is None, "only another rulebook lets it go"


def test_the_first_of_the_four_gives_the_reason() -> None:
    """Marketing, channel, action, campaign: the order in which the rulebook lists them."""
    all_of_it = "{marketing: true, channels: [email], actions: [sale], campaigns: [spring]}"
    assert ask(all_of_it, campaign="spring").reason == "stopped.marketing"
    assert ask(all_of_it, "service", campaign="spring").reason == "stopped.channel"
    assert ask(all_of_it, "service", "sms", campaign="spring").reason == "stopped.action"
    assert ask("{campaigns: [spring]}", campaign=None).reason == "allowed.clear"


def test_another_channel_goes_on() -> None:
    """One stopped channel leaves the others."""
    story = uncapped(stopped("{channels: [email]}"))
    answer = only(story.at("2026-03-02 12:00", asked(offer("sale", on=["email", "sms"]))))
    assert (answer.outcome.value, answer.channel) == ("act", "sms")


@pytest.mark.parametrize(
    ("rules", "reason"), [("{marketing: true}", "stopped.marketing"), ("{campaigns: [spring]}", "stopped.campaign")]
)
def test_it_takes_back_what_is_live_at_the_next_event(story: Story, rules: str, reason: str) -> None:
    """A new rulebook recalls by being asked again, like every other rule."""
    act = only(story.at("2026-03-02 12:00", asked(offer("sale"), campaign="spring")))
    story.run.policy = Policy(parse(stopped(rules), "rules.yaml"), Catalogue())
    recall = only(of("recall", story.at("2026-03-02 12:05", nothing_new())))
    assert (recall.recalls, recall.reason, recall.allowed_from) == (act.id, reason, None)
