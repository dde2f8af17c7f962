"""Conditions: typed when they are read, so that only a value can err later."""

from __future__ import annotations

import time

import pytest

from decisioning.condition import MAX_LENGTH, Condition, ConditionError, ConditionRejected, Kind, Value, parse
from decisioning.instant import HOUR

SCHEMA = {
    "now": Kind.TIMESTAMP,
    "customer.tier": Kind.STRING,
    "customer.spent": Kind.DOUBLE,
    "customer.visits": Kind.INT,
    "customer.vip": Kind.BOOL,
    "event.promised_at": Kind.TIMESTAMP,
    "order.promised_at": Kind.TIMESTAMP,
}
FACTS: dict[str, Value] = {
    "now": 0,
    "customer.tier": "gold",
    "customer.spent": 499.5,
    "customer.visits": 3,
    "customer.vip": True,
    "event.promised_at": 2 * HOUR,
    "order.promised_at": 0,
}


def condition(text: str) -> Condition:
    """A condition over the names above."""
    return parse(text, SCHEMA)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("customer.tier == 'gold' && customer.spent < 500", True),
        ("customer.spent > 499", True),
        ("customer.visits > 3.5", False),
        ("customer.visits >= 3", True),
        ("customer.tier in ['silver', 'gold']", True),
        ("!customer.vip", False),
        ("event.promised_at >= order.promised_at + duration('2h')", True),
        ("event.promised_at > order.promised_at + duration('2h')", False),
        ("now.getHours() < 8", True),
        ("['go', 'si'].exists(start, customer.tier.startsWith(start))", True),
        ("customer.tier.matches('^g.*d$')", True),
        ("true", True),
    ],
)
def test_a_condition_holds_or_not(text: str, answer: bool) -> None:
    """Whole and decimal numbers compare, times are instants, `in` and patterns work."""
    assert condition(text).holds(FACTS) is answer


def test_it_names_what_it_reads() -> None:
    """Sorted, without the names of loops and without those that only look alike."""
    read = condition("customer.vip || ['a'].exists(x, x == customer.tier) || now > now")
    assert read.reads == ("customer.tier", "customer.vip", "now")
    assert read.times == {"now"}


@pytest.mark.parametrize(
    ("text", "missing", "name"),
    [
        ("customer.spent > 5", {"customer.spent"}, "customer.spent"),
        ("customer.vip && customer.spent > 5", {"customer.spent"}, "customer.spent"),
        ("customer.visits / (customer.visits - 3) > 1", set(), None),
        ("int(customer.tier) > 1", set(), None),
        ("[1, 2][customer.visits] == 1", set(), None),
        ("customer.visits + 9223372036854775807 > 1", set(), None),
    ],
)
def test_a_value_that_is_missing_or_cannot_be_worked_out_is_no_answer(
    text: str, missing: set[str], name: str | None
) -> None:
    """The caller learns which name is missing, and decides for silence."""
    with pytest.raises(ConditionError) as found:
        condition(text).holds({key: value for key, value in FACTS.items() if key not in missing})
    assert found.value.missing == name


def test_a_part_that_needs_no_missing_value_still_decides() -> None:
    """CEL's own rule: true || anything is true."""
    assert condition("customer.spent > 5 || customer.vip").holds({"customer.vip": True})
    assert not condition("customer.spent > 5 && customer.vip").holds({"customer.vip": False})


def test_a_value_of_another_type_is_no_answer() -> None:
    """The facts are typed where they are made; whatever slips through does not become a yes."""
    for wrong in ("x", 5.5, 2**70):
        with pytest.raises(ConditionError):
            condition("customer.visits > 1").holds({"customer.visits": wrong})


def test_the_error_quotes_no_value() -> None:
    """Guarantee 8: names only, and the clause where it has one."""
    assert str(ConditionError("customer.spent", "rich")) == "rich: `customer.spent` is not known"
    assert str(ConditionError(None)) == "it cannot be worked out"


@pytest.mark.parametrize(
    "text",
    [
        "dyn(customer.visits) == 'x'",
        "customer.visits in [1, 'a']",
        "{'a': 1, 'b': 'x'}['a'] == 1",
        "type(customer.visits) == int",
        "has(customer.vip)",
        "google.protobuf.Int32Value{value: 1} == 1",
        "google.protobuf.Timestamp{seconds: 1} < now",
        "[] == []",
        "now.getHours('Europe/Berlin') < 8",
    ],
)
def test_nothing_is_left_to_run_time_or_to_the_machine(text: str) -> None:
    """No open types, no presence tests, no messages, no zones of the machine's own."""
    with pytest.raises(ConditionRejected):
        condition(text)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("now > now + duration('2x')", 21),
        ("now > now + duration('2d')", 21),
        ("timestamp('soon') > now", 10),
        ("customer.visits / 0 > 1", 16),
        ("customer.visits % 0 > 1", 16),
        ("int('a' + 'b') > customer.visits", 3),
        ("{'a': 1}['b'] == customer.visits", 9),
        ("customer.tier.matches('(')", 22),
        ("['a'].exists(x, x.matches('('))", 26),
    ],
)
def test_constants_are_worked_out_when_they_are_read(text: str, offset: int) -> None:
    """A mistake in a constant is the author's, wherever it hides."""
    with pytest.raises(ConditionRejected) as found:
        condition(text)
    assert [fault.offset for fault in found.value.faults] == [offset]


@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_LENGTH + 1),
        "(" * 400 + "true" + ")" * 400,
        "[" * 400 + "]" * 400,
        "customer" + ".a" * 400,
        "1+" * 400 + "1 > 0",
        "[1].all(a, [1].all(b, a == b))",
        "[[1].map(a, a)].all(b, b == [1])",
        "customer.tier.matches('" + "(a{1000}){1000}" * 5 + "')",
        "\ud800",
        "\x00",
        "",
    ],
)
def test_what_could_run_without_end_is_refused_at_once(text: str) -> None:
    """Long, deep, looping and huge texts: refused within a blink."""
    before = time.perf_counter()
    with pytest.raises(ConditionRejected):
        condition(text)
    assert time.perf_counter() - before < 1


def test_a_long_text_is_judged_in_no_time() -> None:
    """Patterns take time linear in the text, also those that others choke on."""
    slow = condition("customer.tier.matches('(a+)+$')")
    before = time.perf_counter()
    assert not slow.holds({"customer.tier": "a" * 20_000 + "b"})
    assert time.perf_counter() - before < 1


def test_all_mistakes_are_told_at_once() -> None:
    """In the order of the text."""
    with pytest.raises(ConditionRejected) as found:
        condition("customer.teir == 'x' && customer.spent == 5 && nothing")
    assert [fault.text for fault in found.value.faults] == ["customer.teir", "==", "nothing"]
    assert "did you mean `customer.tier`?" in str(found.value)


def test_a_condition_says_what_it_compares() -> None:
    """Names against texts, either way round and in lists; a text that is worked out is anybody's guess."""
    condition = parse("a == 'x' || 'y' != a || a in ['z', b] || a + 'q' == b", {"a": Kind.STRING, "b": Kind.STRING})
    assert [(one.name, one.text, one.offset) for one in condition.compares] == [
        ("a", "x", 5),
        ("a", "y", 12),
        ("a", "z", 30),
    ]
