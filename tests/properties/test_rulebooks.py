"""A rulebook that loads never errs on names or types, and one that does not is refused in bounded time with a place.

Structured rulebooks are drawn from the words of the language, right and wrong ones; bytes are drawn at random, from
YAML's own characters, and as damaged copies of good rulebooks; known escapes stand beside them.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decisioning.actions import MAX_ACTIONS
from decisioning.catalogue import Catalogue
from decisioning.condition import ConditionError, ConditionRejected, Kind
from decisioning.condition import parse as parse_condition
from decisioning.errors import RulebookError
from decisioning.lint import check
from decisioning.policy import Policy
from decisioning.replay import Replay
from decisioning.rulebook import parse
from decisioning.vocabulary import BUILT_IN, TRIGGERS, fields
from tests.builders import (
    BARE,
    RETAIL,
    Story,
    asked,
    bought,
    event,
    granted,
    lives,
    offer,
)

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
PATIENCE = 5.0
"""Seconds of work that no rulebook, however made, may take to be read: many times what the shipped one needs."""

# --- conditions, well typed and not -----------------------------------------------------------------------------------

ATTRIBUTES = {"tier": "string", "visits": "int", "spent": "double", "vip": "bool", "since": "timestamp"}
KINDS = {f"customer.{name}": Kind(kind) for name, kind in ATTRIBUTES.items()}
KINDS |= {one.name: one.kind for one in BUILT_IN}
LITERALS = {
    Kind.STRING: ["'gold'", "''", "'é\U0001f600'", "customer.tier + 'x'", "string(customer.visits)"],
    Kind.INT: ["0", "-1", "9223372036854775807", "size('abc')", "customer.visits * 9", "int(customer.tier)"],
    Kind.DOUBLE: ["0.5", "-1e300", "customer.spent / 0.0", "double(customer.tier)"],
    Kind.BOOL: ["true", "false", "customer.tier.startsWith('g')", "customer.tier.matches('g+')"],
    Kind.TIMESTAMP: ["timestamp('2026-01-01T00:00:00Z')", "now + duration('36h')", "customer.since - duration('1s')"],
}
OPERATORS = ["==", "!=", "<", "<=", ">", ">="]


def names(kind: Kind) -> list[str]:
    """All names of a kind, whatever they are about, and values of it."""
    return [name for name, one in KINDS.items() if one is kind] + LITERALS[kind]


comparisons = st.sampled_from(list(Kind)).flatmap(
    lambda kind: st.builds(
        "{} {} {}".format,
        st.sampled_from(names(kind)),
        st.sampled_from(OPERATORS),
        st.sampled_from(names(kind)) | st.sampled_from([one for other in Kind for one in names(other)]),
    )
)
well_meant = st.recursive(
    comparisons | st.sampled_from(names(Kind.BOOL)),
    lambda inner: st.one_of(
        st.builds("({}) && ({})".format, inner, inner),
        st.builds("({}) || ({})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({}) ? ({}) : ({})".format, inner, inner, inner),
        st.builds("['a', 'b'].exists(x, x == customer.tier || ({}))".format, inner),
    ),
    max_leaves=5,
)
garbled = st.text("customer.tier'\"()[]{}<>=!&|+-*/?:, 0123456789\\ndyhas\n", max_size=60) | st.text(max_size=30)
texts = st.one_of(well_meant, well_meant, well_meant, garbled)

# --- rulebooks --------------------------------------------------------------------------------------------------------

durations = st.sampled_from(["0s", "15m", "6h", "2d", "30d", "365d", "36525d", "9999999999w", "soon", 5, True, None])
numbers = st.sampled_from([0, 1, 2, 200, -1, 0.5, True, "1", "on", None])
words = st.sampled_from(["email", "sms", "fax", "", "on", "null", 5])
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda one: st.lists(one, max_size=2)
)


def either(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what is usual, now and then anything."""
    return st.one_of(usual, usual, usual, usual, usual, odd)


