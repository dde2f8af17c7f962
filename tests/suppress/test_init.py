"""The order of the suppressors is the order of contract.md, section 4."""

from __future__ import annotations

from decisioning.reasons import REASONS
from decisioning.suppress import ORDER


def test_the_order_is_that_of_the_policy() -> None:
    """Rules 1, 3, 8 to 11, 17 to 19, 21, 23, and after rule 1 what an unreadable state forbids."""
    assert [one.section for one in ORDER] == [
        "dnc",
        "degraded",
        "consent",
        "recent_purchase",
        "quiet_hours",
        "contact_window",
        "timezone",
        "frequency_cap",
        "expired",
    ]


def test_rules_1_and_23_hold_for_every_class_and_the_others_for_marketing_and_survey() -> None:
    """The classes of section 4: 21 for marketing alone."""
    spoken_of = {one.section: set(one.classes) for one in ORDER}
    everyone, asked_for = {"marketing", "survey", "service", "care"}, {"marketing", "survey"}
    assert spoken_of.pop("dnc") == spoken_of.pop("expired") == everyone
    assert spoken_of.pop("frequency_cap") == {"marketing"}
    assert all(classes == asked_for for classes in spoken_of.values())


def test_each_reason_belongs_to_one_suppressor_and_is_described() -> None:
    """A reason that a suppressor gives has its three sentences, and only one suppressor gives it."""
    given = [reason for one in ORDER for reason in one.reasons]
    assert len(given) == len(set(given))
    assert set(given) <= set(REASONS)


def test_every_rule_is_on_without_configuration() -> None:
    """Each rule shape builds from nothing: the defaults are the contract's."""
    for suppressor in ORDER:
        assert suppressor(suppressor.shape()).rule == suppressor.shape()


def test_only_the_age_of_a_request_is_left_out_of_allowed_from() -> None:
    """`allowed_from` leaves out rule 23 and nothing else."""
    assert [one.section for one in ORDER if one.of_the_request] == ["expired"]
