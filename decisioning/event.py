"""What happened: CloudEvents 1.0 in, one typed `Event` out.

`parse` reads both ways of the Kafka binding: *structured* (the whole event is the JSON value) and *binary* (attributes
in `ce_*` headers, the value is the data). What cannot be read raises `EventRejected` with a fault of the closed list;
an unknown type is no fault: its `data` is None and the engine skips it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from decisioning.errors import EventRejected, Fault
from decisioning.instant import instant, parse_instant
from decisioning.payload import (
    TYPES,
    ContactWithdrawn,
    CustomerPreferenceSet,
    CustomerUpdated,
    Data,
    ProductDescribed,
)
from decisioning.zones import UnknownZone, zone

Headers = Sequence[tuple[str, bytes | None]]


class Event(Struct, frozen=True, gc=False):
    """One thing that happened: `time` is an instant, `subject` the customer; `data` is None for an unknown type."""

    source: str
    id: str
    type: str
    time: int
    subject: str
    data: Data | None
    traceparent: str | None = None


class _Envelope(Struct, frozen=True, gc=False):
    """The attributes of a structured event; all optional here, so that `parse` can name what is missing."""

    specversion: str | None = None
    id: Annotated[str, Meta(max_length=512)] | None = None
    source: Annotated[str, Meta(max_length=512)] | None = None
    type: Annotated[str, Meta(max_length=200)] | None = None
    time: Annotated[datetime, Meta(tz=True)] | None = None
    subject: Annotated[str, Meta(max_length=512)] | None = None
    traceparent: Annotated[str, Meta(max_length=200)] | None = None
    data_base64: str | None = None
    data: Raw = Raw(b"")


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_DATA: Final = {type_: msgspec.json.Decoder(model) for type_, (_, model) in TYPES.items()}
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_EARLIEST: Final = parse_instant("1970-01-01T00:00:00Z")
_LATEST: Final = parse_instant("9000-01-01T00:00:00Z")  # leaves room for every window and consent that starts there
_STRUCTURED: Final = b"application/cloudevents+json"


def parse(value: bytes | None, headers: Headers = ()) -> Event:
    """The event in a record's value and headers; EventRejected with the fault when it cannot be read.

    Messages name fields and never quote values, so that they may stand in headers and logs (guarantee 8).
    """
    if value is None:
        raise EventRejected(Fault.TOMBSTONE, "the record has no value: publish an event, not a tombstone")
    if headers:
        attributes = {
            name: content
            for name, content in headers
            if (name.startswith("ce_") or name in _PLAIN) and content is not None  # a header may have no value
        }
        if "ce_specversion" in attributes and not attributes.get("content-type", b"").startswith(_STRUCTURED):
            return _binary(value, attributes)
    return _structured(value)


_PLAIN: Final = frozenset({"content-type", "traceparent"})


def _structured(value: bytes) -> Event:
    try:
        if not value.isascii():
            value.decode()
        envelope = _ENVELOPE.decode(value)
    except msgspec.ValidationError as error:
        fault = Fault.WRONG_TYPE if value.lstrip()[:1] == b"{" else Fault.NOT_AN_EVENT
        raise EventRejected(fault, _plain(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventRejected(Fault.NOT_JSON, f"not JSON in UTF-8: {_plain(error)}") from None
    if envelope.specversion != "1.0":
        raise EventRejected(Fault.NOT_AN_EVENT, '`specversion` must be "1.0": publish a CloudEvent')
    data: bytes | Raw = envelope.data
    if envelope.data_base64 is not None:
        try:
            data = base64.b64decode(envelope.data_base64, validate=True)
        except (binascii.Error, ValueError):
            raise EventRejected(Fault.WRONG_TYPE, "`data_base64` is not base64") from None
    return _event(envelope, data)


def _binary(value: bytes, attributes: dict[str, bytes]) -> Event:
    try:
        text = {name.removeprefix("ce_"): content.decode() for name, content in attributes.items()}
    except UnicodeDecodeError:
        raise EventRejected(Fault.NOT_AN_EVENT, "a `ce_` header is not UTF-8") from None
    if text["specversion"] != "1.0":
        raise EventRejected(Fault.NOT_AN_EVENT, '`ce_specversion` must be "1.0": publish a CloudEvent')
    try:
        envelope = msgspec.convert(
            {name: content for name, content in text.items() if name not in ("data", "data_base64")}, _Envelope
        )
        if not value.isascii():
            value.decode()
    except msgspec.ValidationError as error:
        raise EventRejected(Fault.WRONG_TYPE, f"in the `ce_` headers: {_plain(error)}") from None
    except UnicodeDecodeError:
        raise EventRejected(Fault.NOT_JSON, "the data is not UTF-8") from None
    return _event(envelope, value)


def _event(envelope: _Envelope, data: bytes | Raw) -> Event:
    if not envelope.id or not envelope.source or not envelope.type:
        missing = next(name for name in ("id", "source", "type") if not getattr(envelope, name))
        raise EventRejected(Fault.MISSING_FIELD, f"`{missing}` is missing: every CloudEvent has one")
    if envelope.time is None:
        raise EventRejected(Fault.NO_TIME, "`time` is missing: say when it happened, RFC 3339 with an offset")
    time = instant(envelope.time)
    if not _EARLIEST <= time < _LATEST:
        raise EventRejected(Fault.WRONG_TYPE, "`time` must lie between the years 1970 and 9000")
    known = _DATA.get(envelope.type)
    if known is None:
        return Event(
            envelope.source, envelope.id, envelope.type, time, envelope.subject or "", None, envelope.traceparent
        )
    content = _data(known, envelope.type, data)
    subject = envelope.subject or (content.sku if isinstance(content, ProductDescribed) else "")
    if not subject:
        raise EventRejected(Fault.NO_SUBJECT, "`subject` is missing: it names the customer")
    if "\0" in subject:
        raise EventRejected(Fault.WRONG_TYPE, "`subject` must not contain NUL")
    return Event(envelope.source, envelope.id, envelope.type, time, subject, content, envelope.traceparent)


def _data(decoder: msgspec.json.Decoder[Data], type_: str, data: bytes | Raw) -> Data:
    try:
        absent = not data or (len(data) == 4 and bytes(data) == b"null")
        content = decoder.decode(b"{}" if absent else data)
    except msgspec.ValidationError as error:
        message = _plain(error)
        fault = Fault.MISSING_FIELD if "missing required field" in message else Fault.WRONG_TYPE
        raise EventRejected(fault, f"{type_}: {message}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventRejected(Fault.NOT_JSON, f"{type_}: the data is not JSON: {_plain(error)}") from None
    if isinstance(content, ContactWithdrawn) and content.request_id is None and content.campaign is None:
        raise EventRejected(
            Fault.MISSING_FIELD, f"{type_}: name a `request_id` or a `campaign`, or nothing is withdrawn"
        )
    try:
        _check(content)
    except (ValueError, OverflowError) as error:
        raise EventRejected(Fault.WRONG_TYPE, f"{type_}: {_plain(error)}") from None
    return content


def _check(content: Data) -> None:
    """What a type cannot say: that a zone exists, that a day of birth is a date, that windows are times of day."""
    if isinstance(content, CustomerUpdated):
        if content.time_zone is not None:
            try:
                zone(content.time_zone)
            except UnknownZone:
                raise ValueError("`time_zone` is not a name of the IANA time zone database") from None
        if content.birth_date is not None:
            date.fromisoformat(content.birth_date)
    elif isinstance(content, CustomerPreferenceSet):
        for window in content.contact_windows or ():
            window.window()


def _plain(error: Exception) -> str:
    """The library's message without any value of the event in it."""
    return _QUOTED.sub("…", str(error)).replace("`", "`")