actions = st.fixed_dictionaries(
    {
        "action": either(st.sampled_from(["hello", "vip", "delay_alert"])),
        "class": either(st.sampled_from(["marketing", "survey", "service", "care"])),
        "channels": either(st.lists(words.filter(bool), min_size=1, max_size=3)),
    },
    optional={
        "on": either(st.sampled_from(TRIGGERS) | st.lists(st.sampled_from(TRIGGERS), min_size=1, max_size=3)),
        "when": either(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), texts, min_size=1, max_size=1))),
        "valid_for": either(durations),
        "value": either(numbers),
        "once": either(st.booleans()),
        "quiet_hours": either(st.booleans()),
        "treatments": either(st.dictionaries(words, st.just("short"), max_size=1)),
    },
)
refusals = st.fixed_dictionaries(
    {"name": either(st.sampled_from(["minors", "vips", "rest"])), "when": texts},
    optional={"classes": either(st.lists(st.sampled_from(["marketing", "survey", "service", "care"]), min_size=1))},
)
respects = st.fixed_dictionaries(
    {},
    optional={
        "ineligible": either(st.lists(refusals, max_size=3)),
        "recent_purchase": either(st.dictionaries(st.sampled_from(["cooldown", "same_item", "consumed"]), durations)),
        "quiet_hours": either(st.dictionaries(st.sampled_from(["from", "to", "then"]), words)),
        "stopped": either(st.fixed_dictionaries({"channels": st.lists(words)})),
        "holdout": either(st.fixed_dictionaries({"share": numbers})),
    },
)
declared = st.fixed_dictionaries({}, optional={"default": st.sampled_from(["x", 1, 0.5, True, "2026-01-01T00:00:00Z"])})
attributes = st.fixed_dictionaries(
    {name: st.builds(dict[str, Any], declared, type=st.just(kind)) for name, kind in ATTRIBUTES.items()}
)
rulebooks = st.fixed_dictionaries(
    {
        "rulebook": st.just("fuzz"),
        "version": st.just("1"),
        "attributes": st.one_of(attributes, st.just({name: {"type": kind} for name, kind in ATTRIBUTES.items()})),
    },
    optional={
        "respect": either(respects),
        "actions": either(st.lists(actions, max_size=3)),
        "channels": either(st.lists(words)),
    },
)


def read(text: bytes) -> bool:
    """Whether `check` finds no fault; it answers in bounded time, and each fault has its place."""
    before = time.process_time()
    found = check(text, "fuzz.yaml")
    assert time.process_time() - before < PATIENCE
    lines = len(text.decode(errors="replace").splitlines())
    assert all(1 <= fault.line <= lines + 1 and fault.column >= 1 and fault.message for fault in found)
    return not found


def loaded(tree: dict[str, Any]) -> Policy | None:
    """The policy of a tree, if it has one; what `check` alone finds fault with has one too."""
    text = json.dumps(tree, ensure_ascii=False).encode(errors="replace")
    read(text)
    try:
        return Policy(parse(text, "fuzz.yaml"), Catalogue())
    except RulebookError:
        return None


def judged(policy: Policy) -> set[str]:
    """The reasons that a customer's busy day brings under a policy; every event type of a trigger comes by."""
    run = Replay(policy)
    days = Story()
    days.at("2026-03-02 09:00", lives(time_zone="UTC", country="DE", attributes={"tier": "gold", "visits": 3}))
    days.at("2026-03-02 09:01", granted(), granted("survey"), bought("A", promised_at="2026-03-05T10:00:00Z"))
    days.at(
        "2026-03-02 09:03",
        *(
            asked(offer(name, kind=kind, on=["email", "sms"], sku="A", price="5", currency="GBP"))
            for name in ("hello", "vip")
            for kind in ("marketing", "survey", "service", "care")
        ),
    )
    happened = [*days.events, *(_plainest(event_type, place) for place, event_type in enumerate(TRIGGERS))]
    return {decision.reason for one in happened for decision in run.feed(one)}


def _plainest(event_type: str, place: int) -> Any:
    """An event of this type with all its plain fields."""
    values: dict[Kind, object] = {
        Kind.STRING: "x", Kind.INT: 1, Kind.DOUBLE: 0.5, Kind.BOOL: True, Kind.TIMESTAMP: "2026-03-09T10:00:00Z",
    }  # fmt: skip
    special = {"event.severity": "low", "event.purpose": "marketing", "event.kind": "goal", "event.time_zone": "UTC",
               "event.order_id": "o-1", "event.birth_date": "2000-01-01"}  # fmt: skip
    kinds = {name: kind for name, kind in fields(event_type).items() if name not in ("event.type", "event.time")}
    data = {name.removeprefix("event."): special.get(name, values[kind]) for name, kind in kinds.items()}
    lines = {"lines": [{"sku": "A", "quantity": 1, "unit_price": "9.99"}]} if event_type.startswith("purchase.") else {}
    return event(event_type, f"2026-03-0{3 + place // 24} {place % 24:02}:00", {**data, **lines}, f"t-{place}")


