"""What an author writes, and every fault of it by line and column with what to write instead."""

from __future__ import annotations

from hashlib import sha256

import pytest

from decisioning.document import MAX_BYTES
from decisioning.errors import RulebookError
from decisioning.instant import DAY, HOUR, MINUTE
from decisioning.rulebook import MAX_NODES, MAX_PROBLEMS, parse
from decisioning.suppress import ORDER
from decisioning.suppress.base import Rule
from decisioning.suppress.consent import Lifetime
from decisioning.suppress.expired import Patience
from decisioning.suppress.frequency_cap import Cap, Caps
from decisioning.suppress.quiet_hours import Night
from decisioning.suppress.recent_purchase import Windows
from tests.builders import BARE, RETAIL


def problems(text: str | bytes) -> list[str]:
    """Every line of the error that a rulebook brings."""
    with pytest.raises(RulebookError) as found:
        parse(text if isinstance(text, bytes) else text.encode(), "r.yaml")
    return str(found.value).splitlines()


def respecting(section: str, rule: str) -> Rule:
    """The numbers of one section, written by an author."""
    return parse(BARE + f"respect:\n  {section}: {rule}\n".encode(), "r.yaml").rule(section)


def test_the_least_is_a_name_and_a_version() -> None:
    """All else is on without configuration."""
    book = parse(BARE, "r.yaml")
    assert (book.rulebook, book.version, book.owner, book.valid_for) == ("bare", "1", None, 4 * HOUR)
    for suppressor in ORDER:
        assert book.rule(suppressor.section) == suppressor.shape()


def test_the_shipped_rulebook_spells_out_the_defaults() -> None:
    """`rules/retail.yaml` is the contract's policy: no number in it differs from the code's."""
    shipped, bare = parse(RETAIL.read_bytes(), "retail.yaml"), parse(BARE, "r.yaml")
    assert shipped.respect == bare.respect
    assert (shipped.valid_for, shipped.make_good, shipped.actions) == (bare.valid_for, bare.make_good, bare.actions)


def test_the_defaults_are_the_contracts_numbers() -> None:
    """Section 4, read word for word."""
    assert Lifetime().lasts == 730 * DAY
    assert Windows() == Windows.model_construct(
        price_drop=30 * DAY, same_item=30 * DAY, substitute=30 * DAY, cooldown=48 * HOUR, consumed=0.8
    )
    assert (Night().from_, Night().to) == (21 * 60, 8 * 60)
    assert [(cap.name, cap.limit, cap.per, cap.channels) for cap in Caps().caps] == [
        ("day", 1, DAY, None),
        ("week", 3, 7 * DAY, None),
        ("month", 8, 30 * DAY, None),
        ("channel", 1, 7 * DAY, ("sms",)),
    ]
    assert Caps().own_limit.per == 7 * DAY
    assert (Patience().after, Patience().late) == (24 * HOUR, 15 * MINUTE)


def test_the_digest_is_of_the_text_as_it_was_written() -> None:
    """Two texts are two rulebooks, though they say the same."""
    assert parse(BARE, "r.yaml").digest == "sha256:" + sha256(BARE).hexdigest()
    assert parse(BARE + b"# a comment\n", "r.yaml").digest != parse(BARE, "r.yaml").digest


def test_an_authors_numbers_replace_the_defaults() -> None:
    """What is left out keeps the contract's."""
    book = parse(BARE + b"valid_for: 90m\nowner: crm\nrespect: {quiet_hours: {to: '07:30'}}\n", "r.yaml")
    night = book.rule("quiet_hours")
    assert (book.valid_for, book.owner) == (90 * MINUTE, "crm")
    assert night == Night.model_validate({"from": "21:00", "to": "07:30"})


def test_a_time_of_day_needs_no_quotes() -> None:
    """YAML 1.2 reads 21:30 as a text, where YAML 1.1 read minutes in base 60."""
    assert respecting("quiet_hours", "{from: 21:30, to: 07:00}") == Night.model_validate(
        {"from": "21:30", "to": "07:00"}
    )


def test_a_time_of_day_is_shown_as_it_was_written() -> None:
    """Whoever prints the numbers in force reads `HH:MM`, not minutes."""
    assert Night().model_dump(by_alias=True) == {"from": "21:00", "to": "08:00", "then": "defer"}


