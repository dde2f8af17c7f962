"""Verdicts: which reason decides, and when it would be otherwise (contract.md, section 3, "Verdicts")."""

from __future__ import annotations

import pytest

from decisioning.judge import zones_of
from decisioning.state import State
from tests.builders import (
    BARE,
    Story,
    asked,
    at,
    bought,
    died,
    granted,
    lives,
    offer,
    only,
    prefers,
    product,
    said,
    weighed,
    window,
    withdrawn,
)


def test_no_objection_is_allowed_clear(story: Story) -> None:
    """What no rule refuses or delays is allowed, with the reason `allowed.clear` (reading 10)."""
    answer = only(story.at("2026-03-02 10:15", asked()))
    assert said([answer]) == [("act", "allowed.clear")]
    assert weighed(answer) == [("offer", "email", "allow", "allowed.clear")]


def test_a_refusal_beats_a_wish_to_wait(story: Story) -> None:
    """`suppress` if any rule refuses, though a rule that asks to wait stands before it in the order."""
    story.at("2026-03-02 10:15", asked())
    assert said(story.at("2026-03-02 22:00", asked())) == [("suppress", "frequency_cap.day")]


def test_the_first_rule_that_refuses_gives_the_reason(stranger: Story) -> None:
    """Without consent and without a zone, consent speaks: it comes first in the order of section 4."""
    assert said(stranger.at("2026-03-02 10:15", asked())) == [("suppress", "consent.missing")]
    stranger.at("2026-03-02 10:16", granted())
    assert said(stranger.at("2026-03-02 10:17", asked())) == [("suppress", "timezone.unknown")]
    stranger.at("2026-03-02 10:18", lives(time_zone="UTC"), died())
    assert said(stranger.at("2026-03-02 10:19", asked())) == [("suppress", "empathy.deceased")]


def test_the_first_rule_that_waits_gives_the_reason(story: Story) -> None:
    """In quiet hours and outside the windows, quiet hours speak: rule 17 comes before rule 18."""
    story.at("2026-03-02 10:15", prefers(contact_windows=[window("tue", "09:00", "17:00")]))
    assert said(story.at("2026-03-02 22:00", asked())) == [("defer", "quiet_hours.night")]


def test_not_before_is_when_no_rule_asks_to_wait(story: Story) -> None:
    """`not_before` is the first instant at which night and windows both let it through (reading 1)."""
    story.at(
        "2026-03-02 10:15",
        prefers(contact_windows=[window("mon tue wed", "07:00", "07:30"), window("wed", "10:00", "11:00")]),
    )
    answer = only(story.at("2026-03-02 22:00", asked(offer(expires="2026-03-10"))))
    assert answer.not_before == at("2026-03-04 10:00")


def test_not_before_may_be_the_last_instant_before_the_end(story: Story) -> None:
    """A `not_before` one microsecond before `expires_at` is still promised."""
    answer = only(story.at("2026-03-02 22:00", asked(offer(expires="2026-03-03 08:00:00.000001"))))
    assert said([answer]) == [("defer", "quiet_hours.night")]
    assert answer.not_before == at("2026-03-03 08:00")


def test_not_before_at_the_end_is_a_refusal_with_the_deferring_reason(story: Story) -> None:
    """A `not_before` at `expires_at` is too late: `suppress` with the reason of the rule that waits."""
    answer = only(story.at("2026-03-02 22:00", asked(offer(expires="2026-03-03 08:00"))))
    assert said([answer]) == [("suppress", "quiet_hours.night")]
    assert answer.not_before is None
    assert answer.allowed_from == at("2026-03-03 08:00"), "a new request at that time would be allowed"


def test_the_default_end_counts_for_not_before(story: Story) -> None:
    """`expires_at` means its default too (reading 3): 24 h are over before the next window opens."""
    story.at("2026-03-02 10:15", prefers(contact_windows=[window("sat", "09:00", "17:00")]))
    answer = only(story.at("2026-03-02 12:00", asked()))
    assert said([answer]) == [("suppress", "contact_window.outside")]
    assert answer.allowed_from == at("2026-03-07 09:00")


