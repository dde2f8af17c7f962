"""Holds and releases: each from a fact, renewed when it changes, released when it is gone."""

from __future__ import annotations

import pytest

from decisioning.decision import Decision, decision_id
from decisioning.holds import canonical
from decisioning.state.model import Scope
from tests.builders import (
    Happening,
    Story,
    asked,
    at,
    bought,
    cancelled,
    died,
    erased,
    granted,
    offer,
    only,
    product,
    returned,
    said,
    withdrawn,
)

DAY_1 = "2026-03-02 10:15"
CALM = {"classes": ["marketing", "survey"]}


@pytest.fixture
def story() -> Story:
    """A customer of whom nothing is known yet."""
    return Story()


def opened(case: str = "k-1") -> Happening:
    """A problem is open."""
    return Happening("support.case_opened", {"case_id": case, "severity": "low"})


def resolved(case: str = "k-1") -> Happening:
    """A problem is said to be solved."""
    return Happening("support.case_resolved", {"case_id": case})


def life(kind: str, until: str | None = None) -> Happening:
    """Something in the customer's life."""
    return Happening("customer.life_event", {"kind": kind, **({"until": until} if until else {})})


def held(decisions: list[Decision]) -> list[tuple[str, object, int | None]]:
    """Outcome, scope of a hold or reason of a release, and `until`, in the order said."""
    return [(one.outcome.value, one.scope if one.scope is not None else one.reason, one.until) for one in decisions]


def test_a_purchase_holds_what_was_bought_until_rule_10_ends(story: Story) -> None:
    """Skus and their categories as known then, sorted; reason rule 9's; neither action nor channel."""
    story.at("2026-03-01", product("B", "readers"), product("A", "readers"))
    hold = only(story.at(DAY_1, bought("B", "A", "Z")))
    assert hold.scope == {"categories": ["readers"], "skus": ["A", "B", "Z"]}
    assert (hold.reason, hold.until) == ("recent_purchase.same_item", at("2026-04-01 10:15"))
    assert (hold.action, hold.channel, hold.considered) == (None, None, ())


def test_what_is_used_up_sooner_is_held_shorter(story: Story) -> None:
    """The hold ends with the last of its skus."""
    story.at("2026-03-01", product("A", consumable_days=10))
    assert only(story.at(DAY_1, bought("A"))).until == at("2026-03-10 10:15")
    assert only(story.at(DAY_1, bought("A", "B", order="o-2"))).until == at("2026-04-01 10:15")


def test_the_id_of_a_hold_is_made_of_its_canonical_scope(story: Story) -> None:
    """Compact JSON with sorted keys, whoever computes it."""
    hold = only(story.at(DAY_1, opened()))
    ref = '{"classes":["marketing","survey"]}'
    assert hold.id == decision_id(hold.trigger, hold.subject, hold.outcome, None, ref)
    assert canonical(Scope()) == "{}"


def test_a_partial_return_holds_the_rest_and_then_releases(story: Story) -> None:
    """The rest keeps its end; a return of one unit of two changes nothing."""
    first = only(story.at(DAY_1, bought("A", "B", quantity=2)))
    assert story.at("2026-03-03", returned("A")) == []
    rest, release = story.at("2026-03-04", returned("A"))
    assert (rest.scope, rest.until) == ({"categories": [], "skus": ["B"]}, first.until)
    assert (release.releases, release.reason) == (first.id, first.reason)
    [last] = story.at("2026-03-05", returned("B", 2))
    assert last.releases == rest.id


def test_scope_and_end_are_fixed_at_the_purchase(story: Story) -> None:
    """A later description of the product changes no hold."""
    story.at("2026-03-01", product("A", "old"), product("B", "old"))
    story.at(DAY_1, bought("A", "B"))
    story.at("2026-03-03", product("B", "new", consumable_days=1))
    rest, _ = story.at("2026-03-04", returned("A"))
    assert rest.scope == {"categories": ["old"], "skus": ["B"]}


def test_a_purchase_told_again_replaces_its_hold(story: Story) -> None:
    """The same order id with a later time: a new hold, then the release of the old; told again as it was: nothing."""
    first = only(story.at(DAY_1, bought("A")))
    new, release = story.at("2026-03-03", bought("B"))
    assert (new.scope, release.releases) == ({"categories": [], "skus": ["B"]}, first.id)
    assert story.at("2026-03-04", bought("C").since("2026-03-01T00:00:00Z")) == []


def test_a_cancellation_releases(story: Story) -> None:
    """Also one that came before its purchase: then nothing was ever held."""
    hold = only(story.at(DAY_1, bought("A")))
    assert only(story.at("2026-03-03", cancelled())).releases == hold.id
    story.at("2026-03-04", cancelled("o-2"))
    assert story.at("2026-03-04", bought("A", order="o-2")) == []


def test_a_hold_that_ended_by_itself_is_not_released(story: Story) -> None:
    """Its `until` was told, and nobody waits for more."""
    story.at(DAY_1, bought("A"))
    assert story.at("2026-04-01 10:15", returned("A")) == []
    assert story.state.holds == ()


def test_an_old_purchase_brings_no_hold(story: Story) -> None:
    """What is over before we heard of it forbids nothing."""
    assert story.at("2026-03-02", bought("A").since("2026-01-01T00:00:00Z")) == []


