"""From what an analyst wrote to events: what is filled in, and every fault where it stands."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisioning.cases import parse, play
from decisioning.cases.script import MAX_PROBLEMS, NEWEST
from decisioning.errors import RulebookError
from decisioning.instant import DAY, format_instant
from decisioning.payload import ContactRequested, OrderEtaChanged, Response
from decisioning.rulebook import parse as parse_rulebook
from tests.builders import BARE, at

TEXT = """\
customers:
  usual: {time_zone: UTC, consents: [marketing]}
products:
  - {sku: A, category: things, price: "9.00", currency: GBP}
cases:
  - case: a story
    story: told somewhere
    customer: usual
    products: [{sku: B, category: things, price: "8.00", currency: GBP}]
    steps:
      - at: 2026-03-02 10:15
        contact.requested: {candidates: [{action: ad, class: marketing, channels: [sms]}]}
        expect: {act: ad, as: first}
      - at: 2026-03-02 11:00
        response.failed: {}
      - at: 2026-03-03 10:00
        time: 2026-03-02 12:00
        source: /elsewhere
        id: e-known
        subject: c-7
        order.eta_changed: {order_id: o-1, promised_at: 2026-03-05 18:00+01:00}
      - until: 2026-03-04
"""


def problems(text: str) -> list[str]:
    """Every line of the error that a cases file brings."""
    with pytest.raises(RulebookError) as found:
        parse(text.encode(), "c.yaml")
    return str(found.value).splitlines()


def test_the_shipped_shape_is_read() -> None:
    """Names, places and the text of each step."""
    [script] = parse(TEXT.encode(), "c.yaml")
    assert (script.name, script.story, script.line, script.column) == ("a story", "told somewhere", 6, 5)
    assert [(scene.title, scene.line) for scene in script.scenes] == [
        ("2026-03-02T10:15:00Z contact.requested", 11),
        ("2026-03-02T11:00:00Z response.failed", 14),
        ("2026-03-03T10:00:00Z order.eta_changed", 16),
        ("until 2026-03-04T00:00:00Z", 22),
    ]


def test_products_and_the_customer_come_first() -> None:
    """A day before the first step, so that nothing is judged without them."""
    [script] = parse(TEXT.encode(), "c.yaml")
    told = [(event.type, event.subject, event.time) for event in script.opening]
    before = at("2026-03-02 10:15") - DAY
    assert told == [
        ("product.described", "A", before),
        ("product.described", "B", before),
        ("customer.updated", "c-1", before),
        ("consent.granted", "c-1", before),
    ]
    assert len({event.id for event in script.opening}) == len(script.opening)


def test_ids_source_and_times_are_filled_in_or_kept() -> None:
    """By the number of the step; what is written stays."""
    [script] = parse(TEXT.encode(), "c.yaml")
    first, second, third = (scene.event for scene in script.scenes[:3])
    assert first is not None
    assert second is not None
    assert third is not None
    assert isinstance(first.data, ContactRequested)
    assert isinstance(third.data, OrderEtaChanged)
    assert (first.id, first.source, first.subject, first.data.request_id) == ("e-1", "/case", "c-1", "r-1")
    assert (third.id, third.source, third.subject, third.time) == (
        "e-known",
        "/elsewhere",
        "c-7",
        at("2026-03-02 12:00"),
    )
    assert format_instant(script.scenes[2].at) == "2026-03-03T10:00:00Z"
    assert third.data.promised_at.isoformat() == "2026-03-05T17:00:00+00:00"
    assert script.scenes[3].event is None


def test_a_response_answers_the_newest_act_or_a_named_decision() -> None:
    """The id is known only when the case is played."""
    [script] = parse(TEXT.encode(), "c.yaml")
    assert script.scenes[1].answers == NEWEST
    named = TEXT.replace("response.failed: {}", "response.failed: {decision_id: first, channel: sms}")
    [script] = parse(named.encode(), "c.yaml")
    assert script.scenes[1].answers == "first"
    assert script.scenes[1].event is not None
    assert isinstance(script.scenes[1].event.data, Response)
    assert script.scenes[1].event.data.channel == "sms"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{act: ad", "{atc: ad", "13:18: unknown field `cases.0.steps.0.expect.atc`: did you mean `act`?"),
        ("customer: usual", "customer: usal", "8:5: no customer `usal` under `customers`: did you mean `usual`?"),
        ("customer: usual", "customer: {zone: UTC}", "8:16: unknown field `cases.0.customer.zone`"),
        ("contact.requested", "contact.request", "12:9: unknown field `cases.0.steps.0.contact.request`: did you mean"),
        (
            "at: 2026-03-02 10:15",
            "at: 10:15",
            "11:9: `cases.0.steps.0.at` (`10:15`): not a time: write `2026-03-02 10:15`",
        ),
        ("class: marketing", "class: marketting", "12:55: contact.requested: `marketting`: did you mean `marketing`?"),
        ("class: marketing", "clas: marketing", "12:55: contact.requested: unknown field `clas`: did you mean `class`"),
        ("{act: ad, as: first}", "{deny: ad}", "13:18: unknown field `cases.0.steps.0.expect.deny`: a decision is one"),
        ("{act: ad, as: first}", "silent", "13:9: `cases.0.steps.0.expect` (`silent`): write `silence`, a decision"),
        (
            "category: things",
            "category: 7",
            "4:14: product.described: Expected `str`, got `int` - at `$.category`: put it",
        ),
        ("{act: ad, as: first}", "{recall: ad, recalls: last}", "13:9: no decision before this one is called `last`"),
        (
            "response.failed: {}",
            "response.failed: {decision_id: x}",
            "14:9: no decision before this step is called `x`",
        ),
        (
            "consents: [marketing]",
            "consents: [fun]",
            "2:38: `customers.usual.consents.0.purpose` (`fun`): known here are `marketing`, `survey`, ",
        ),
        ("at: 2026-03-02 11:00", "at: 2026-03-02 10:14", "14:9: earlier than what comes before it: `at` is when"),
        ("until: 2026-03-04", "until: 2026-03-01", "22:9: earlier than what comes before it"),
        ("time: 2026-03-02 12:00", "time: 2026-03-03 10:01", "17:9: later than `at`: nothing is handled before"),
        ("{time_zone: UTC,", "{since: 2026-03-03, time_zone: UTC,", "11:9: earlier than what comes before it"),
        ("    steps:", "    stops:", "10:5: unknown field `cases.0.stops`: did you mean `steps`?"),
        (
            "{act: ad, as: first}",
            "{act: ad, reason: consent.mising}",
            "13:27: unknown reason `consent.mising`: did you",
        ),
        ("{act: ad, as: first}", "[{hold: consent.gone}]", "13:19: unknown reason `consent.gone`: this family has"),
        ("{act: ad, as: first}", "{release: dnc.erasd}", "13:18: unknown reason `dnc.erasd`: did you mean"),
        (
            "{act: ad, as: first}",
            "{act: ad, considered: [{reason: dnc.erasd}]}",
            "13:41: unknown reason `dnc.erasd`: did you mean",
        ),
        ("case: a story", 'case: ""', "6:5: `cases.0.case`: string should have at least 1 character"),
    ],
)
def test_a_fault_says_where_and_what(old: str, new: str, expected: str) -> None:
    """`file:line:column`, what is wrong, and a suggestion where there is one."""
    assert any(problem.startswith(f"c.yaml:{expected}") for problem in problems(TEXT.replace(old, new)))


def test_reasons_of_an_authors_own_are_those_of_the_rulebook() -> None:
    """Without the rulebook any name in their families is let pass."""
    own = TEXT.replace("{act: ad, as: first}", "{suppress: ad, as: first, reason: ineligible.staf}")
    assert len(parse(own.encode(), "c.yaml")) == 1
    with pytest.raises(RulebookError, match=r"c.yaml:13:43: unknown reason .*: did you mean `ineligible.staff`\?"):
        parse(own.encode(), "c.yaml", {"ineligible.staff"})


def test_all_faults_are_told_at_once() -> None:
    """An analyst mends a page in one go; of a thousand faults the first page is enough."""
    wrong = TEXT.replace("class: marketing", "class: advert").replace("usual\n", "usal\n")
    assert len(problems(wrong)) == 2
    many = "cases:\n" + "".join(f"  - {{case: c-{number}, stops: []}}\n" for number in range(200))
    assert len(problems(many)) == MAX_PROBLEMS


def test_two_cases_have_two_names() -> None:
    """Or nobody knows which of them failed."""
    twice = TEXT + TEXT[TEXT.index("  - case:") :]
    assert problems(twice) == [
        "c.yaml:23:5: a second case of the name `a story`",
        "c.yaml:6:5: a second case of the name `a story`",
    ] or problems(twice) == [
        "c.yaml:6:5: a second case of the name `a story`",
        "c.yaml:23:5: a second case of the name `a story`",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("- case: x\n", "a cases file is a mapping"), ("cases: [\n", "not YAML"), ("", "a cases file is a mapping")],
)
def test_what_is_no_cases_file_is_one_fault(text: str, expected: str) -> None:
    """As for a rulebook."""
    [problem] = problems(text)
    assert expected in problem


WORDS = ("", "null", "[]", "{}", "-1", "1e99", "true", "9999-12-31", "never", "silence", "{a: b}", "*a", "!!x y", "\0")


@given(st.lists(st.tuples(st.integers(0, TEXT.count(" ")), st.sampled_from(WORDS)), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_whatever_is_written_is_a_case_or_a_fault(changes: Sequence[tuple[int, str]]) -> None:
    """Nothing but a `RulebookError` leaves the reader, and what it lets through can be played."""
    words = TEXT.split(" ")
    for place, word in changes:
        words[place] = word + ("\n" if words[place].endswith("\n") else "")
    try:
        scripts = parse(" ".join(words).encode(), "c.yaml")
    except RulebookError:
        return
    for script in scripts:
        play(parse_rulebook(BARE, "r.yaml"), script)