@pytest.mark.parametrize("expires", ["2026-03-05", "2027-03-02"])
def test_windows_that_lie_in_the_night_never_open(story: Story, expires: str) -> None:
    """No `not_before` within 30 days is a `suppress` with the deferring rule's reason, and nothing to hope for."""
    story.at("2026-03-02 10:15", prefers(contact_windows=[window("mon tue wed thu fri sat sun", "22:00", "23:00")]))
    answer = only(story.at("2026-03-02 12:00", asked(offer(expires=expires))))
    assert said([answer]) == [("suppress", "contact_window.outside")]
    assert answer.allowed_from is None


def test_allowed_from_counts_quiet_hours(story: Story) -> None:
    """A cap that ends at night is followed by the night: `allowed_from` is the next morning."""
    story.at("2026-03-02 20:30", asked(offer(on=["sms"])))
    story.at("2026-03-02 20:40", lives(time_zone="Europe/Berlin"))
    answer = only(story.at("2026-03-02 20:50", asked()))
    assert answer.reason == "frequency_cap.day"
    assert answer.allowed_from == at("2026-03-04 07:00"), "20:30 UTC is 21:30 in Berlin, night until 08:00 there"


def test_allowed_from_counts_contact_windows(story: Story) -> None:
    """A cooldown that ends outside the windows is followed by the next window."""
    story.at("2026-03-02 10:15", bought("A"), prefers(contact_windows=[window("fri", "09:00", "17:00")]))
    answer = only(story.at("2026-03-03 10:15", asked()))
    assert answer.reason == "recent_purchase.cooldown"
    assert answer.allowed_from == at("2026-03-06 09:00")


def test_allowed_from_goes_through_all_rules_in_turn(story: Story) -> None:
    """Price drop, then nothing: the contract's own example of section 3."""
    story.at("2026-03-02 10:15", bought("EREADER-1", price="100.00"))
    answer = only(
        story.at("2026-03-20 09:00", asked(offer("ereader_sale", sku="EREADER-1", price="80.00", on=["sms"])))
    )
    assert answer.reason == "recent_purchase.price_drop"
    assert answer.allowed_from == at("2026-04-01 10:15")


def test_allowed_from_is_absent_where_a_rule_begins_to_refuse_before_it(stranger: Story) -> None:
    """A consent that ends before the cooldown does leaves nothing to hope for."""
    stranger.at("2026-03-02 09:00", lives(time_zone="UTC"), granted(expires="2026-03-04 10:15"))
    stranger.at("2026-03-02 10:15", bought("A"))
    answer = only(stranger.at("2026-03-03 12:00", asked()))
    assert said([answer]) == [("suppress", "recent_purchase.cooldown")]
    assert answer.allowed_from is None


def test_allowed_from_reaches_the_last_moment_of_a_consent(stranger: Story) -> None:
    """One microsecond of consent after the cooldown is enough: ends are [from, to)."""
    stranger.at("2026-03-02 09:00", lives(time_zone="UTC"), granted(expires="2026-03-04 10:15:00.000001"))
    stranger.at("2026-03-02 10:15", bought("A"))
    assert only(stranger.at("2026-03-03 12:00", asked())).allowed_from == at("2026-03-04 10:15")


def test_allowed_from_is_absent_where_only_a_new_fact_helps(story: Story) -> None:
    """Withdrawn consent ends by no clock."""
    story.at("2026-03-02 09:00", withdrawn())
    assert only(story.at("2026-03-02 10:15", asked())).allowed_from is None


def test_allowed_from_leaves_out_the_end_of_this_candidate(story: Story) -> None:
    """A *new* request is what would be allowed: that this candidate is over by then does not matter."""
    story.at("2026-03-02 10:15", bought("A"))
    answer = only(story.at("2026-03-02 12:00", asked(offer(expires="2026-03-02 13:00"))))
    assert answer.allowed_from == at("2026-03-04 10:15")


def test_allowed_from_is_absent_when_rule_23_refuses_too(story: Story) -> None:
    """Named or not, a refusal of rule 23 leaves `allowed_from` out (reading 3)."""
    story.at("2026-03-02 10:15", bought("A"))
    answer = only(story.at("2026-03-02 12:00", asked(offer(expires="2026-03-02 12:00"))))
    assert said([answer]) == [("suppress", "recent_purchase.cooldown")]
    assert answer.allowed_from is None
    assert answer.considered[0].allowed_from is None


