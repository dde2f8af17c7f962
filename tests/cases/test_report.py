"""What an analyst reads after a run: failures with their place, what no case reaches, the count."""

from __future__ import annotations

from decisioning.cases import parse, play, report
from decisioning.cases.trial import Result
from decisioning.catalogue import Catalogue
from decisioning.policy import Policy
from decisioning.rulebook import parse as parse_rulebook
from tests.builders import BARE

ONE = """\
cases:
  - case: nobody agreed
    customer: {time_zone: UTC}
    steps:
      - at: 2026-03-02 10:00
        contact.requested: {candidates: [{action: ad, class: marketing, channels: [sms]}]}
        expect: {suppress: ad, reason: consent.expired, allowed_from: 2026-03-03}
"""


NOTHING = report.Missed((), ())


def results(text: str) -> list[Result]:
    """Every case of a text, played."""
    return [play(parse_rulebook(BARE, "r.yaml"), script) for script in parse(text.encode(), "c.yaml")]


def policy(extra: bytes = b"") -> Policy:
    """The contract's defaults and what an author adds."""
    return Policy(parse_rulebook(BARE + extra, "r.yaml"), Catalogue())


def test_a_failure_is_a_table_with_the_facts() -> None:
    """Where, when, what differs, and what was said instead."""
    assert list(report.lines("c.yaml", results(ONE), NOTHING)) == [
        "c.yaml:5:9: nobody agreed",
        "  2026-03-02T10:00:00Z contact.requested",
        "    field         expected              said",
        "    reason        consent.expired       consent.missing",
        "    allowed_from  2026-03-03T00:00:00Z  (absent)",
        "  all that was said:",
        "    suppress ad, channel sms, reason consent.missing",
        "      because {channel: sms, purpose: marketing}",
        "  all that was expected: suppress ad",
        "",
        "c.yaml: 1 case, 0 held, 1 failed",
    ]


def test_silence_is_told_as_silence() -> None:
    """Where something was expected and nothing came."""
    text = ONE.replace("contact.requested: {candidates: [{action: ad, class: marketing, channels: [sms]}]}", "x: y")
    quiet = text.replace("x: y", "order.placed: {order_id: o-1}")
    assert "  all that was said: nothing" in list(report.lines("c.yaml", results(quiet), NOTHING))


def test_what_no_case_reaches_is_named() -> None:
    """By name where the rulebook writes the rule, by number where it leaves it at its defaults."""
    own = policy(b"respect: {consent: {}, survey: {}}\n")
    missed = report.unreached(own, results(ONE))
    assert missed.written == ("consent.withdrawn", "consent.expired", "survey.no_plan")
    assert {"quiet_hours.night", "frequency_cap.week", "make_good.price_drop", "order.delayed"} <= set(missed.defaults)
    assert "consent.missing" not in missed.written + missed.defaults
    told = list(report.lines("c.yaml", results(ONE.replace("consent.expired", "consent.missing")), missed))
    assert "  consent.withdrawn" in told
    assert told[-2] == f"not asked of these cases: {len(missed.defaults)} reasons of rules left at their defaults"
    assert told[-1].endswith(", 3 rules not reached")


def test_an_action_that_is_never_said_is_named() -> None:
    """And what its acts would say."""
    own = policy(b"actions: [{action: hello, class: care, on: order.shipped, channels: [sms]}]\n")
    missed = report.unreached(own, results(ONE)).written
    assert missed == ("order.shipped", "order.delivered", "order.cancelled", "action hello")


def test_what_needs_a_fault_is_not_asked_for() -> None:
    """No story makes a state unreadable."""
    found = report.possible(policy(b"respect: {degraded: {}, ineligible: [{name: x, when: 'customer.test'}]}\n"))
    assert "ineligible.x" in found.written
    assert not [name for names in found for name in names if name.startswith(("degraded", "rule_error"))]


def test_only_what_the_rule_in_force_can_give_is_asked_for() -> None:
    """An author's own caps by name; a switch that is off gives nothing."""
    found = report.possible(policy(b"respect: {frequency_cap: {caps: [{name: hour, limit: 1, per: 1h}]}}\n"))
    assert found.written == ("frequency_cap.hour", "frequency_cap.own_limit")
    off = policy(b"respect: {holdout: {}, stopped: {}, blackout: {}}\nmake_good: {price_drop: 0d}\n")
    assert report.possible(off).written == ()
    assert "make_good.price_drop" not in report.possible(off).defaults
    switched = b"respect: {holdout: {share: 0.5}, stopped: {channels: [sms]}, blackout: {dates: ['2026-12-25']}}\n"
    assert set(report.possible(policy(switched)).written) == {
        "stopped.channel",
        "quiet_hours.blackout",
        "holdout.control",
    }


def test_a_case_may_name_whatever_the_rulebook_can_give() -> None:
    """The table's reasons, and those under names of the author's own."""
    caps = "respect: {frequency_cap: {caps: [{name: hourly, limit: 1, per: 1h}]}}\n"
    given = report.given(Policy(parse_rulebook(BARE + caps.encode(), "r.yaml"), Catalogue()))
    assert {"frequency_cap.hourly", "consent.missing", "order.delayed"} <= given
    assert "frequency_cap.daily" not in given
