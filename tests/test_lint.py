"""`check`: every fault with its place and what to write, and nothing said of a good rulebook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from decisioning.errors import RulebookError
from decisioning.lint import check, load
from decisioning.rulebook import MAX_PROBLEMS
from tests.builders import BARE, RETAIL

BAD = sorted((Path(__file__).parent / "bad_rules").glob("*.yaml"))


def told(text: bytes) -> list[str]:
    """Line, column and message of each fault, as the fixtures' first comments have them."""
    return [f"{fault.line}:{fault.column}: {fault.message}" for fault in check(text, "rules.yaml")]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_fault_is_told_with_its_place(path: Path) -> None:
    """One fixture a fault; its first comment lines are the messages, all of them and no other."""
    text = path.read_text()
    expected = re.findall(r"\A(?:# \d+:\d+: .*\n)+", text)
    assert expected, "the fixture says nothing about its faults"
    assert told(text.encode()) == [line.removeprefix("# ") for line in expected[0].splitlines()]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_what_check_finds_fault_with_never_runs(path: Path) -> None:
    """The worker refuses in the same words, with the file's name before them."""
    with pytest.raises(RulebookError) as found:
        load(path.read_bytes(), "rules.yaml")
    assert str(found.value).splitlines() == [f"rules.yaml:{line}" for line in told(path.read_bytes())]


def test_good_rulebooks_pass() -> None:
    """The least one, and the shipped one."""
    for text in (BARE, RETAIL.read_bytes()):
        assert told(text) == []
        assert load(text, "rules.yaml").digest.startswith("sha256:")


@pytest.mark.parametrize(
    "more",
    [
        "respect: {stopped: {marketing: true, actions: [delay_alert], channels: [sms], campaigns: [spring]}}",
        "respect: {stopped: {actions: [of_somebody_else]}}",
        "respect: {recent_purchase: {cooldown: 0s}}",
        "respect: {frequency_cap: {caps: []}}",
        "respect: {frequency_cap: {caps: [{name: texts, limit: 0, per: 1d, channels: [sms]}]}}",
        "respect: {recent_purchase: {price_drop: 0d}}\nmake_good: {price_drop: 0d}",
        "actions: []",
        "actions: [{action: thanks, class: service, on: purchase.completed, channels: [email]}]",
        "actions: [{action: thanks, class: marketing, on: purchase.completed, channels: [email], valid_for: 3d}]",
        "actions: [{action: thanks, class: marketing, channels: [email], valid_for: 3d, treatments: {email: warm}}]",
        "actions: [{action: sorry, class: marketing, on: support.case_resolved, channels: [email], valid_for: 3d}]",
        "actions: [{action: sorry, class: marketing, on: [support.case_opened, order.placed], channels: [email]}]",
        "actions: [{action: sorry, class: service, on: support.case_opened, channels: [email]}]",
        "channels: [email]\nactions: [{action: hello, class: service, on: customer.updated, channels: [email]}]",
        "attributes: {age: {type: int}}\nrespect: {ineligible: [{name: minors, when: 'customer.age < 18'}]}",
    ],
)
def test_what_an_author_may_mean_is_no_fault(more: str) -> None:
    """A stop above all: it must load in the minute it is needed."""
    assert told(BARE + more.encode() + b"\n") == []


def test_a_cap_is_only_idle_where_another_always_refuses_first() -> None:
    """Caps on other channels, of longer spans or with smaller numbers stand by themselves."""
    caps = "respect: {frequency_cap: {caps: [%s]}}\n"
    for idle, written in (
        (False, "{name: a, limit: 1, per: 1d}, {name: b, limit: 6, per: 7d}"),
        (True, "{name: a, limit: 1, per: 1d}, {name: b, limit: 7, per: 7d}"),
        (True, "{name: a, limit: 2, per: 36h}, {name: b, limit: 4, per: 2d}"),
        (False, "{name: a, limit: 2, per: 36h}, {name: b, limit: 3, per: 2d}"),
        (False, "{name: a, limit: 1, per: 1d, channels: [sms]}, {name: b, limit: 7, per: 7d}"),
        (True, "{name: a, limit: 1, per: 1d, channels: [sms, push]}, {name: b, limit: 7, per: 7d, channels: [sms]}"),
        (False, "{name: a, limit: 1, per: 1d, channels: [sms]}, {name: b, limit: 7, per: 7d, channels: [sms, push]}"),
    ):
        assert bool(told(BARE + (caps % written).encode())) is idle, written


def test_a_cap_of_nothing_is_told_once() -> None:
    """And not again by every cap that it makes idle."""
    caps = b"{name: a, limit: 1, per: 1d}, {name: b, limit: 0, per: 7d}"
    assert len(told(BARE + b"respect: {frequency_cap: {caps: [" + caps + b"]}}\n")) == 1


def test_a_page_of_faults_is_cut_short() -> None:
    """Whatever finds them."""
    attributes = "".join(f"  a{number}: {{type: int}}\n" for number in range(MAX_PROBLEMS * 2))
    assert len(told(BARE + b"attributes:\n" + attributes.encode())) == MAX_PROBLEMS
