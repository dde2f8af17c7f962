"""One thing that happens in the demo's shop: a CloudEvent on its way to its topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from decisioning.instant import format_instant
from decisioning.payload import TYPES

SHOP: Final = "/shop"
CRM: Final = "/crm"
CARRIER: Final = "/carrier"
CARE: Final = "/care"
CHANNELS: Final = "/channels"


class Fact(NamedTuple):
    """One record to publish.

    `at` is the instant at which it reaches Kafka (its event time, later where it is sent again), `answers` how many
    decisions it is owed, `label` what a story calls it; `value` is a structured CloudEvent, or on purpose not one.
    """

    at: int
    topic: str
    key: bytes
    value: bytes
    source: str
    id: str
    type: str
    data: Mapping[str, Any]
    answers: int = 0
    label: str = ""

    @property
    def subject(self) -> str:
        """The customer (or the sku) that it is about."""
        return self.key.decode()


def fact(
    type_: str,
    id_: str,
    subject: str,
    at: int,
    data: Mapping[str, Any],
    *,
    source: str,
    label: str = "",
    real: bool = False,
) -> Fact:
    """A well-formed event at an instant; all but `real` ones carry the extension attribute `synthetic: true`.

    A `contact.requested` is owed one answer for its marketing candidates together and one for each service or care one.
    """
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": id_,
        "source": source,
        "type": type_,
        "time": format_instant(at),
        "subject": subject,
    }
    if not real:
        envelope["synthetic"] = True
    value = orjson.dumps({**envelope, "data": data})
    return Fact(at, TYPES[type_][0], subject.encode(), value, source, id_, type_, data, _owed(type_, data), label)


def _owed(type_: str, data: Mapping[str, Any]) -> int:
    if type_ != "contact.requested":
        return 0
    competing = [one["class"] in ("marketing", "survey") for one in data["candidates"]]
    return competing.count(False) + (True in competing)
