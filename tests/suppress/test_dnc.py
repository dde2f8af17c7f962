"""Rule 1: erased or deceased customers hear nothing at all, service included."""

from __future__ import annotations

import pytest

from tests.builders import Story, asked, at, bought, died, erased, granted, offer, only, said, withdrawn

CLASSES = ["marketing", "survey", "service", "care"]


@pytest.mark.parametrize("kind", CLASSES)
def test_the_deceased_hear_nothing(story: Story, kind: str) -> None:
    """Rule 1 holds for every class, without end."""
    story.at("2026-03-02 10:15", died())
    answer = only(story.at("2028-03-02 10:15", asked(offer(kind=kind))))
    assert said([answer]) == [("suppress", "empathy.deceased")]
    assert answer.allowed_from is None


@pytest.mark.parametrize("kind", CLASSES)
def test_the_erased_hear_nothing(story: Story, kind: str) -> None:
    """Rule 1 holds for every class until they come back."""
    story.at("2026-03-02 10:15", erased())
    answer = only(story.at("2026-03-02 10:16", asked(offer(kind=kind))))
    assert said([answer]) == [("suppress", "dnc.erased")]
    assert answer.considered[0].because == {"erased_at": "2026-03-02T10:15:00Z"}
    assert answer.allowed_from is None


def test_erased_is_said_before_deceased(story: Story) -> None:
    """Within a rule reasons come in the order of the table (reading 10)."""
    story.at("2026-03-02 10:15", erased())
    story.at("2026-03-02 10:16", died())
    assert said(story.at("2026-03-02 10:17", asked())) == [("suppress", "dnc.erased")]


def test_a_new_purchase_makes_a_customer_again_but_marketing_still_needs_consent(story: Story) -> None:
    """Erased until a new purchase or grant; what was consented to before is gone."""
    story.at("2026-03-02 10:15", erased())
    story.at("2026-03-02 10:16", bought("A"))
    service, marketing = story.at("2026-03-02 10:17", asked(offer(kind="service"), offer()))
    assert said([service, marketing]) == [("act", "allowed.clear"), ("suppress", "consent.missing")]


def test_a_new_grant_makes_a_customer_again(story: Story) -> None:
    """A grant later than the erasure revives; the zone was forgotten, so rule 19 speaks."""
    story.at("2026-03-02 10:15", erased())
    story.at("2026-03-02 10:16", granted())
    assert said(story.at("2026-03-02 10:17", asked())) == [("suppress", "timezone.unknown")]


def test_a_withdrawal_revives_nobody(story: Story) -> None:
    """Only a purchase or a grant makes them a customer again."""
    story.at("2026-03-02 10:15", erased())
    story.at("2026-03-02 10:16", withdrawn())
    assert said(story.at("2026-03-02 10:17", asked(offer(kind="service")))) == [("suppress", "dnc.erased")]


@pytest.mark.parametrize("time", ["2026-03-02 10:14", "2026-03-02 10:15"])
def test_a_purchase_or_grant_from_before_the_erasure_revives_nobody(story: Story, time: str) -> None:
    """What has a `time` at or before the erasure does not fold."""
    story.at("2026-03-02 10:15", erased())
    story.at("2026-03-02 10:16", bought("A").since(time), granted().since(time))
    assert said(story.at("2026-03-02 10:17", asked(offer(kind="service")))) == [("suppress", "dnc.erased")]


def test_erased_again_is_erased_since_the_later(story: Story) -> None:
    """The marker keeps the newest time of its erasures."""
    story.at("2026-03-02 10:15", erased())
    story.at("2026-03-02 10:20", erased().since("2026-03-02 09:00"))
    assert story.state.erased_at == at("2026-03-02 10:15")
