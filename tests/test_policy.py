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


@pytest.mark.parametrize(
    ("class_", "sections"),
    [
        (
            "survey",
            ["dnc", "degraded", "consent", "recent_purchase", "quiet_hours", "contact_window", "timezone", "expired"],
        ),
        ("service", ["dnc", "expired"]),
        ("care", ["dnc", "expired"]),
    ],
)
def test_each_class_meets_its_own_suppressors_in_order(class_: str, sections: list[str]) -> None:
    """Rules 1 and 23 hold for every class, 21 for marketing, the others for marketing and survey."""
    assert [one.section for one in policy().suppressors(class_)] == sections


def test_marketing_meets_them_all() -> None:
    """In the order of section 4."""
    assert "frequency_cap" in [one.section for one in policy().suppressors("marketing")]
    assert {one.section for one in policy().suppressors("survey")} < {
        one.section for one in policy().suppressors("marketing")
    }


def test_how_long_things_matter_is_read_from_the_rulebook() -> None:
    """The engine forgets by these numbers, so they follow the author's."""
    assert (policy().lifetime, policy().orders_for, policy().acts_for) == (24 * HOUR, 30 * DAY, 30 * DAY)
    long = policy(
        b"respect: {expired: {after: 2h}, recent_purchase: {substitute: 90d},"
        b" frequency_cap: {caps: [{name: quarter, limit: 9, per: 90d}]}}\n"
    )
    assert (long.lifetime, long.orders_for, long.acts_for) == (2 * HOUR, 90 * DAY, 90 * DAY)


def test_nothing_waits_longer_than_30_days() -> None:
    """No `not_before` within 30 days is a refusal."""
    assert LONGEST_WAIT == 30 * DAY


def test_decisions_carry_the_rulebooks_name_version_and_digest() -> None:
    """Every decision can be traced to the text that it was made by."""
    shipped = parse(RETAIL.read_bytes(), "retail.yaml")
    assert Policy(shipped, Catalogue()).stamp == {"name": "retail", "version": "1", "digest": shipped.digest}
