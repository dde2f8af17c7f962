"""Decisions as the page tells them, from the bytes that are published."""

from __future__ import annotations

import json
from typing import Any

from decisioning.decision import Decision, dumps
from decisioning.streaming.api.console.told import Told, told
from tests.builders import RETAIL, Story, asked, at, bought, case_opened, case_resolved, granted, lives, offer, only

NOW = at("2026-03-20 12:00")


def event(decision: Decision) -> Any:
    """A decision off the topic."""
    return json.loads(dumps(decision))


def one(decision: Decision) -> Told:
    """It as it is told at `NOW`."""
    [found] = told([event(decision)], NOW)
    return found


def story() -> Story:
    """A customer who agreed, and bought A."""
    told_ = Story(RETAIL.read_bytes())
    told_.at("2026-03-01 09:00", lives(time_zone="UTC"), granted(), granted("survey"))
    told_.at("2026-03-10 10:00", bought("A"))
    return told_


def test_each_candidate_has_its_verdict_facts_and_way_out() -> None:
    """The example of the issue: why not, on which facts, from when, and what would change it."""
    sale = offer("sale", on=["email", "sms"], sku="A", value="9")
    found = one(only(story().at("2026-03-20 11:00", asked(sale, offer("other", value="1"), request="r-1"))))
    assert (found.outcome, found.word, found.title, found.channel) == ("act", "Say", "other", "email")
    mail, sms, other = found.weighed
    assert (mail.action, mail.channel, mail.verdict, mail.word) == ("sale", "email", "suppress", "no")
    assert mail.facts == [("sku", "A"), ("bought at", "2026-03-10 10:00 UTC")]
    assert mail.allowed_from == ("2026-04-09T10:00:00Z", "2026-04-09 10:00 UTC", "in 19 d 22 h")
    assert mail.or_else == "the units come back, or the order is cancelled"
    assert sms.reason == "recent_purchase.same_item"
    assert (other.word, other.allowed_from, other.or_else) == ("yes", None, None)
    assert ("request", "r-1") in found.details
    assert found.because_of == "contact.requested e-5 of /shop"
    assert json.loads(found.published)["id"] == found.id


def test_who_lost_is_told_apart() -> None:
    """`yes, but`: nothing spoke against it."""
    found = one(only(story().at("2026-03-20 11:00", asked(offer("a", value="2"), offer("b")))))
    assert [(each.action, each.verdict, each.word) for each in found.weighed] == [
        ("a", "allow", "yes"),
        ("b", "outranked", "yes, but"),
    ]


def test_waiting_names_its_instant() -> None:
    """Deferred until the night is over."""
    found = one(only(story().at("2026-03-20 22:00", asked(offer("a")))))
    [each] = found.weighed
    assert (found.word, each.word) == ("Not now", "wait")
    assert each.not_before is not None
    assert each.not_before.iso == "2026-03-21T08:00:00Z"
    assert each.or_else == "it is asked again by itself when the quiet time is over"


def test_holds_and_releases_have_a_title_of_their_own() -> None:
    """What they forbid; and a release does not read as if it still did."""
    life = story()
    [hold] = life.at("2026-03-20 08:00", case_opened())
    assert (one(hold).title, one(hold).author) == (
        "nothing of classes marketing, survey",
        "A case of the customer is open.",
    )
    release = next(each for each in life.at("2026-03-20 09:00", case_resolved()) if each.outcome == "release")
    assert (one(release).title, one(release).author) == ("a hold is over", "Over: A case of the customer is open.")


def test_what_time_ends_and_another_rule_does_not_is_said() -> None:
    """No contradiction: `nothing but time changes this` beside `not by the passing of time`."""
    life = story()
    life.at("2026-03-20 08:00", case_opened())
    life.at("2026-03-20 09:00", case_resolved())
    [each] = one(only(life.at("2026-03-20 10:00", asked(offer(kind="survey"))))).weighed
    assert (each.reason, each.allowed_from) == ("hold.recently_resolved", None)
    assert each.or_else == "time ends this, but behind it stands another rule that time does not end"
