"""Label values that stand at zero: every reason has its series, and no list of them is kept beside the code."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from decisioning.cases import parse as cases
from decisioning.cases import play
from decisioning.catalogue import Catalogue
from decisioning.policy import Policy
from decisioning.reasons import REASONS
from decisioning.rulebook import parse
from decisioning.streaming.labels import channels, may_wait, possible, shown
from decisioning.suppress import ORDER
from tests.builders import RETAIL

SHIPPED = Policy(parse(b'rulebook: shop\nversion: "1"\n', "shop"), Catalogue())


def test_every_reason_has_a_series() -> None:
    """A reason that is added to the table is counted from zero without another line; one of a rule that is off as
    shipped appears with the rulebook that turns it on."""
    off = {reason for kind in ORDER if not kind(kind.shape()).gives() for reason in kind.reasons}
    shown = {reason for _, _, reason in possible(SHIPPED)}
    assert shown >= REASONS.keys() - off


def test_no_series_is_named_twice_or_for_nothing() -> None:
    """A scrape costs by the series: each is there once, and none of another class than its rule speaks about."""
    said = list(possible(SHIPPED))
    assert len(said) == len(set(said))
    assert len(said) < 500
    shown = set(said)
    for outcome, class_ in product(("suppress", "recall"), ("service", "care")):
        assert (outcome, class_, "consent.missing") not in shown
    assert ("defer", "service", "quiet_hours.night") in shown
    assert ("hold", "", "recent_purchase.same_item") in shown
    assert ("hold", "", "recent_purchase.price_drop") not in shown


def test_a_rule_that_leaves_the_choice_may_wait() -> None:
    """`then: defer` stands where a rule can wait, and only there."""
    waiting = {kind.section for kind in ORDER if may_wait(kind(kind.shape()))}
    assert {"quiet_hours", "contact_window"} <= waiting
    assert "expired" not in waiting


def test_an_authors_own_names_follow_their_rulebook() -> None:
    """A limit's name is a reason."""
    caps = b"respect: {frequency_cap: {caps: [{name: fortnight, limit: 2, per: 14d}]}}\n"
    said = set(possible(Policy(parse(b'rulebook: shop\nversion: "1"\n' + caps, "shop"), Catalogue())))
    assert ("suppress", "marketing", "frequency_cap.fortnight") in said
    assert ("suppress", "marketing", "frequency_cap.own_limit") in said
    assert ("suppress", "marketing", "frequency_cap.day") not in said


RULEBOOKS = sorted(path for path in RETAIL.parent.rglob("*.yaml") if not path.name.endswith(".cases.yaml"))


@pytest.mark.parametrize("path", RULEBOOKS, ids=lambda path: path.stem)
def test_what_is_said_was_expected(path: Path) -> None:
    """The shipped rulebooks' own cases, which give every reason, bring no series that was not there before."""
    beside = path.with_suffix(".cases.yaml")
    book = parse(path.read_bytes(), str(path))
    results = [play(book, script) for script in cases(beside.read_bytes(), str(beside))]
    said = {(one.outcome.value, one.class_ or "", one.reason) for result in results for one in result.decisions}
    assert len(said) > 3
    assert said <= {tuple(map(str, one)) for one in possible(Policy(book, Catalogue()))}


def test_channels_are_the_rulebooks_and_others_together() -> None:
    """A request may name any channel: those that a rulebook lists are counted by name, all others as one."""
    assert channels(SHIPPED) == ("email", "push", "sms")
    listed = parse(b'rulebook: shop\nversion: "1"\nchannels: [sms, letter]\nactions: []\n', "shop")
    assert channels(Policy(listed, Catalogue())) == ("sms", "letter")
    acts = {channel for outcome, _, channel, _ in shown(Policy(listed, Catalogue())) if outcome == "act"}
    assert acts == {"sms", "letter", "other"}
    assert {channel for outcome, _, channel, _ in shown(SHIPPED) if outcome == "hold"} == {""}


def test_a_scrape_stays_small() -> None:
    """Every combination is shown once: some hundreds, at 5 us each."""
    every = list(shown(SHIPPED))
    assert len(every) == len(set(every)) < 1000