@QUICK
@given(rulebooks)
def test_a_rulebook_that_loads_never_errs_on_names_or_types(tree: dict[str, Any]) -> None:
    """Only a value may have no answer: then its reason is `rule_error`, and nothing is raised."""
    policy = loaded(tree)
    if policy is not None:
        judged(policy)


@QUICK
@given(st.dictionaries(st.sampled_from(["a", "b"]), well_meant, min_size=1))
def test_most_conditions_of_the_language_are_judged(clauses: dict[str, str]) -> None:
    """The generator above is worth its time: well-meant conditions load often, and are judged."""
    when = [{"name": name, "when": text} for name, text in clauses.items()]
    tree = {
        "rulebook": "fuzz",
        "version": "1",
        "attributes": {name: {"type": kind} for name, kind in ATTRIBUTES.items()},
        "respect": {"ineligible": when},
    }
    policy = loaded(tree)
    if policy is not None:
        assert judged(policy)


VALUES: dict[Kind, list[Any]] = {
    Kind.STRING: ["", "gold", "7", "\x00", "\U0001f600"],
    Kind.INT: [0, -1, 2**63 - 1, -(2**63)],
    Kind.DOUBLE: [0.0, -0.5, 1e300],
    Kind.BOOL: [True, False],
    Kind.TIMESTAMP: [0, 1_772_445_600_000_000, 253_402_300_799_000_000],
}
ABOUT_VALUES = re.compile(
    r"overflow|divi|modulus|convert|conversion|range|Index|Key not found|regular|Duration|budget|UTF"
)
"""What the library may say of a condition that was read: its values, never its names or types."""


@QUICK
@given(texts, st.data())
def test_a_condition_that_is_read_errs_on_values_only(text: str, data: st.DataObject) -> None:
    """With every name known, what has no answer has none because of a value."""
    try:
        condition = parse_condition(text, KINDS)
    except ConditionRejected:
        return
    facts = {name: data.draw(st.sampled_from(VALUES[KINDS[name]])) for name in condition.reads}
    said = condition.told(facts)
    if said in ("True", "False"):
        assert str(condition.holds(facts)) == said
        return
    assert ABOUT_VALUES.search(said), said
    with pytest.raises(ConditionError) as found:
        condition.holds(facts)
    assert found.value.missing is None


@QUICK
@given(st.binary(max_size=200) | st.text("{}[]:,-?&*!|>'\"%@`# \n\tabon01", max_size=120).map(str.encode))
def test_bytes_are_a_rulebook_or_a_fault(text: bytes) -> None:
    """No crash and no hang, alone or behind a good beginning."""
    read(text)
    read(BARE + text)


@QUICK
@given(st.data())
def test_a_damaged_rulebook_is_read_or_refused(data: st.DataObject) -> None:
    """The shipped one with a piece cut out, doubled or replaced."""
    text = RETAIL.read_bytes()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 80)))
    read(
        text[:start]
        + data.draw(st.sampled_from([b"", text[start:end] * 2, b": ", b"\n", b"[", b"on", b"\xff"]))
        + text[end:]
    )


