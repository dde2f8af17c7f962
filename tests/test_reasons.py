"""The table of reasons: every reason once, in three voices, of the contract's families."""

from __future__ import annotations

import re

from decisioning.judge import ALLOWED, OUTRANKED
from decisioning.reasons import OPEN, REASONS, describe, unknown
from decisioning.suppress import ORDER

FAMILIES = {
    "allowed", "consent", "dnc", "hold", "empathy", "recent_purchase", "campaign_exclusion", "repetition",
    "frequency_cap", "quiet_hours", "contact_window", "timezone", "concurrent_channel", "expired", "duplicate",
    "withdrawn", "ineligible", "need_conflict", "sensitive_data", "experience_debt", "survey", "question",
    "holdout", "outranked", "stopped", "degraded", "rule_error", "order", "promise", "make_good", "recovery",
    "care",
}  # fmt: skip


def test_every_reason_is_of_a_family_of_the_contract() -> None:
    """`family.detail`, both in lower case."""
    for code in REASONS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", code)
        assert code.partition(".")[0] in FAMILIES


def test_every_reason_speaks_in_three_voices() -> None:
    """A sentence for the author, one for an agent, one for the customer."""
    for code, reason in (REASONS | {reason.code: reason for reason in OPEN.values()}).items():
        assert reason.code == code
        for sentence in reason[1:]:
            assert re.fullmatch(r"[A-Z].*[.]", sentence), (code, sentence)


def test_every_reason_that_the_engine_gives_is_in_the_table() -> None:
    """Those of the suppressors in the order of the policy, and the engine's own."""
    given = [reason for suppressor in ORDER for reason in suppressor.reasons]
    assert {*given, ALLOWED, OUTRANKED, "duplicate.request"} <= set(REASONS)
    assert [code for code in REASONS if code in given] == given


def test_a_known_reason_is_told_as_it_stands() -> None:
    """The same object that the tables are made of."""
    assert describe("consent.missing") is REASONS["consent.missing"]


def test_an_authors_own_reason_is_told_by_its_name() -> None:
    """A cap or a condition that an author named says its name to the author and an agent, never to the customer."""
    told = describe("frequency_cap.half_day")
    assert told.code == "frequency_cap.half_day"
    assert told.author == "The rulebook's cap `half_day` is used up."
    assert told.agent == "They heard from us often enough (half day)."
    assert "half" not in told.customer
    for family in OPEN:
        told = describe(f"{family}.later_than_promised")
        assert told.code == f"{family}.later_than_promised"
        assert "`later_than_promised`" in told.author
        assert "<" not in "".join(told)


def test_a_reason_that_nobody_gives_still_says_something() -> None:
    """One of a newer version, read by an older one."""
    assert describe("weather.rain").customer == "weather: rain."


def test_a_reason_that_no_rule_gives_is_told_with_the_one_that_was_meant() -> None:
    """An author's own names are let pass until the rulebook is at hand, which says what they are."""
    assert unknown("consent.missing") is None
    assert unknown("ineligible.staff") is None
    assert unknown("ineligible.") is not None
    assert unknown("consent.mising") == "unknown reason `consent.mising`: did you mean `consent.missing`?"
    own = {*REASONS, "ineligible.staff"}
    assert unknown("ineligible.staff", own) is None
    assert unknown("ineligible.staf", own) == "unknown reason `ineligible.staf`: did you mean `ineligible.staff`?"
    assert unknown("survey.xyzzy") == "unknown reason `survey.xyzzy`: this family has `survey.no_plan`"
    assert (unknown("rain.today") or "").startswith("unknown reason `rain.today`: families are allowed, dnc, ")
