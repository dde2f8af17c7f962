"""CloudEvents 1.0 in, both ways of the Kafka binding; what cannot be read says why and quotes nothing."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from decisioning.errors import EventRejected, Fault
from decisioning.event import Event, parse
from decisioning.payload import CustomerErased, CustomerUpdated, ProductDescribed
from tests.builders import at

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-17",
    "source": "/shop",
    "type": "customer.updated",
    "time": "2026-03-02T10:15:00Z",
    "subject": "c-42",
    "data": {"name": "Ada"},
}
HEADERS = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e-17"),
    ("ce_source", b"/shop"),
    ("ce_type", b"customer.updated"),
    ("ce_time", b"2026-03-02T10:15:00Z"),
    ("ce_subject", b"c-42"),
    ("content-type", b"application/json"),
]
READ = Event("/shop", "e-17", "customer.updated", at("2026-03-02 10:15"), "c-42", CustomerUpdated(name="Ada"))


def structured(**changes: object) -> bytes:
    """The event as one JSON object, with these attributes changed; None takes one away."""
    found = {**EVENT, **changes}
    return json.dumps({name: value for name, value in found.items() if value is not None}).encode()


def fault(value: bytes | None, headers: list[tuple[str, bytes | None]] | None = None) -> Fault:
    """Why it cannot be read."""
    with pytest.raises(EventRejected) as found:
        parse(value, headers or ())
    assert "\n" not in str(found.value)
    return found.value.fault


def test_structured_is_one_json_object() -> None:
    """No content type and a JSON object with `specversion`."""
    assert parse(structured()) == READ
    assert parse(b" \n" + structured() + b"\r\n") == READ


@pytest.mark.parametrize(
    "content_type", [b"application/cloudevents+json", b"application/cloudevents+json; charset=UTF-8"]
)
def test_structured_is_what_the_content_type_says(content_type: bytes) -> None:
    """Though there are `ce_` headers, which then say nothing."""
    assert parse(structured(), [*HEADERS[:6], ("content-type", content_type)]) == READ


def test_binary_has_its_attributes_in_headers() -> None:
    """The value is the data; other headers are not ours."""
    assert parse(b'{"name":"Ada"}', [*HEADERS, ("x-other", b"\xff")]) == READ


def test_binary_text_is_utf_8() -> None:
    """Headers and data alike."""
    headers = [(name, "müller".encode() if name == "ce_subject" else content) for name, content in HEADERS]
    found = parse('{"name":"Jürgen"}'.encode(), headers)
    assert (found.subject, found.data) == ("müller", CustomerUpdated(name="Jürgen"))


@pytest.mark.parametrize("name", ["traceparent", "ce_traceparent"])
def test_the_trace_is_read_in_both_modes(name: str) -> None:
    """As an attribute of the event, or as the header that tracing libraries write."""
    assert parse(structured(traceparent="00-a-b-01")).traceparent == "00-a-b-01"
    assert parse(b"{}", [*HEADERS, (name, b"00-a-b-01")]).traceparent == "00-a-b-01"


def test_data_may_be_base64() -> None:
    """`data_base64` is the data's bytes."""
    assert parse(structured(data=None, data_base64=base64.b64encode(b'{"name":"Ada"}').decode())) == READ
    assert fault(structured(data_base64="!")) is Fault.WRONG_TYPE


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-03-02T10:15:00+00:00", "2026-03-02 10:15"),
        ("2026-03-02T11:15:00.25+01:00", "2026-03-02 10:15:00.25"),
        ("2026-03-02t10:15:00z", "2026-03-02 10:15"),
    ],
)
def test_time_is_rfc_3339_with_an_offset(time: str, expected: str) -> None:
    """One instant, whatever the offset it is written in."""
    assert parse(structured(time=time)).time == at(expected)


@pytest.mark.parametrize(
    "time", ["2026-03-02T10:15:00", "2026-03-02", "yesterday", "", 1772446500, "2026-13-02T10:15:00Z"]
)
def test_any_other_time_cannot_be_read(time: object) -> None:
    """Nothing is guessed, least of all an offset."""
    assert fault(structured(time=time)) is Fault.WRONG_TYPE


@pytest.mark.parametrize("time", ["1969-12-31T23:59:59Z", "9000-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"])
def test_a_time_out_of_all_proportion_cannot_be_read(time: str) -> None:
    """Windows and consents that start there would leave the calendar."""
    assert fault(structured(time=time)) is Fault.WRONG_TYPE


def test_without_a_time_it_is_a_dead_letter() -> None:
    """`time` says when it happened; also of a type that we do not know."""
    assert fault(structured(time=None)) is Fault.NO_TIME
    assert fault(structured(time=None, type="shop.closed")) is Fault.NO_TIME


@pytest.mark.parametrize("name", ["id", "source", "type"])
def test_every_cloudevent_has_id_source_and_type(name: str) -> None:
    """Absent and empty are the same."""
    assert fault(structured(**{name: None})) is Fault.MISSING_FIELD
    assert fault(structured(**{name: ""})) is Fault.MISSING_FIELD
    headers: list[tuple[str, bytes | None]] = [(key, value) for key, value in HEADERS if key != f"ce_{name}"]
    assert fault(b"{}", headers) is Fault.MISSING_FIELD


def test_a_known_type_names_its_customer() -> None:
    """`subject` is the customer."""
    assert fault(structured(subject=None)) is Fault.NO_SUBJECT
    assert fault(structured(subject="")) is Fault.NO_SUBJECT
    assert fault(structured(subject="a\0b")) is Fault.WRONG_TYPE