ESCAPES = {
    "alias bomb": "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)),
    "merge bomb": "a: &a {x: 1}\nb: &b {<<: [*a, *a]}\nc: {<<: [*b, *b]}\n",
    "self reference": "a: &a [*a]\n",
    "10 MB": "#" * 10_000_000,
    "10 MB of one text": "rulebook: '" + "x" * 10_000_000,
    "1 MB of entries": "a: [" + "x, " * 330_000 + "x]",
    "1 MB of keys": "".join(f"k{n}: 1\n" for n in range(90_000)),
    "1 MB of duplicates": "k: 1\n" * 190_000,
    "deep lists": "a: " + "[" * 100_000,
    "deep mappings": "{a: " * 100_000,
    "deep dashes": "- " * 100_000 + "x",
    "deep indentation": "".join(" " * n + "a:\n" for n in range(900)),
    "questions": "? " * 50_000 + "x",
    "quotes": 'a: "' + "\\x41" * 200_000,
    "comments": "# x\n" * 60_000,
    "entries": "a: [" + "x, " * 80_000 + "x]",
    "keys": "".join(f"k{n}: 1\n" for n in range(25_000)),
    "duplicates": "k: 1\n" * 45_000,
    "many documents": "--- a\n" * 100_000,
    "many anchors": "".join(f"a{n}: &a{n} x\n" for n in range(50_000)),
    "a tag that runs code": "a: !!python/object/apply:os.system [ls]\n",
    "huge numbers": "a: " + "9" * 1900 + "\nb: 1e" + "9" * 1900 + "\nc: 0x" + "f" * 1900 + "\n",
    "sexagesimal and octal": "a: 190:20:30\nb: 0o777\nc: 0777\nd: .inf\ne: .nan\nf: 2026-13-45\n",
    "control characters": "a: \x00\x01\x02\x1b[31m\n",
    "byte order mark": "\ufeffrulebook: x\nversion: '1'\n",
    "line separators": "a: 1\u2028b: 2\u2029c: 3\x85d: 4\r",
}
CONDITIONS = {
    "parentheses": "(" * 450 + "true" + ")" * 450,
    "lists": "[" * 450 + "]" * 450,
    "minus signs": "-" * 950 + "1 > 0",
    "exclamation marks": "!" * 950 + "true",
    "a long sum": "1" + "+1" * 400 + " > 0",
    "a long or": "customer.has_bought || " * 40 + "true",
    "a long member": "customer" + ".a" * 450,
    "choices": "true ? " * 60 + "true" + " : false" * 60,
    "loops": "[1,2,3].all(a, [1,2,3].all(b, [1,2,3].all(c, a + b + c > 0)))",
    "one long loop": "[" + "1," * 400 + "1].all(a, a > 0)",
    "a huge pattern": "candidate.sku.matches('" + "(a{1000}){1000}" * 30 + "')",
    "a greedy pattern": "candidate.sku.matches('" + "(a*)*" * 150 + "b')",
    "a long text": "'" + "é" * 900 + "' == candidate.sku",
    "too long": "'" + "x" * 1900 + "' == candidate.sku",
    "nothing": "",
    "a zero byte": "candidate.sku == '\\x00'",
    "a half character": "candidate.sku == '\\ud800'",
    "numbers": "9" * 900 + " > 0",
}


@pytest.mark.parametrize("text", ESCAPES.values(), ids=ESCAPES.keys())
def test_known_escapes_of_yaml_are_refused_in_time(text: str) -> None:
    """Also behind a good beginning; none becomes a policy of its own."""
    read(text.encode())
    read(BARE + text.encode())


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_known_escapes_of_conditions_are_judged_or_refused_in_time(condition: str) -> None:
    """As a refusal and as a clause."""
    before = time.process_time()
    refusal: dict[str, Any] = {"respect": {"ineligible": [{"name": "odd", "when": condition}]}}
    clause: dict[str, Any] = {"actions": [{"action": "hello", "class": "marketing", "channels": ["email"]}]}
    clause["actions"][0]["when"] = [{"odd": condition}]
    for more in (refusal, clause):
        policy = loaded({"rulebook": "x", "version": "1", **more})
        if policy is not None:
            judged(policy)
    assert time.process_time() - before < PATIENCE


def test_a_full_rulebook_loads_in_bounded_time() -> None:
    """As many conditions as there may be, each with names of its own."""
    clause = {"fits": "order.was_told && event.promised_at > now + duration('2h') && customer.tier in ['a', 'b']"}
    called = {"class": "service", "channels": ["email"], "on": "order.eta_changed", "when": [clause]}
    many = [{"action": f"a{n}", **called} for n in range(MAX_ACTIONS)]
    tree = {"rulebook": "x", "version": "1", "attributes": {"tier": {"type": "string"}}, "actions": many}
    assert read(json.dumps(tree, ensure_ascii=False).encode(errors="replace"))
