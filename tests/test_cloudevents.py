"""Others read us and we read them: the CloudEvents project's own Python SDK on the other side, in both modes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_kafka_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v03.event import CloudEvent as OldCloudEvent
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from decisioning import decision as decisions
from decisioning import inbox
from decisioning.cases import parse as parse_cases
from decisioning.decision import Decision
from decisioning.errors import EventRejected, Fault
from decisioning.event import Event, Headers, parse
from decisioning.instant import format_instant, parse_instant
from decisioning.payload import TYPES
from tests.test_schemas import RULES, said

Mode = Callable[[BaseCloudEvent], KafkaMessage]
MODES = pytest.mark.parametrize("mode", [to_structured_event, to_binary_event], ids=["structured", "binary"])
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
WHEN = datetime(2026, 3, 2, 10, 15, 0, 250_000, tzinfo=timezone(timedelta(hours=5, minutes=30)))


def theirs(**more: Any) -> dict[str, Any]:
    """The attributes of an event as somebody gives them to the SDK."""
    told = {"id": "e-1", "source": "/shop", "type": "order.placed", "time": WHEN, "subject": "c-42"}
    return {"specversion": "1.0", **told, **more}


def we_read(message: KafkaMessage) -> Event:
    """What we make of the SDK's record."""
    return parse(message.value, list(message.headers.items()))


def they_read(value: bytes, headers: Headers, key: str | None = None) -> BaseCloudEvent:
    """What the SDK makes of our record."""
    return from_kafka_event(KafkaMessage({name: text or b"" for name, text in headers}, key, value))


def happenings() -> Iterator[Event]:
    """One event of each shape of the shipped cases."""
    seen = set[tuple[str, ...]]()
    for script in parse_cases((RULES / "retail.cases.yaml").read_bytes(), "c.yaml"):
        for event in [*script.opening, *(scene.event for scene in script.scenes if scene.event is not None)]:
            data = json.loads(msgspec.json.encode(event.data))
            shape = (event.type, *(name for name, value in data.items() if value is not None))
            if shape not in seen:
                seen.add(shape)
                yield event


@MODES
def test_we_read_what_the_sdk_writes(mode: Mode) -> None:
    """Every type and shape, to the last field."""
    read = set()
    for event in happenings():
        data = json.loads(msgspec.json.encode(event.data))
        told = theirs(id=event.id, source=event.source, type=event.type, subject=event.subject)
        told["time"] = datetime.fromisoformat(format_instant(event.time))
        found = we_read(mode(CloudEvent(told, data)))
        assert found == msgspec.structs.replace(event, traceparent=None)
        read.add(event.type)
    assert len(read) > 15


@MODES
def test_times_of_any_offset_and_unknown_attributes(mode: Mode) -> None:
    """Extensions are let pass, but for `traceparent`, which is kept."""
    told = theirs(partitionkey="c-42", tenant="eu", traceparent=PARENT, dataschema="https://example.com/s")
    told["datacontenttype"] = "application/json"
    found = we_read(mode(CloudEvent(told, {"order_id": "o-1"})))
    assert (found.time, found.traceparent) == (parse_instant("2026-03-02T04:45:00.25Z"), PARENT)
    assert found.data is not None


@MODES
def test_data_as_bytes_or_none_at_all(mode: Mode) -> None:
    """Bytes travel as base64 in a structured event; an erasure needs no data."""
    assert we_read(mode(CloudEvent(theirs(), b'{"order_id": "o-1"}'))) == we_read(
        mode(CloudEvent(theirs(), {"order_id": "o-1"}))
    )
    assert we_read(mode(CloudEvent(theirs(type="customer.erased")))).data is not None


@MODES
def test_another_version_is_refused(mode: Mode) -> None:
    """0.3 is not ours to guess."""
    with pytest.raises(EventRejected) as caught:
        we_read(mode(OldCloudEvent({**theirs(), "specversion": "0.3"}, {"order_id": "o-1"})))
    assert caught.value.fault is Fault.NOT_AN_EVENT


@MODES
@given(subject=st.text(min_size=1, max_size=40).filter(str.strip), id_=st.text(min_size=1, max_size=40))
def test_names_in_any_script(mode: Mode, subject: str, id_: str) -> None:
    """Kafka's headers are UTF-8: nothing is percent-encoded, in neither direction."""
    if "\0" in subject or not (subject + id_).isprintable():
        return
    found = we_read(mode(CloudEvent(theirs(subject=subject, id=id_), {"order_id": "o-1"})))
    assert (found.subject, found.id) == (subject, id_)


def outputs(one: Decision) -> list[tuple[bytes, Headers]]:
    """A decision's record in both modes, as the worker publishes it."""
    structured = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    return [(decisions.dumps(one), structured), decisions.dumps_binary(one)]


def test_the_sdk_reads_what_we_say() -> None:
    """Every decision of all cases, all attributes and all data, in both modes."""
    for one in said():
        for value, headers in outputs(one):
            found = they_read(value, headers, one.subject)
            assert found.get_data() == json.loads(json.dumps(decisions.data(one)))
            assert (found.get_id(), found.get_source(), found.get_subject()) == (one.id, "/decisioning", one.subject)
            assert found.get_type() == f"decision.{one.outcome.value}"
            when = found.get_time()
            assert when is not None
            assert parse_instant(when.isoformat()) == one.time
            assert found.get_extension("partitionkey") == one.subject


def test_the_trace_arrives() -> None:
    """As the extension attribute of the same name."""
    one = msgspec.structs.replace(said()[0], traceparent=PARENT)
    assert [they_read(*record).get_extension("traceparent") for record in outputs(one)] == [PARENT, PARENT]


@MODES
def test_a_decision_that_went_through_the_sdk_is_still_one(mode: Mode) -> None:
    """A bridge built with the SDK may stand between us and a channel."""
    for one in said()[:40]:
        for value, headers in outputs(one):
            again = mode(they_read(value, headers))
            assert inbox.read(again.value, list(again.headers.items())) == inbox.read(value, headers)


def test_the_sdk_reads_what_a_channel_answers() -> None:
    """And so does the engine."""
    act = next(one for one in said() if one.outcome.value == "act")
    received = inbox.read(decisions.dumps(act))
    value = inbox.response(received, inbox.Verdict.DELIVER, act.time, source="/channel/sms")
    assert value is not None
    found = they_read(value, [])
    assert found.get_type() == "response.delivered"
    assert found.get_type() in TYPES
    assert found.get_data() == {"decision_id": act.id, "channel": act.channel}
