"""Whatever arrives at a door is taken or refused in the door's own words, and quickly; nothing else ever comes out.

The doors: `event.parse` (bytes of anyone), `state.loads` (our own bytes, perhaps damaged) and `rulebook.parse` (a text
by an author in a hurry). What a door has taken, the engine can live with.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from time import process_time
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from decisioning import rulebook
from decisioning.decision import dumps
from decisioning.document import MAX_BYTES
from decisioning.errors import EventRejected, Problem, RulebookError, StateTooNew, StateUnreadable
from decisioning.event import Event, parse
from decisioning.payload import TYPES
from decisioning.replay import Replay
from decisioning.state import VERSION, State
from decisioning.state import dumps as dump_state
from decisioning.state import loads as load_state
from tests.builders import RETAIL
from tests.properties.histories import histories, live, often, policy

TIME = "2026-03-02T10:15:00Z"
MOMENTS = [TIME, "2026-03-02T24:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z", "2026-03-02"]
SAMPLES: dict[str, dict[str, Any]] = {
    "purchase.completed": {"order_id": "o", "currency": "GBP",
        "lines": [{"sku": "A", "quantity": 1, "unit_price": "1"}]},
    "purchase.returned": {"order_id": "o", "lines": [{"sku": "A", "quantity": 1}]},
    "customer.updated": {"time_zone": "Europe/London", "country": "GB", "birth_date": "2000-02-29", "name": "n"},
    "customer.preference_set": {"contact_windows": [{"days": ["mon"], "from": "09:00", "to": "17:00"}],
        "channels": ["sms"], "max_marketing_per_week": 1},
    "consent.granted": {"purpose": "marketing", "channels": ["sms"], "expires_at": TIME},
    "customer.erased": {},
    "response.recalled": {"decision_id": "d", "in_time": True},
    "contact.requested": {"request_id": "r", "campaign": "k", "candidates": [{"action": "a", "class": "marketing",
        "channels": ["sms"], "sku": "A", "price": "1", "value": 1, "expires_at": TIME}]},
    "contact.withdrawn": {"request_id": "r", "campaign": "k"},
    "identity.linked": {"identity": "tel:1"},
    "customer.merged": {"into": "c-2"},
    "customer.life_event": {"kind": "bereavement", "until": TIME},
    "order.eta_changed": {"order_id": "o", "promised_at": TIME},
    "support.case_opened": {"case_id": "s", "severity": "low", "order_id": "o"},
    "support.promise_made": {"promise_id": "p", "what": "call", "due_at": TIME},
    "product.described": {"sku": "A", "category": "c", "price": "1", "currency": "GBP", "substitutes": ["B"]},
}  # fmt: skip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=8)
    | st.sampled_from([*MOMENTS, "marketing", "24:00", "mon", "-0", "1e400", "00.10", "A" * 600, "\x00", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def spots(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value that something else could be put: (its container, its key or index)."""
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    return [(tree, key) for key in keys] + [spot for key in keys for spot in spots(tree[key])]


@st.composite
def damaged_events(draw: st.DrawFn) -> bytes:
    """A good event of any type, in which up to three places hold something else."""
    type_ = draw(st.sampled_from(sorted(SAMPLES) * 3 + sorted(TYPES)))
    data = SAMPLES.get(type_, {"order_id": "o", "case_id": "s", "decision_id": "d", "channel": "sms", "kind": "goal"})
    event = {"specversion": "1.0", "id": "e", "source": "/s", "type": type_, "time": TIME, "subject": "c", "data": data}
    event = json.loads(json.dumps(event))
    for _ in range(draw(st.integers(0, 3))):
        container, key = draw(st.sampled_from(spots(event)))
        container[key] = draw(json_values)
    return json.dumps(event).encode()


@given(st.binary(max_size=80) | json_values.map(lambda value: json.dumps(value).encode()) | damaged_events())
@often(800)
def test_any_bytes_are_an_event_or_a_rejected_one(value: bytes) -> None:
    """Nothing but EventRejected leaves the parser, and what it took the engine can live with and put into bytes."""
    event = _parsed(value)
    if event is None:
        return
    run = Replay(policy())
    for decision in [*run.feed(event), *run.feed(event), *run.finish()]:
        json.loads(dumps(decision))
    for state in run.states.values():
        assert load_state(dump_state(state)) == state


def _parsed(value: bytes | None, headers: Any = ()) -> Event | None:
    """The event, or None where it was rejected, in one line."""
    try:
        return parse(value, headers)
    except EventRejected as rejected:
        said = str(rejected)
    assert len(said.splitlines()) == 1
    return None


_header_names = st.sampled_from(["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_data",
    "content-type", "traceparent", "ce_"]) | st.text(max_size=4)  # fmt: skip
_header_values = st.binary(max_size=6) | st.none() | st.sampled_from(
    [b"1.0", b"customer.erased", b"purchase.completed", TIME.encode(), b"application/cloudevents+json", b"\xff"]
)  # fmt: skip


@given(st.none() | st.binary(max_size=20) | st.just(b"{}"), st.lists(st.tuples(_header_names, _header_values)))
@often(300)
def test_any_headers_are_an_event_or_a_rejected_one(value: bytes | None, headers: list[tuple[str, Any]]) -> None:
    """The binary mode too: headers missing, twice, without a value or not UTF-8, beside any value or none."""
    complete = [("ce_specversion", b"1.0"), ("ce_id", b"e"), ("ce_source", b"/s"), ("ce_type", b"customer.erased"),
        ("ce_time", TIME.encode()), ("ce_subject", b"c")]  # fmt: skip
    for some in (headers, complete + headers):
        _parsed(value, some)


