"""An author's own refusals, and the clauses of actions that a request names."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from decisioning.suppress.ineligible import Eligible, Refusals
from tests.builders import BARE, Story, asked, granted, lives, offer, only, said

MINORS = (
    BARE
    + b"""attributes: {age: {type: int}, tier: {type: string, default: basic}}
respect:
  ineligible:
    - {name: minors, when: 'customer.age < 18'}
    - {name: cheap, when: 'candidate.price < 5', actions: [sale], classes: [marketing, service]}
actions:
  - {action: vip_night, class: marketing, channels: [email], when: [{gold: 'customer.tier == "gold"'}]}
"""
)


def story(age: int | None = 30, **more: object) -> Story:
    """A customer who may be approached, of that age."""
    found = Story(MINORS)
    found.at("2026-03-02 09:00", lives(time_zone="UTC", attributes={"age": age, **more}), granted())
    return found


def answer(found: Story, **more: object) -> tuple[str, str]:
    """Outcome and reason of one request at ten o'clock."""
    return said([only(found.at("2026-03-02 10:00", asked(offer(**more))))])[0]  # type: ignore[arg-type]


def test_a_refusal_that_holds_keeps_back() -> None:
    """Its name is the reason."""
    assert answer(story(age=17)) == ("suppress", "ineligible.minors")
    assert answer(story(age=18)) == ("act", "allowed.clear")


def test_a_refusal_without_an_answer_keeps_back() -> None:
    """What we do not know keeps us silent."""
    assert answer(story(age=None)) == ("suppress", "rule_error.minors")


def test_a_refusal_speaks_of_its_classes_and_actions() -> None:
    """Marketing and surveys of any action unless it says otherwise."""
    assert answer(story(age=17), kind="service") == ("act", "allowed.clear")
    assert answer(story(), action="sale", price="4.99", currency="GBP") == ("suppress", "ineligible.cheap")
    assert answer(story(), action="sale", kind="service", price="4.99", currency="GBP") == (
        "suppress",
        "ineligible.cheap",
    )
    assert answer(story(), action="other", price="4.99", currency="GBP") == ("act", "allowed.clear")
    assert answer(story(), action="sale", price="5", currency="GBP") == ("act", "allowed.clear")


def test_an_action_that_a_request_names_is_bound_by_its_clauses() -> None:
    """A clause that does not hold is the reason."""
    assert answer(story(), action="vip_night") == ("suppress", "ineligible.gold")
    assert answer(story(tier="gold"), action="vip_night") == ("act", "allowed.clear")


def test_what_is_live_is_taken_back_when_a_fact_changes() -> None:
    """Recall needs no rule of its own."""
    found = story(tier="gold")
    assert answer(found, action="vip_night") == ("act", "allowed.clear")
    assert said(found.at("2026-03-02 10:05", lives(attributes={"tier": "basic"}))) == [("recall", "ineligible.gold")]


def test_the_reason_comes_with_the_facts() -> None:
    """The condition as it is written, and what it read."""
    found = story(age=17)
    verdict = only(found.at("2026-03-02 10:00", asked())).considered[0]
    assert verdict.because == {"condition": "customer.age < 18", "customer.age": 17}
    assert verdict.allowed_from is None


def test_the_reason_of_an_unanswered_condition_names_what_is_missing() -> None:
    """So that someone can send it."""
    verdict = only(story(age=None).at("2026-03-02 10:00", asked())).considered[0]
    assert verdict.because == {"condition": "customer.age < 18", "missing": "customer.age"}


def test_its_reasons_follow_from_the_rulebook() -> None:
    """Labels of metrics and tables are made of them."""
    assert Eligible(Refusals()).gives() == ()
    eligible = next(one for one in story().policy.suppressors("care") if isinstance(one, Eligible))
    assert eligible.gives() == (
        "ineligible.minors",
        "rule_error.minors",
        "ineligible.cheap",
        "rule_error.cheap",
        "ineligible.gold",
        "rule_error.gold",
    )


@pytest.mark.parametrize(
    "written",
    [
        {"minors": "customer.age < 18"},
        [{"name": "a", "when": "true"}, {"name": "a", "when": "true"}],
        [{"name": "topic_off", "when": "true"}],
        [{"name": "Minors", "when": "true"}],
        [{"name": "a", "when": "true", "classes": "marketing"}],
        [{"name": "a", "when": "true", "classes": []}],
        [{"name": "a", "when": "true", "actions": []}],
        [{"name": "a"}],
        "minors",
    ],
)
def test_a_refusal_has_a_name_of_its_own_and_says_of_what_it_speaks(written: object) -> None:
    """Anything else is an author's mistake."""
    with pytest.raises(ValidationError):
        Refusals.model_validate(written)


def test_its_schema_is_a_list() -> None:
    """As it is written."""
    assert Refusals.model_json_schema()["type"] == "array"
