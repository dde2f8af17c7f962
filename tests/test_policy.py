"""A rulebook made ready for the engine."""

from __future__ import annotations

import pytest

from decisioning.catalogue import Catalogue
from decisioning.instant import DAY, HOUR
from decisioning.policy import LONGEST_WAIT, Policy
from decisioning.rulebook import parse
from tests.builders import BARE, RETAIL


def policy(more: bytes = b"") -> Policy:
    """The policy of a bare rulebook with these lines added."""
    return Policy(parse(BARE + more, "rules.yaml"), Catalogue())


EVERYTHING = b"""
respect:
  stopped: {channels: [fax]}
  blackout: {dates: ["2026-12-25"]}
  holdout: {share: 0.1}
  ineligible: [{name: never, when: "false"}]
"""


@pytest.mark.parametrize("class_", ["service", "care"])
def test_service_and_care_meet_few_suppressors(class_: str) -> None:
    """Rules 1 and 23 hold for every class, and so does what the rulebook stopped or refuses."""
    met = [one.section for one in policy(EVERYTHING).suppressors(class_)]
    assert met == ["dnc", "stopped", "ineligible", "expired"]


def test_what_is_off_is_not_asked() -> None:
    """A stop switch that stops nothing costs nothing, and so does a holdout of nobody."""
    plain = {one.section for one in policy().suppressors("marketing")}
    whole = {one.section for one in policy(EVERYTHING).suppressors("marketing")}
    assert whole - plain == {"stopped", "blackout", "holdout", "ineligible"}
    assert [one.section for one in policy().suppressors("care")] == ["dnc", "expired"]


def test_marketing_meets_what_surveys_meet_and_more() -> None:
    """In the order of section 4: 16 is for surveys alone, 20 to 22 for marketing alone, the others are for both."""
    marketing = [one.section for one in policy(EVERYTHING).suppressors("marketing")]
    survey = [one.section for one in policy(EVERYTHING).suppressors("survey")]
    alone = ("concurrent_channel", "frequency_cap", "holdout")
    assert [one for one in survey if one != "survey"] == [one for one in marketing if one not in alone]


def test_a_panel_holds_each_suppressor_by_what_its_answer_depends_on() -> None:
    """In their order, each once; what speaks of the one request, and what ends an act, is found beside."""
    whole = policy(EVERYTHING)
    found = whole.panel("marketing")
    parts = {"customer": found.of_customer, "candidate": found.of_candidate, "everything": found.of_everything}
    placed = sorted((place, one.section) for part in parts.values() for place, one in part)
    assert placed == [(place, one.section) for place, one in enumerate(whole.suppressors("marketing"))]
    assert all(one.depends_on == depends for depends, part in parts.items() for _, one in part)
    assert [one.section for one in found.of_the_request] == ["expired"]
    assert set(found.of_everything) - set(found.lasting) == {(placed[-1][0], found.of_the_request[0])}
    ending = ["consent", "quiet_hours", "blackout", "contact_window", "expired"]
    assert [one.section for one in found.ending] == ending


def test_how_long_things_matter_is_read_from_the_rulebook() -> None:
    """The engine forgets by these numbers, so they follow the author's."""
    assert (policy().lifetime, policy().orders_for, policy().acts_for) == (24 * HOUR, 30 * DAY, 90 * DAY)
    long = policy(
        b"respect: {expired: {after: 2h}, recent_purchase: {substitute: 90d},"
        b" frequency_cap: {caps: [{name: term, limit: 9, per: 120d}]}}\n"
    )
    assert (long.lifetime, long.orders_for, long.acts_for) == (2 * HOUR, 90 * DAY, 120 * DAY)


def test_nothing_waits_longer_than_30_days() -> None:
    """No `not_before` within 30 days is a refusal."""
    assert LONGEST_WAIT == 30 * DAY


def test_decisions_carry_the_rulebooks_name_version_and_digest() -> None:
    """Every decision can be traced to the text that it was made by."""
    shipped = parse(RETAIL.read_bytes(), "retail.yaml")
    assert Policy(shipped, Catalogue()).stamp == {"name": "retail", "version": "1", "digest": shipped.digest}


ACTIONS = b"""valid_for: 2h
attributes: {tier: {type: string}}
make_good: {price_drop: 7d}
actions:
  - {action: thanks, class: care, on: [order.placed, order.delivered], channels: [email], valid_for: 9h}
  - {action: shipped, class: care, on: order.delivered, channels: [email, sms], treatments: {email: warm}}
  - {action: gold, class: marketing, channels: [email], when: [{gold: 'customer.tier == "gold"'}]}
"""


def test_an_event_calls_the_actions_that_name_it() -> None:
    """In the rulebook's order; an action without events waits for a request."""
    found = policy(ACTIONS)
    assert [action.action for action in found.triggers("order.delivered")] == ["thanks", "shipped"]
    assert [action.action for action in found.triggers("order.placed")] == ["thanks"]
    assert found.triggers("order.eta_changed") == found.triggers("unknown.type") == ()
    assert [action.action for action in policy().triggers("order.eta_changed")] == ["delay_alert"]


def test_an_action_is_known_by_its_name() -> None:
    """Its validity and its wording, else the rulebook's validity and none."""
    found = policy(ACTIONS)
    assert [found.valid_for(name) for name in ("thanks", "shipped", "another")] == [9 * HOUR, 2 * HOUR, 2 * HOUR]
    assert [found.treatment("shipped", channel) for channel in ("email", "sms")] == ["warm", None]
    assert found.treatment("another", "email") is None
    gold = found.action("gold")
    assert gold is not None
    assert gold.on == ()
    assert found.action("another") is None
    assert list(found.attributes) == ["tier"]


def test_how_long_a_price_drop_is_made_good_is_the_authors() -> None:
    """14 days unless the rulebook says otherwise."""
    assert (policy().make_good_within, policy(ACTIONS).make_good_within) == (14 * DAY, 7 * DAY)
    assert policy(b"make_good: {price_drop: 0d}\n").make_good_within == 0