def test_a_case_is_held_until_48_hours_after_it_is_resolved(story: Story) -> None:
    """The new hold first, then the release of the old, so that nothing is free in between."""
    first = only(story.at("2026-03-02 09:00", opened()))
    assert (first.reason, first.scope, first.until) == ("hold.open_issue", CALM, None)
    new, release = story.at("2026-03-03 09:00", resolved())
    assert (new.reason, new.scope, new.until) == ("hold.recently_resolved", CALM, at("2026-03-05 09:00"))
    assert release.releases == first.id
    again, release = story.at("2026-03-04 09:00", opened())
    assert (again.until, release.releases) == (None, new.id)


def test_each_case_has_its_own_hold(story: Story) -> None:
    """While any stands, nothing is free."""
    one, two = only(story.at(DAY_1, opened("k-1"))), only(story.at(DAY_1, opened("k-2")))
    assert one.id != two.id
    assert story.at("2026-03-03", opened("k-2")) == []
    _, release = story.at("2026-03-04", resolved("k-2"))
    assert release.releases == two.id


def test_a_resolution_without_an_opening_holds_all_the_same(story: Story) -> None:
    """Exact reading 6; told too late it holds nothing."""
    assert only(story.at("2026-03-03 09:00", resolved())).until == at("2026-03-05 09:00")
    assert story.at("2026-03-09", resolved("k-2").since("2026-03-01T00:00:00Z")) == []


def test_bereavement_and_vulnerability_are_held(story: Story) -> None:
    """For a year, or until the instant that was given; each by itself."""
    grief = only(story.at("2026-03-02 09:00", life("bereavement")))
    assert (grief.reason, grief.scope, grief.until) == ("empathy.bereavement", CALM, at("2027-03-02 09:00"))
    weak = only(story.at("2026-03-02 09:00", life("vulnerable", "2026-05-01T00:00:00Z")))
    assert (weak.reason, weak.until) == ("empathy.vulnerable", at("2026-05-01"))
    shorter, release = story.at("2026-03-05", life("bereavement", "2026-06-01T00:00:00Z"))
    assert (shorter.until, release.releases) == (at("2026-06-01"), grief.id)


def test_consent_is_held_once_a_purpose(story: Story) -> None:
    """What is withdrawn changes the new hold, then the old one is released; a grant of all ends it."""
    assert story.at("2026-03-01", granted()) == []
    sms = only(story.at("2026-03-02", withdrawn(on=["sms"])))
    assert (sms.scope, sms.reason) == ({"channels": ["sms"], "classes": ["marketing"]}, "consent.withdrawn")
    both, release = story.at("2026-03-03", withdrawn(on=["push"]))
    assert (both.scope, release.releases) == ({"channels": ["push", "sms"], "classes": ["marketing"]}, sms.id)
    all_, release = story.at("2026-03-04", withdrawn())
    assert (all_.scope, release.releases) == ({"classes": ["marketing"]}, both.id)
    but_mail, release = story.at("2026-03-05", granted(on=["email"]))
    assert (but_mail.scope, release.releases) == ({"channels_except": ["email"], "classes": ["marketing"]}, all_.id)
    assert only(story.at("2026-03-06", granted())).releases == but_mail.id
    assert story.at("2026-03-07", withdrawn("profiling")) == []


def test_at_a_tie_of_consent_the_stricter_is_held(story: Story) -> None:
    """A grant and a withdrawal of one instant: withdrawn."""
    story.at("2026-03-02", withdrawn())
    assert story.at("2026-03-02", granted(on=["email"])) == []


def test_death_and_erasure_hold_everything(story: Story) -> None:
    """Scope `{}`; death is never released, an erasure by a revival; what else stood goes on standing."""
    death = only(story.at(DAY_1, died()))
    assert (death.scope, death.until, death.reason) == ({}, None, "empathy.deceased")
    case = only(story.at(DAY_1, opened()))
    gone = only(story.at("2026-03-03", erased()))
    assert (gone.scope, gone.reason) == ({}, "dnc.erased")
    back = story.at("2026-03-04", bought("A"))
    assert held(back) == [
        ("hold", {"categories": [], "skus": ["A"]}, at("2026-04-03")),
        ("release", "dnc.erased", None),
    ]
    new, release = story.at("2026-03-05", resolved())
    assert (new.until, release.releases) == (at("2026-03-07"), case.id)
    assert [hold.id for hold in story.state.holds if hold.scope == Scope()] == [death.id]


def test_recalls_come_first_and_answers_last(story: Story) -> None:
    """In one step: recalls, new holds, releases, then answers (exact reading 10)."""
    story.at("2026-03-02 09:00", Happening("customer.updated", {"time_zone": "UTC"}), granted())
    assert said(story.at("2026-03-02 09:01", asked(offer(value=1)))) == [("act", "allowed.clear")]
    case = story.at("2026-03-02 09:10", opened("k-9"))
    assert said(case) == [("recall", "hold.open_issue"), ("hold", "hold.open_issue")]
    story.at("2026-03-05 21:30", resolved("k-9").since("2026-03-03T21:00:00Z"))
    story.at("2026-03-05 22:00", asked(request="r-night"))
    gone = story.at("2026-03-05 23:00", erased())
    assert said(gone) == [("hold", "dnc.erased"), ("suppress", "dnc.erased")]
