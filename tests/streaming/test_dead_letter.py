"""Dead letters: the record as it came, the reason in headers, nothing of the customer in ours, never too large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisioning.errors import EventRejected, Fault
from decisioning.event import parse
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.dead_letter import MEANING, Stage, dead_letter

CANARY = "Jane O'Hara-canary"


@dataclass(frozen=True)
class Fetched:
    """A record as a consumer hands it over."""

    value: bytes | None
    key: bytes | None = b"c-42"
    headers: tuple[tuple[str, bytes], ...] = ()
    topic: str = "purchases"
    partition: int = 3
    offset: int = 17
    timestamp: int = 1_772_446_500_123


def _refused(record: Fetched, fault: Fault = Fault.NOT_JSON, message: str = "not JSON", bound: int = 1 << 20) -> Output:
    return dead_letter(record, EventRejected(fault, message), topic="dead-letters", bound=bound)


def _ours(letter: Output, record: Fetched) -> dict[str, str]:
    return {name: content.decode() for name, content in letter.headers[len(record.headers) :]}


def test_the_record_stays_as_it_was_and_the_headers_say_why() -> None:
    """Original bytes, key, timestamp and headers; then Kafka Streams' headers as strings, then ours."""
    record = Fetched(b"\xff{", headers=(("traceparent", b"00-ab"), ("blob", b"\x00\xff")))
    letter = _refused(record, Fault.NOT_JSON, "not JSON in UTF-8:\n byte 0")
    assert (letter.topic, letter.key, letter.value, letter.timestamp, letter.partition) == (
        "dead-letters",
        b"c-42",
        b"\xff{",
        record.timestamp,
        None,
    )
    assert letter.headers[:2] == record.headers
    assert _ours(letter, record) == {
        "__streams.errors.exception": "decisioning.errors.EventRejected",
        "__streams.errors.message": "not JSON in UTF-8: byte 0",
        "__streams.errors.topic": "purchases",
        "__streams.errors.partition": "3",
        "__streams.errors.offset": "17",
        "decisioning.error.stage": "event",
        "decisioning.error.code": "not_json",
    }


def test_a_tombstone_without_a_key_is_a_letter_like_any_other() -> None:
    """None stays None; without a key the place is fixed, where a producer would draw lots at each repetition."""
    letter = _refused(Fetched(None, key=None, timestamp=-1), Fault.TOMBSTONE)
    assert (letter.key, letter.value, letter.partition, letter.timestamp) == (None, None, 0, None)


def test_every_fault_has_a_sentence_and_stands_in_for_an_empty_message() -> None:
    """The list of codes is closed: a new fault without its sentence does not pass."""
    assert set(MEANING) == set(Fault)
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in MEANING.values())
    record = Fetched(b"{}")
    assert _ours(_refused(record, Fault.NO_TIME, ""), record)["__streams.errors.message"] == MEANING[Fault.NO_TIME]


def test_a_letter_that_failed_again_tells_its_last_failure_last() -> None:
    """A replayed dead letter brings headers of its first death: they stay, and the last of a name counts."""
    record = Fetched(b"x", headers=(("decisioning.error.code", b"no_time"),))
    letter = dead_letter(
        record, EventRejected(Fault.HOP_LIMIT, "three hops"), topic="dead-letters", bound=4096, stage=Stage.RELAY
    )
    assert [content for name, content in letter.headers if name == "decisioning.error.code"] == [
        b"no_time",
        b"hop_limit",
    ]
    assert dict(letter.headers)["decisioning.error.stage"] == b"relay"


def test_what_is_too_large_is_cut_and_says_so() -> None:
    """A 2 MB value must not become a dead letter that no broker takes, and then stop the lane for ever (T18)."""
    record = Fetched(b"v" * 2_000_000, key=b"k" * 300_000, headers=(("big", b"h" * 600_000), ("small", b"s")))
    letter = _refused(record, Fault.TOO_LARGE, bound=1_000_000)
    assert letter.value == b"v" * 1_000_000
    assert letter.key == b"k" * 250_000
    assert letter.headers[0] == ("small", b"s")
    cut = dict(letter.headers)["decisioning.error.cut"]
    assert cut == b"key of 300000 bytes, value of 2000000 bytes, 1 headers"


@given(
    st.binary(max_size=5000),
    st.none() | st.binary(max_size=5000),
    st.lists(st.tuples(st.text(max_size=300), st.binary(max_size=3000)), max_size=20),
    st.text(max_size=3000),
)
def test_no_record_makes_a_letter_beyond_its_bound(
    value: bytes, key: bytes | None, headers: list[tuple[str, bytes]], message: str
) -> None:
    """Whatever comes in, what goes out has a known largest size, and is the same a second time."""
    record = Fetched(value, key, tuple(headers))
    letter = _refused(record, message=message, bound=1000)
    size = len(letter.key or b"") + len(letter.value or b"")
    size += sum(len(name.encode()) + len(content) for name, content in letter.headers)
    assert size <= 1000 + 500 + 250 + 6000
    assert letter == _refused(record, message=message, bound=1000)
    if len(value) <= 1000:
        assert letter.value == value


def _events_about_jane() -> Iterator[bytes]:
    """Events that cannot be read, each with the canary in another place."""
    good = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/shop",
        "type": "customer.updated",
        "time": "2026-03-02T10:15:00Z",
        "subject": "c-42",
    }
    yield CANARY.encode()
    yield f'{{"name": "{CANARY}'.encode()
    yield orjson.dumps(CANARY)
    yield orjson.dumps([CANARY])
    yield orjson.dumps({"name": CANARY})
    for name in good:
        yield orjson.dumps(good | {name: [CANARY]})
        yield orjson.dumps({**{key: content for key, content in good.items() if key != name}, "data": {"name": CANARY}})
    yield orjson.dumps(good | {"time": CANARY})
    for field in ("name", "time_zone", "country", "birth_date", "language", "household_id", "attributes"):
        for content in ([CANARY], {CANARY: CANARY}, CANARY, 42):
            yield orjson.dumps(good | {"data": {field: content}})
    for type_, data in {
        "consent.granted": {"purpose": CANARY},
        "customer.preference_set": {"contact_windows": [{"days": [CANARY], "from": CANARY, "to": CANARY}]},
        "purchase.completed": {"order_id": CANARY, "lines": [{"sku": CANARY, "quantity": CANARY}], "currency": CANARY},
        "contact.requested": {"request_id": CANARY, "candidates": [{"action": CANARY, "class": CANARY}]},
        "survey.answered": {"survey": CANARY, "score": CANARY},
    }.items():
        yield orjson.dumps(good | {"type": type_, "data": data})
    yield orjson.dumps(good | {"data_base64": CANARY})


@pytest.mark.parametrize("value", list(_events_about_jane()))
def test_our_headers_never_repeat_what_the_event_says(value: bytes) -> None:
    """Guarantee 8, with the messages of the real parser: field names may be told, their values may not."""
    record = Fetched(value)
    try:
        parse(value)
    except EventRejected as rejected:
        letter = dead_letter(record, rejected, topic="dead-letters", bound=4096)
        for content in _ours(letter, record).values():
            assert not [word for word in ("Jane", "Hara", "canary") if word in content]