def test_caps_are_an_authors_own_list() -> None:
    """Their names are their reasons."""
    rule = respecting("frequency_cap", "{caps: [{name: hour, limit: 2, per: 1h, channels: [push]}]}")
    assert isinstance(rule, Caps)
    assert rule.caps == (Cap.of("hour", 2, "1h", "push"),)
    assert respecting("frequency_cap", "{caps: []}") == Caps(caps=())
    assert respecting("frequency_cap", "{caps: [{name: never, limit: 0, per: 1d}]}") == Caps(
        caps=(Cap.of("never", 0, "1d"),)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rulebook: x\n", "r.yaml:1:1: `version` is missing"),
        ('rulebok: x\nversion: "1"\n', "r.yaml:1:1: unknown field `rulebok`: did you mean `rulebook`?"),
        ("rulebook: x\nversion: 1\n", "r.yaml:2:1: `version` (`1`): a text: put it in quotes"),
        ('rulebook: ""\nversion: "1"\n', "r.yaml:1:1: `rulebook` (``): string should have at least 1 character"),
    ],
)
def test_a_fault_says_where_and_what(text: str, expected: str) -> None:
    """`file:line:column`, the offending text, and a suggestion where there is one."""
    assert expected in problems(text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  quiet_hour: {}", "4:3: unknown field `respect.quiet_hour`: did you mean `quiet_hours`?"),
        ("  quiet_hours: {frm: '21:00'}", "4:17: unknown field `respect.quiet_hours.frm`: did you mean `from`?"),
        ("  quiet_hours: {from: 21}", "a time of day is a text"),
        ("  quiet_hours: {from: '25:00'}", "not a time of day: write HH:MM"),
        (
            "  recent_purchase: {cooldown: 48}",
            "4:21: `respect.recent_purchase.cooldown` (`48`): a duration needs its unit",
        ),
        ("  recent_purchase: {cooldown: two days}", "not a duration"),
        ("  recent_purchase: {consumed: 1.5}", "less than or equal to 1"),
        (
            "  frequency_cap: {caps: [{name: Day, limit: 1, per: 1d}]}",
            "4:27: `respect.frequency_cap.caps.0.name` (`Day`)",
        ),
        ("  frequency_cap: {caps: [{name: day, limit: -1, per: 1d}]}", "greater than or equal to 0"),
        ("  frequency_cap: {caps: [{name: day, limit: 1, per: 0d}]}", "greater than 0"),
        ("  frequency_cap: {caps: [{name: day, limit: 1}]}", "`respect.frequency_cap.caps.0.per` is missing"),
    ],
)
def test_a_fault_in_a_section_is_found_where_it_stands(line: str, expected: str) -> None:
    """Each suppressor owns its section and its faults."""
    assert any(expected in problem for problem in problems(f'rulebook: x\nversion: "1"\nrespect:\n{line}\n'))


def test_all_faults_are_told_at_once_in_reading_order() -> None:
    """An author mends a page in one go."""
    told = problems("owner: [x]\nrulebook: y\nrespect:\n  consent: {lasts: 7}\n  dnc: {off: true}\nvalid_for: never\n")
    assert [problem.split(":")[1] for problem in told] == sorted(problem.split(":")[1] for problem in told)
    assert len(told) == 5


def test_a_page_of_faults_is_cut_short() -> None:
    """Nobody mends a thousand at once, and finding a suggestion for each takes time."""
    told = problems("".join(f"field_{number}: x\n" for number in range(1000)))
    assert len(told) == MAX_PROBLEMS + 1
    assert told[-1].endswith(f"and {1002 - MAX_PROBLEMS} more")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a: b: c\n", "r.yaml:1:5: not YAML: mapping values are not allowed here"),
        (b"rulebook: x\nrulebook: y\n", "r.yaml:2:1: duplicate key `rulebook`: it stands in line 1 already"),
        (b"- rulebook\n", "r.yaml:1:1: a rulebook is a mapping"),
        (b"", "r.yaml:1:1: a rulebook is a mapping"),
        (b"\xff\xfe", "r.yaml:1:1: not UTF-8"),
        (b"a: " + b"[" * 100_000, "r.yaml:1:43: nested deeper"),
        (b"#" * (MAX_BYTES + 1), "r.yaml:1:1: larger than"),
        (b"a: !!python/object/apply:os.system [ls]\n", "r.yaml:1:4: tags are not used"),
        (b"a: &a [*a]\n", "r.yaml:1:"),
    ],
)
def test_what_is_no_rulebook_at_all_is_one_fault(text: bytes, expected: str) -> None:
    """And nothing but a `RulebookError` ever leaves the reader."""
    assert any(problem.startswith(expected) for problem in problems(text))


def test_a_rulebook_is_a_page() -> None:
    """More entries than anyone reads are refused before they are read."""
    assert "more than" in problems(BARE + b"owner: [" + b"x, " * MAX_NODES + b"x]\n")[0]


def test_a_rulebook_that_loads_has_its_actions_ready() -> None:
    """Compiled once, with the rulebook's validity where they have none of their own."""
    book = parse(BARE + b"valid_for: 1h\nactions: [{action: hello, class: care, channels: [phone]}]\n", "r.yaml")
    assert [(action.action, action.valid_for) for action in book.ready] == [("hello", HOUR)]
    assert book.ready is book.ready


def test_an_author_cannot_set_the_digest() -> None:
    """It is of the text, not in it."""
    assert any("digest" in problem for problem in problems(BARE + b"digest: sha256:0\n"))


@pytest.mark.parametrize("number", ["true", "48", "2.0", "null", "[48h]", "{h: 48}"])
def test_a_duration_is_only_ever_a_text(number: str) -> None:
    """`cooldown: true` must not become a cooldown of one microsecond."""
    assert problems(BARE + f"respect: {{recent_purchase: {{cooldown: {number}}}}}\n".encode())