def test_a_product_may_leave_its_subject_to_its_sku() -> None:
    """The topic's key is the sku."""
    data = {"sku": "A", "category": "k", "price": "1.00", "currency": "GBP"}
    found = parse(structured(type="product.described", subject=None, data=data))
    assert (found.subject, found.data) == ("A", ProductDescribed("A", "k", "1.00", "GBP"))


@pytest.mark.parametrize("data", [{"x": 1}, None, [1], "text"])
@pytest.mark.parametrize("type_", ["shop.closed", "question.requested"])
def test_an_unknown_type_is_no_fault(type_: str, data: object) -> None:
    """Its data is not looked at; types marked later count as unknown (reading 13)."""
    found = parse(structured(type=type_, data=data, subject=None))
    assert (found.type, found.data, found.subject) == (type_, None, "")


def test_null_is_absent() -> None:
    """In the envelope and in the data (reading 8)."""
    assert parse(json.dumps({**EVENT, "traceparent": None, "data": {"name": "Ada", "country": None}}).encode()) == READ
    for nothing in ({"data": None}, {}):
        erased = {name: value for name, value in EVENT.items() if name != "data"} | nothing
        found = parse(json.dumps({**erased, "type": "customer.erased"}).encode())
        assert found.data == CustomerErased()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, Fault.TOMBSTONE),
        (b"", Fault.NOT_JSON),
        (b"\xff\xfe", Fault.NOT_JSON),
        (b'{"specversion":"1.0","id":"\xff"}', Fault.NOT_JSON),
        (b'{"specversion":"1.0"', Fault.NOT_JSON),
        (b"{} {}", Fault.NOT_JSON),
        (b"[" * 100_000, Fault.NOT_AN_EVENT),
        (b'{"data":' * 100_000, Fault.NOT_JSON),
        (b"null", Fault.NOT_AN_EVENT),
        (b"[]", Fault.NOT_AN_EVENT),
        (b'"text"', Fault.NOT_AN_EVENT),
        (b"17", Fault.NOT_AN_EVENT),
        (b"{}", Fault.NOT_AN_EVENT),
        (b'{"specversion":"0.3","id":"1"}', Fault.NOT_AN_EVENT),
        (structured(specversion="1.1"), Fault.NOT_AN_EVENT),
        (structured(specversion=1.0), Fault.WRONG_TYPE),
        (structured(id=17), Fault.WRONG_TYPE),
        (structured(source="/" * 600), Fault.WRONG_TYPE),
        (structured(data=[]), Fault.WRONG_TYPE),
        (structured(data="x"), Fault.WRONG_TYPE),
        (json.dumps({**EVENT, "subject": "\ud800"}).encode(), Fault.NOT_JSON),
    ],
)
def test_rubbish_has_a_fault_of_the_closed_list(value: bytes | None, expected: Fault) -> None:
    """And nothing but EventRejected ever leaves the parser."""
    assert fault(value) is expected


@pytest.mark.parametrize(
    ("value", "changed", "expected"),
    [
        (b"{}", ("ce_specversion", b"0.3"), Fault.NOT_AN_EVENT),
        (b"{}", ("ce_subject", b"\xff"), Fault.NOT_AN_EVENT),
        (b"{}", ("ce_time", b"now"), Fault.WRONG_TYPE),
        (b"{}", ("ce_time", None), Fault.NO_TIME),
        (b"{}", ("ce_id", None), Fault.MISSING_FIELD),
        (b"{", None, Fault.NOT_JSON),
        (b"\xff", None, Fault.NOT_JSON),
        (b'{"name":1}', None, Fault.WRONG_TYPE),
        (b"[]", None, Fault.WRONG_TYPE),
    ],
)
def test_rubbish_in_binary_mode_has_one_too(
    value: bytes, changed: tuple[str, bytes | None] | None, expected: Fault
) -> None:
    """A header may even have no value at all."""
    assert fault(value, with_header(changed)) is expected


def with_header(changed: tuple[str, bytes | None] | None) -> list[tuple[str, bytes | None]]:
    """The headers of the binary event, one of them changed."""
    return [changed if changed is not None and name == changed[0] else (name, content) for name, content in HEADERS]


def test_a_header_without_a_value_is_absent() -> None:
    """Kafka allows it, so it must not end the process."""
    assert parse(b'{"name":"Ada"}', [*with_header(("content-type", None)), ("traceparent", None)]) == READ


@pytest.mark.parametrize(
    "value",
    [
        structured(data={"name": 17, "country": "SECRET"}),
        structured(data={"time_zone": "SECRET"}),
        structured(data={"birth_date": "SECRET"}),
        structured(time="SECRET"),
        structured(type="consent.granted", data={"purpose": "SECRET"}),
        structured(
            type="customer.preference_set", data={"contact_windows": [{"days": ["SECRET"], "from": "1", "to": "2"}]}
        ),
        structured(type="contact.requested", data={"request_id": "r", "candidates": [{"class": "SECRET"}]}),
        structured(data_base64="SECRET?"),
        structured(type="customer.updated", data={"birth_date": "1815-99-99"}).replace(b"1815-99-99", b"SECRET-9-9"),
    ],
)
def test_messages_name_fields_and_never_quote_values(value: bytes) -> None:
    """They stand in headers and logs, where no personal data may (guarantee 8)."""
    with pytest.raises(EventRejected) as found:
        parse(value)
    assert "SECRET" not in str(found.value)
    assert "1815" not in str(found.value)