def _damage(body: bytes, at: int, with_: bytes) -> bytes:
    place = at % len(body)
    return body[:place] + with_ + body[place + 1 :]


@given(histories, st.integers(0, 10**6), st.binary(max_size=3) | st.sampled_from([b'"', b"0", b"null", b"]", b"-1"]))
@often(60)
def test_a_damaged_record_is_unreadable_or_a_state(drawn: bytes, at: int, with_: bytes) -> None:
    """Cut short anywhere or with bytes changed: StateUnreadable or StateTooNew, or a state that can be stored again."""
    run = Replay(policy())
    for event in live(drawn)[0]:
        list(run.feed(event))
    for state in run.states.values():
        body = dump_state(state)
        for damaged in (_damage(body, at, with_), body[: at % len(body)]):
            _readable(damaged)


@given(st.binary(max_size=60))
@often(300)
def test_any_bytes_are_a_state_or_say_why_not(body: bytes) -> None:
    """Whatever the store holds: StateUnreadable, StateTooNew (a first byte above ours), or a state."""
    _readable(body)
    for version in range(1, VERSION + 1):
        _readable(bytes([version]) + body)


def _readable(body: bytes) -> None:
    try:
        state = load_state(body)
    except (StateUnreadable, StateTooNew) as error:
        refused: Exception = error
    else:
        assert isinstance(state, State)
        assert load_state(dump_state(state)) == state
        return
    assert len(str(refused).splitlines()) == 1
    assert isinstance(refused, StateTooNew) == bool(body and body[0] > VERSION)


_yaml = st.lists(
    st.sampled_from(["[", "]", "{", "}", ": ", ":", "- ", "? ", "&a ", "*a", "!!int ", "!!bool ", "!!omap ", "!x ",
        "<<: ", "\n", "\n  ", "'", '"', "|\n", ">\n", "#", "%", "\\x", "\u2028", "a", "1", "~", "---\n", "\t", "0x",
        "0x_", "1_", "1e9", "2001-99-01", "rulebook: r\n", "version: ", "respect:\n", "  caps: "]),
    max_size=14,
).map(lambda parts: "".join(parts).encode())  # fmt: skip


@st.composite
def damaged_rulebooks(draw: st.DrawFn) -> bytes:
    """The shipped rulebook with a few places written over."""
    text = RETAIL.read_bytes()
    for _ in range(draw(st.integers(1, 4))):
        place, length = draw(st.integers(0, len(text) - 1)), draw(st.sampled_from([0, 1, 5, 30]))
        text = text[:place] + draw(_yaml | st.binary(max_size=3)) + text[place + length :]
    return text


@given(st.binary(max_size=60) | _yaml | damaged_rulebooks())
@often(150)
def test_any_text_is_a_rulebook_or_tells_every_fault(text: bytes) -> None:
    """Nothing but RulebookError leaves the reader; each fault has its place and fits in a line."""
    problems = []
    try:
        rulebook.parse(text, "r.yaml")
    except RulebookError as error:
        problems = error.problems or [Problem(0, 0, "")]
    for problem in problems:
        note(problem.message)
        assert min(problem.line, problem.column) >= 1
        assert len(problem.message.splitlines()) == 1


def _bomb() -> bytes:
    unfolding = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(["a0: &a0 [x]", *unfolding]).encode()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "aliases that unfold": _bomb,
    "merge keys that unfold": lambda: b"a: &a {x: 1}\n" + b"b: &a {<<: [*a, *a]}\n" * 200,
    "an alias of itself": lambda: b"rulebook: &a [*a]",
    "a merge of itself": lambda: b"respect: &a\n  <<: *a",
    "flow lists in each other": lambda: b"[" * 200_000,
    "block lists in each other": lambda: b"- " * 200_000,
    "keys of keys": lambda: b"? " * 200_000,
    "mappings in each other": lambda: b"".join(b" " * depth + b"a:\n" for depth in range(1300)),
    "a key of a list of keys": lambda: b"? [a, {b: [c]}]\n: d",
    "a tag that runs code": lambda: b"rulebook: !!python/object/apply:os.getcwd []",
    "a number of many digits": lambda: b"version: 0x" + b"f" * 100_000,
    "a quote that does not end": lambda: b"'" + b"a" * 500_000,
    "many anchors": lambda: b"&a " * 200_000,
    "many tags": lambda: b"!!seq " * 100_000,
    "many documents": lambda: b"---\na: 1\n" * 50_000,
    "many unknown fields": lambda: b"".join(b"field%d: 1\n" % number for number in range(2000)),
    "a dump": lambda: b"a" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_rulebook_is_refused_quickly(text: Callable[[], bytes]) -> None:
    """Bombs, deep nests and floods take seconds of the processor at most, and end as the author's fault."""
    began = process_time()
    with pytest.raises(RulebookError) as caught:
        rulebook.parse(text(), "r.yaml")
    assert process_time() - began < 5
    assert all("\n" not in problem.message for problem in caught.value.problems)
