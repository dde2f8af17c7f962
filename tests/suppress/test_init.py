"""The order of the suppressors is the order of contract.md, section 4."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from decisioning.reasons import REASONS
from decisioning.suppress import ORDER, AnySuppressor, Ask

CONTRACT = [
    "dnc",
    "stopped",
    "degraded",
    "do_not_contact",
    "consent",
    "empathy",
    "hold",
    "basics",
    "recent_purchase",
    "campaign_exclusion",
    "repetition",
    "topics",
    "ineligible",
    "survey",
    "quiet_hours",
    "blackout",
    "contact_window",
    "timezone",
    "concurrent_channel",
    "frequency_cap",
    "holdout",
    "expired",
]
"""The sections of section 4 in their order; a suppressor of another's own may stand anywhere between them."""


def test_the_order_is_that_of_the_policy() -> None:
    """Rules 1 to 23, and after rule 1 what the rulebook stopped and what an unreadable state forbids."""
    assert [one.section for one in ORDER if one.section in CONTRACT] == CONTRACT


def test_rules_1_and_23_hold_for_every_class_and_the_others_for_marketing_and_survey() -> None:
    """The classes of section 4: 20 to 22 for marketing alone, 16 for surveys; a stop switch for every class."""
    spoken_of = {one.section: set(one.classes) for one in ORDER if one.section in CONTRACT}
    everyone, asked_for = {"marketing", "survey", "service", "care"}, {"marketing", "survey"}
    assert spoken_of.pop("ineligible") == everyone  # each refusal says for itself of which classes it speaks
    assert spoken_of.pop("dnc") == spoken_of.pop("stopped") == spoken_of.pop("expired") == everyone
    for section in ("concurrent_channel", "frequency_cap", "holdout"):
        assert spoken_of.pop(section) == {"marketing"}
    assert spoken_of.pop("survey") == {"survey"}
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


def _reads(kind: type[AnySuppressor]) -> set[str]:
    """What a suppressor's file reads of the question."""
    tree = ast.parse(Path(inspect.getfile(kind)).read_text())
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ask"
    }


@pytest.mark.parametrize("kind", ORDER, ids=lambda kind: kind.section)
def test_a_suppressor_reads_no_more_of_the_question_than_it_says(kind: type[AnySuppressor]) -> None:
    """Or it would not be asked again where its answer is another."""
    allowed = {"state", "now", "catalogue", "zones"}
    if kind.depends_on == "candidate":
        allowed |= {"candidate"}
    if kind.depends_on == "everything":
        allowed = set(Ask.__struct_fields__)
    assert _reads(kind) <= allowed
