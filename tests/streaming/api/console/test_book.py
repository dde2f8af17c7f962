"""The rulebook in words."""

from __future__ import annotations

from collections import Counter

from decisioning.catalogue import Catalogue
from decisioning.policy import Policy
from decisioning.rulebook import parse
from decisioning.streaming.api.console.book import ActionInWords, Page, RuleInWords, page
from decisioning.streaming.api.console.tally import Counts
from decisioning.suppress import ORDER
from tests.builders import RETAIL

ODD = b"""rulebook: odd
version: "3"
owner: who@shop.example
respect:
  stopped: {marketing: true, channels: [sms], campaigns: [spring]}
  ineligible:
    - {name: minors, when: 'customer.age < 18'}
attributes: {age: {type: int}}
actions:
  - action: welcome
    class: service
    on: order.placed
    when:
      - first: 'order.news'
    channels: [push, email]
    quiet_hours: true
    value: 3
"""


def shown(text: bytes = ODD, counts: Counts | None = None) -> Page:
    """The page of a rulebook."""
    return page(Policy(parse(text, "r.yaml"), Catalogue()), {"source": "file", "errors": ["r.yaml:1:1: no"]}, counts)


def rule(found: Page, section: str) -> RuleInWords:
    """The rule of that section."""
    return next(one for one in found.rules if one.section == section)


def action(found: Page, name: str) -> ActionInWords:
    """The action of that name."""
    return next(one for one in found.actions if one.name == name)


def test_what_is_active_and_where_it_is_from() -> None:
    """Name, version, owner, digest, source, and what is wrong with a newer one."""
    found = shown()
    assert (found.name, found.version, found.owner, found.source) == ("odd", "3", "who@shop.example", "file")
    assert found.digest.startswith("sha256:")
    assert found.errors == ["r.yaml:1:1: no"]
    assert (found.decisions, found.since) == (0, None)


def test_what_is_stopped() -> None:
    """Each thing by its name."""
    assert [one.what for one in shown().stopped] == ["all marketing", "channel sms", "campaign spring"]
    assert shown(RETAIL.read_bytes()).stopped == []


def test_every_rule_in_its_order() -> None:
    """With its numbers as an author writes them; one that says nothing is off."""
    found = shown(RETAIL.read_bytes())
    assert [one.section for one in found.rules] == [one.section for one in ORDER]
    night = rule(found, "quiet_hours")
    assert night.numbers == 'from: "21:00", to: "08:00", then: defer'
    assert (night.classes, night.off) == ("marketing, survey", False)
    assert rule(found, "holdout").off
    assert rule(found, "dnc").classes == "every class"
    assert all("exact reading" not in one.sentence and one.sentence for one in found.rules)
    own = rule(shown(), "ineligible")
    told = {one.code: one.sentence for one in own.reasons}
    assert told["ineligible.minors"] == "The rulebook's condition `minors` does not hold."


def test_what_never_spoke() -> None:
    """A rule that is on and gave none of its reasons; one that is off is no such rule."""
    counts = Counts(7)
    counts.decisions = 2
    counts.reasons = Counter({"consent.missing": 2})
    counts.said = Counter({"order_status": 1})
    found = shown(RETAIL.read_bytes(), counts)
    assert (found.decisions, found.since) == (2, 7)
    assert not rule(found, "consent").silent
    assert {one.code: one.times for one in rule(found, "consent").reasons}["consent.missing"] == 2
    assert rule(found, "quiet_hours").silent
    assert not rule(found, "holdout").silent
    assert (action(found, "order_status").times, action(found, "delay_alert").times) == (1, 0)


def test_an_action_is_one_sentence_and_its_clauses() -> None:
    """When, how, within what."""
    found = action(shown(), "welcome")
    assert found.sentence == (
        "When an order is placed and every clause holds, by push, else email, not at night, within 4h, worth 3."
    )
    assert found.clauses == [("first", "order.news")]
    status = action(shown(RETAIL.read_bytes()), "order_status").sentence
    assert status == (
        "When an order is shipped or an order arrives, by push, else sms, else email, once an order and event, "
        "within 4h."
    )