def test_allowed_from_waits_for_the_longest_of_a_rulebooks_numbers() -> None:
    """`allowed_from` is absent only if there is none, also where an author set years."""
    story = Story(BARE + b"respect: {recent_purchase: {same_item: 1000d}, consent: {lasts: 2000d}}\n")
    story.at("2026-03-02 10:15", lives(time_zone="UTC"), granted(), bought("A"))
    answer = only(story.at("2026-03-10 10:15", asked(offer(sku="A"))))
    assert answer.allowed_from == at("2028-11-26 10:15")


def test_valid_until_is_four_hours(story: Story) -> None:
    """Without anything nearer an act may go out for 4 h."""
    assert only(story.at("2026-03-02 10:15", asked())).valid_until == at("2026-03-02 14:15")


def test_valid_until_is_the_rulebooks_where_it_says_so() -> None:
    """The 4 h are a number of the rulebook."""
    story = Story(BARE + b"valid_for: 90m\n")
    story.at("2026-03-02 10:00", lives(time_zone="UTC"), granted())
    assert only(story.at("2026-03-02 10:15", asked())).valid_until == at("2026-03-02 11:45")


def test_valid_until_ends_with_the_candidate(story: Story) -> None:
    """`expires_at` where it is the earliest."""
    assert only(story.at("2026-03-02 10:15", asked(offer(expires="2026-03-02 11:00")))).valid_until == at(
        "2026-03-02 11:00"
    )


def test_valid_until_ends_with_the_day(story: Story) -> None:
    """The start of quiet hours where it is the earliest."""
    assert only(story.at("2026-03-02 18:00", asked())).valid_until == at("2026-03-02 21:00")


def test_valid_until_of_a_service_act_crosses_the_night(story: Story) -> None:
    """A requested service act keeps neither quiet hours nor windows, so they do not end it."""
    story.at("2026-03-02 10:15", prefers(contact_windows=[window("mon", "09:00", "19:00")]), withdrawn())
    assert only(story.at("2026-03-02 18:00", asked(offer(kind="service")))).valid_until == at("2026-03-02 22:00")


def test_valid_until_ends_with_the_contact_window(story: Story) -> None:
    """The end of the contact window where it is the earliest."""
    story.at("2026-03-02 10:15", prefers(contact_windows=[window("mon", "09:00", "17:00")]))
    assert only(story.at("2026-03-02 15:30", asked())).valid_until == at("2026-03-02 17:00")


def test_valid_until_ends_with_the_consent(stranger: Story) -> None:
    """The end of consent where it is the earliest."""
    stranger.at("2026-03-02 09:00", lives(time_zone="UTC"), granted(expires="2026-03-02 11:30"))
    assert only(stranger.at("2026-03-02 10:15", asked())).valid_until == at("2026-03-02 11:30")


def test_where_the_customer_may_be() -> None:
    """Their own zone before their country's; a country that the table does not list is none (reading 7)."""
    story = Story()
    assert zones_of(State("c")) == ()
    story.at("2026-03-02 09:00", lives(country="zz"))
    assert zones_of(story.state) == ()
    story.at("2026-03-02 09:01", lives(country="PT"))
    assert [zone.name for zone in zones_of(story.state)] == ["Europe/Lisbon", "Atlantic/Madeira", "Atlantic/Azores"]
    story.at("2026-03-02 09:02", lives(time_zone="Asia/Tokyo"))
    assert [zone.name for zone in zones_of(story.state)] == ["Asia/Tokyo"]


def test_a_candidate_is_judged_by_the_catalogue_of_this_moment(story: Story) -> None:
    """The catalogue is read when a verdict is asked for, not when the policy was built."""
    story.at("2026-03-02 10:15", bought("A"))
    story.at("2026-03-02 10:16", product("B", variant_of="A"))
    assert said(story.at("2026-03-05 10:15", asked(offer(sku="B")))) == [("suppress", "recent_purchase.same_item")]
