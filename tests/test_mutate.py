"""Mutation of rulebooks: every number, switch, item, clause and reason changed in turn, and noticed or not."""

from __future__ import annotations

import pytest

from decisioning.cases import parse
from decisioning.errors import RulebookError
from decisioning.mutate import Mutant, mutants, reached_by, survives
from decisioning.rulebook import parse as parse_rulebook
from tests.builders import BARE

CASES = b"""\
cases:
  - case: by day
    customer: {time_zone: UTC, consents: [marketing]}
    steps:
      - at: 2026-03-02 10:00
        contact.requested: {candidates: [{action: ad, class: marketing, channels: [email]}]}
        expect: {act: ad, valid_until: 2026-03-02 14:00}
  - case: by night
    customer: {time_zone: UTC, consents: [marketing]}
    steps:
      - at: 2026-03-02 21:30
        contact.requested: {candidates: [{action: ad, class: marketing, channels: [email]}]}
        expect: {defer: ad, not_before: 2026-03-03 08:00}
"""


def made(text: bytes) -> dict[str, Mutant]:
    """The mutants of the bare rulebook with this beside it, but for those of reasons, by name."""
    found = {one.name: one for one in mutants(BARE + text, "r.yaml")}
    return {name: one for name, one in found.items() if not name.startswith("reason ")}


def noticed(mutant: Mutant, cases: bytes = CASES, text: bytes = BARE) -> bool:
    """Whether a case fails under the mutant."""
    scripts = parse(cases, "c.yaml")
    return not survives(mutant, scripts, reached_by(parse_rulebook(text, "r.yaml"), scripts))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"valid_for: 3h\n", ["valid_for: 3h -> 6h", "valid_for: 3h -> 90m"]),
        (b"valid_for: 1s\n", ["valid_for: 1s -> 2s"]),
        (
            b"respect: {quiet_hours: {from: '20:30'}}\n",
            ["respect.quiet_hours.from: 20:30 -> 21:30", "respect.quiet_hours.from: 20:30 -> 19:30"],
        ),
        (b"respect: {repetition: {declined: 5}}\n", ["respect.repetition.declined: 5 -> 6", "5 -> 4"]),
        (b"respect: {recent_purchase: {consumed: 0.5}}\n", ["consumed: 0.5 -> 0.55", "consumed: 0.5 -> 0.45"]),
        (b"respect: {stopped: {marketing: true}}\n", ["respect.stopped.marketing: True -> False"]),
        (b"respect: {stopped: {channels: [sms, fax]}}\n", ["channels: without sms", "channels: without fax"]),
        (b"respect: {quiet_hours: {then: suppress}}\n", ["respect.quiet_hours.then: suppress -> defer"]),
        (
            b"respect: {ineligible: [{name: old, when: 'candidate.value >= 2.5', classes: [marketing]}]}\n",
            [
                "respect.ineligible: without old",
                "when: candidate.value >= 2.5 -> candidate.value > 2.5",
                "when: candidate.value >= 2.5 -> candidate.value >= 3.5",
                "when: candidate.value >= 2.5 -> !(candidate.value >= 2.5)",
                "classes.0: marketing -> service",
            ],
        ),
        (
            b"actions: [{action: hello, class: care, on: customer.updated, channels: [sms, fax], topic: tv,\n"
            b"  when: [{soon: 'now < event.time + duration(\"2h\") && true'}], quiet_hours: true}]\n",
            [
                "actions: without hello",
                "actions.0.class: care -> marketing",
                "actions.0.channels: without fax",
                "actions.0.topic: taken out",
                "actions.0.when: without soon",
                'duration("4h")',
                'duration("1h")',
                "now <= event.time",
                "|| true",
                "actions.0.quiet_hours: True -> False",
            ],
        ),
    ],
)
def test_each_number_switch_item_and_condition_is_changed(text: bytes, names: list[str]) -> None:
    """One change a mutant; its name says which."""
    found = made(text)
    for name in names:
        assert [one for one in found if name in one], f"{name} is not among {list(found)}"


def test_names_are_not_changed_and_no_change_means_the_same() -> None:
    """A version rules nothing; the default in other words, or taken out, is no change; nor is what does not load."""
    assert made(b"") == {}
    assert "owner" not in " ".join(made(b"owner: someone\n"))
    assert list(made(b"respect: {frequency_cap: {caps: [{name: day, limit: 0, per: 1d}]}}\n")) == [
        "respect.frequency_cap.caps: without day",
        "respect.frequency_cap.caps.0.limit: 0 -> 1",
        "respect.frequency_cap.caps.0.per: 1d -> 2d",
        "respect.frequency_cap.caps.0.per: 1d -> 12h",
    ]
    same = b"actions: [{action: a, class: care, on: customer.updated, channels: [sms], valid_for: 4h}]\n"
    assert "actions.0.valid_for: taken out" not in made(same)


def test_every_reason_is_silenced_once() -> None:
    """A rule without numbers can be lost as well; one that the rulebook does not write is not its own."""
    written = BARE + b"respect: {dnc: {}, degraded: {}, holdout: {}}\n"
    assert [one.name for one in mutants(written, "r.yaml")] == [
        "reason dnc.erased: never given",
        "reason empathy.deceased: never given",
    ]


def test_a_mutant_that_a_case_notices_does_not_survive() -> None:
    """The same change is noticed or not by what the cases say."""
    rules = BARE + b"valid_for: 4h\nrespect: {quiet_hours: {to: '08:00'}}\n"
    found = made(rules.removeprefix(BARE) + b"\n")
    assert found == {
        name: one for name, one in found.items() if name.startswith(("valid_for", "respect.quiet_hours.to"))
    }
    assert all(noticed(one, text=rules) for one in found.values())
    only_by_day = CASES[: CASES.index(b"  - case: by night")]
    survivors = [name for name, one in found.items() if not noticed(one, only_by_day, rules)]
    assert survivors == [name for name in found if "quiet_hours" in name]


def test_a_silenced_reason_is_noticed_by_a_case_that_expects_it() -> None:
    """And only by such a one."""
    found = {one.name: one for one in mutants(BARE + b"respect: {quiet_hours: {}, consent: {}}\n", "r.yaml")}
    assert noticed(found["reason quiet_hours.night: never given"])
    assert not noticed(found["reason consent.withdrawn: never given"])


def test_a_broken_rulebook_has_no_mutants() -> None:
    """It is refused as anywhere."""
    with pytest.raises(RulebookError, match=r"r\.yaml:1:1"):
        list(mutants(b"rulebok: x\n", "r.yaml"))
