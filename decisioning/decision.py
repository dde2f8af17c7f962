"""What we answer: candidates weighed, verdicts with their facts, decisions as CloudEvents.

A decision's id is made of what it answers and never of when, where or by which rulebook, so that the same answer has
the same id for ever (contract.md, section 3, exact reading 12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from hashlib import sha1
from typing import Annotated, Final
from uuid import NAMESPACE_URL

import msgspec
from msgspec import Meta, Struct

from decisioning.event import Event
from decisioning.instant import format_instant, instant
from decisioning.payload import Asked, Class, Money

SOURCE: Final = "/decisioning"
TYPE_PREFIX: Final = "decision."


_DECIMAL: Final = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?$"


class Outcome(StrEnum):
    """The six outcomes; there are no others (contract.md, section 3)."""

    ACT = "act"
    SUPPRESS = "suppress"
    DEFER = "defer"
    RECALL = "recall"
    HOLD = "hold"
    RELEASE = "release"


class Candidate(Struct, frozen=True, array_like=True, gc=False):
    """One thing that could be said, as we remember it: `index` is its place in the request, `expires_at` is
    resolved."""

    index: int
    action: str
    class_: Class
    channels: tuple[str, ...]
    expires_at: int
    sku: str | None = None
    category: str | None = None
    price: Money | None = None
    currency: str | None = None
    topic: str | None = None
    audience: str | None = None
    value: Annotated[str, Meta(pattern=_DECIMAL)] = "0"
    needs_ok: tuple[str, ...] = ()
    keeps_quiet: bool = False
    """Whether quiet hours hold for it though its class does not keep them (a rulebook's service action may ask)."""

    @property
    def worth(self) -> Decimal:
        """What arbitration compares: the value, exact (contract.md, section 3: 0 if absent)."""
        return Decimal(self.value)


def candidate(asked: Asked, index: int, time: int, lifetime: int) -> Candidate:
    """The candidate at place `index` of a request of instant `time`; without `expires_at` it lives for `lifetime`
    us."""
    return Candidate(
        index=index,
        action=asked.action,
        class_=asked.class_,
        channels=tuple(dict.fromkeys(asked.channels)),
        expires_at=instant(asked.expires_at) if asked.expires_at is not None else time + lifetime,
        sku=asked.sku,
        category=asked.category,
        price=asked.price,
        currency=asked.currency,
        topic=asked.topic,
        audience=asked.audience,
        value="0" if asked.value is None else str(asked.value),
        needs_ok=tuple(asked.needs_ok or ()),
    )


class Trigger(Struct, frozen=True, array_like=True, gc=False):
    """The event that a decision answers."""

    source: str
    id: str
    type: str

    def as_json(self) -> dict[str, str]:
        """As it stands in a decision."""
        return {"source": self.source, "id": self.id, "type": self.type}


def trigger_of(event: Event) -> Trigger:
    """The trigger of what an event brings about."""
    return Trigger(event.source, event.id, event.type)


def wake_of(cause: Trigger, due: int) -> Trigger:
    """The trigger of the answer that was promised for the instant `due`."""
    return Trigger(SOURCE, f"{cause.source}#{cause.id}@{format_instant(due)}", "wake")


class Verdict(Struct, frozen=True, gc=False):
    """What the suppressors say of one candidate on one channel: the reason that decided, and the facts behind it."""

    candidate: Candidate
    channel: str
    verdict: Outcome  # ACT (allowed), SUPPRESS or DEFER
    reason: str
    because: Mapping[str, object] | None = None
    not_before: int | None = None
    allowed_from: int | None = None

    @property
    def allowed(self) -> bool:
        """Whether nothing speaks against it."""
        return self.verdict is Outcome.ACT

    def as_json(self) -> dict[str, object]:
        """As it stands in `considered`."""
        return _plain(_weighed(self))


class Decision(Struct, frozen=True, gc=False):
    """One answer, complete: all that its CloudEvent says. Instants are microseconds until `dumps` writes them."""

    outcome: Outcome
    subject: str
    time: int
    trigger: Trigger
    ref: str
    reason: str
    rulebook: Mapping[str, str]
    action: str | None = None
    class_: str | None = None
    channel: str | None = None
    request_id: str | None = None
    cause: Trigger | None = None
    valid_until: int | None = None
    not_before: int | None = None
    allowed_from: int | None = None
    recalls: str | None = None
    replaces: str | None = None
    releases: str | None = None
    scope: Mapping[str, object] | None = None
    until: int | None = None
    treatment: str | None = None
    context: Mapping[str, object] | None = None
    considered: Sequence[Verdict] = ()
    traceparent: str | None = None

    @property
    def id(self) -> str:
        """One id, one payload, for ever."""
        return decision_id(self.trigger, self.subject, self.outcome, self.action, self.ref)


_encode: Final = msgspec.json.Encoder().encode


@lru_cache(maxsize=64)  # an act's is asked for twice: when it is remembered, and when it is said
def decision_id(trigger: Trigger, subject: str, outcome: Outcome, action: str | None, ref: str) -> str:
    """UUIDv5 in the URL namespace of the compact JSON array of the six parts (exact reading 12)."""
    parts = _encode([trigger.source, trigger.id, subject, outcome, action or "", ref])
    text = sha1(_NAMESPACE + parts, usedforsecurity=False).hexdigest()
    # As RFC 9562 section 5.5 has it; `uuid.uuid5` and its text cost eight times as much.
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


_NAMESPACE: Final = NAMESPACE_URL.bytes
_VARIANT: Final = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


def dumps(decision: Decision) -> bytes:
    """The decision as a structured CloudEvent: UTF-8 JSON, always the same bytes for the same decision."""
    return _encode(
        _CloudEvent(
            "1.0",
            decision.id,
            SOURCE,
            TYPE_PREFIX + decision.outcome,
            format_instant(decision.time),
            decision.subject,
            decision.traceparent,
            _payload(decision),
        )
    )


def dumps_binary(decision: Decision) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
    """The decision as a binary CloudEvent of the Kafka binding: the data, and the attributes as `ce_` headers."""
    found = attributes(decision)
    headers = [("content-type", b"application/json")]
    headers += [(f"ce_{name}", content.encode()) for name, content in found.items()]
    if "traceparent" in found:
        headers.append(("traceparent", found["traceparent"].encode()))
    return _encode(_payload(decision)), tuple(headers)


def attributes(decision: Decision) -> dict[str, str]:
    """The CloudEvents attributes of a decision; in binary mode they become `ce_` headers."""
    found = {
        "specversion": "1.0",
        "id": decision.id,
        "source": SOURCE,
        "type": TYPE_PREFIX + decision.outcome,
        "time": format_instant(decision.time),
        "subject": decision.subject,
    }
    if decision.traceparent is not None:
        found["traceparent"] = decision.traceparent
    return found


def data(decision: Decision) -> dict[str, object]:
    """The payload of a decision's CloudEvent, fields in the order of the contract, absent ones left out."""
    return _plain(_payload(decision))


class _Weighed(Struct, frozen=True, gc=False, omit_defaults=True):
    """A verdict as it is written."""

    action: str
    channel: str
    verdict: str
    reason: str
    because: Mapping[str, object] | None = None
    not_before: str | None = None
    allowed_from: str | None = None


class _Payload(Struct, frozen=True, gc=False, omit_defaults=True, rename={"class_": "class"}):
    """A decision as it is written."""

    outcome: str
    action: str | None = None
    class_: str | None = None
    channel: str | None = None
    reason: str | None = None
    request_id: str | None = None
    trigger: Mapping[str, str] | None = None
    cause: Mapping[str, str] | None = None
    valid_until: str | None = None
    not_before: str | None = None
    allowed_from: str | None = None
    recalls: str | None = None
    replaces: str | None = None
    releases: str | None = None
    scope: Mapping[str, object] | None = None
    until: str | None = None
    treatment: str | None = None
    context: Mapping[str, object] | None = None
    considered: list[_Weighed] | None = None
    rulebook: Mapping[str, str] | None = None


class _CloudEvent(Struct, frozen=True, gc=False, omit_defaults=True):
    """A structured CloudEvent as it is written."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str
    traceparent: str | None = None
    data: _Payload | None = None


def _payload(decision: Decision) -> _Payload:
    return _Payload(
        outcome=decision.outcome,
        action=decision.action,
        class_=decision.class_,
        channel=decision.channel,
        reason=decision.reason,
        request_id=decision.request_id,
        trigger=decision.trigger.as_json(),
        cause=decision.cause.as_json() if decision.cause is not None else None,
        valid_until=_time(decision.valid_until),
        not_before=_time(decision.not_before),
        allowed_from=_time(decision.allowed_from),
        recalls=decision.recalls,
        replaces=decision.replaces,
        releases=decision.releases,
        scope=decision.scope,
        until=_time(decision.until),
        treatment=decision.treatment,
        context=decision.context or None,
        considered=[_weighed(verdict) for verdict in decision.considered] or None,
        rulebook=decision.rulebook,
    )


def _weighed(verdict: Verdict) -> _Weighed:
    return _Weighed(
        verdict.candidate.action,
        verdict.channel,
        "allow" if verdict.verdict is Outcome.ACT else verdict.verdict,
        verdict.reason,
        verdict.because or None,
        None if verdict.not_before is None else format_instant(verdict.not_before),
        None if verdict.allowed_from is None else format_instant(verdict.allowed_from),
    )


def _plain(written: _Weighed | _Payload) -> dict[str, object]:
    found: dict[str, object] = msgspec.to_builtins(written)
    return found


def _time(at: int | None) -> str | None:
    return None if at is None else format_instant(at)
