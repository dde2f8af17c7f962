"""A second pair of eyes: was anyone spoken to who must not be? Asked of what went out, and of what we knew then.

The engine asks its suppressors before it speaks. This asks afterwards, of the decision's own bytes and the customer's
memory at that moment, and shares no check with them: of the rulebook it reads only the numbers. So a suppressor that
is broken, skipped or left out of the order is found by the first contact that it should have prevented. What this finds
is a defect of ours, never of a rulebook: a rule that an author has changed is judged by the author's number.

It is about states in which nobody is contacted (contract.md, section 4: rules 1 to 6, 11 and 21, the stop switch, and a
state that could not be read), not about what is on offer, nor about the time of day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from decisioning.instant import parse_instant
from decisioning.policy import Policy
from decisioning.state import State

_LONG: Final = 1 << 62
_SPOKEN: Final = ("marketing", "survey")


class Contact(NamedTuple):
    """An act as it went out, read from its bytes."""

    id: str
    subject: str
    time: int
    class_: str
    channel: str
    action: str
    traceparent: str | None = None


class _Data(Struct, rename={"class_": "class"}):
    outcome: str
    class_: str = ""
    channel: str = ""
    action: str = ""


class _Structured(Struct):
    id: str
    subject: str
    time: str
    data: _Data
    traceparent: str | None = None


_structured: Final = msgspec.json.Decoder(_Structured)
_binary: Final = msgspec.json.Decoder(_Data)


def contact(value: bytes, headers: tuple[tuple[str, bytes], ...]) -> Contact | None:
    """The contact that a published decision is; None: it speaks to nobody. msgspec.MsgspecError where it is none of
    our decisions."""
    if any(name == "ce_id" for name, _ in headers):
        found = {name: text.decode() for name, text in headers}
        whole = _Structured(
            found["ce_id"], found["ce_subject"], found["ce_time"], _binary.decode(value), found.get("traceparent")
        )
    else:
        whole = _structured.decode(value)
    if whole.data.outcome != "act":
        return None
    data = whole.data
    return Contact(
        whole.id, whole.subject, parse_instant(whole.time), data.class_, data.channel, data.action, whole.traceparent
    )


class Numbers(NamedTuple):
    """What the rulebook says of the rules below, all in microseconds."""

    consent: int
    life: dict[str, int]
    after_resolved: int
    cooldown: int
    caps: tuple[tuple[int, int, frozenset[str] | None], ...]
    """Limit, period, channels (None: over all)."""
    own_limit: int
    stopped: tuple[bool, frozenset[str], frozenset[str], frozenset[str]]
    """All marketing, channels, actions, campaigns."""


def numbers(policy: Policy) -> Numbers:
    """The numbers of a policy, and what is stopped by its rulebook or by hand, read once for all its decisions."""
    respect: Any = policy.rulebook.respect
    by_book, by_hand = respect.stopped, policy.stopped.switch
    return Numbers(
        respect.consent.lasts,
        {"bereavement": respect.empathy.bereavement, "vulnerable": respect.empathy.vulnerable},
        respect.hold.after_resolved,
        respect.recent_purchase.cooldown,
        tuple(
            (cap.limit, cap.per, None if cap.channels is None else frozenset(cap.channels))
            for cap in respect.frequency_cap.caps
        ),
        respect.frequency_cap.own_limit.per,
        (
            by_book.marketing or by_hand.marketing,
            frozenset((*by_book.channels, *by_hand.channels)),
            frozenset((*by_book.actions, *by_hand.actions)),
            frozenset((*by_book.campaigns, *by_hand.campaigns)),
        ),
    )


def broken(said: Contact, key: bytes | None, state: State, by: Numbers) -> tuple[str, ...]:
    """The rules that this contact breaks, by name, in the order of `RULES`; `state` is the customer's once it was
    decided, `key` that of the record."""
    found = [name for name, breaks in _ALWAYS.items() if breaks(said, state, by)]
    if key != said.subject.encode() or state.subject != said.subject:
        found.append("stranger")
    if said.class_ in _SPOKEN:
        found += [name for name, breaks in _SILENT.items() if breaks(said, state, by)]
    return tuple(found)


def _stopped(said: Contact, state: State, by: Numbers) -> bool:
    marketing, channels, actions, campaigns = by.stopped
    if (marketing and said.class_ == "marketing") or said.channel in channels or said.action in actions:
        return True
    return bool(campaigns) and any(act.id == said.id and act.campaign in campaigns for act in state.acts)


def _no_consent(said: Contact, state: State, by: Numbers) -> bool:
    """The newest word on this purpose that covers the channel must be a grant that still lasts; at a tie, all of them
    must be."""
    newest, good = -_LONG, False
    for one in state.consents:
        if one.purpose != said.class_ or one.channel not in ("", said.channel) or one.at < newest:
            continue
        ends = [one.at + by.consent] if one.until is None or one.lapses else []
        ends += [] if one.until is None else [one.until]
        stands = one.granted and all(said.time < end for end in ends)
        good = stands and (good or one.at > newest)
        newest = one.at
    return not good


def _asked_to_stop(said: Contact, state: State, by: Numbers) -> bool:
    return any(mark.purpose == said.class_ and mark.channel in ("", said.channel) for mark in state.marks)


def _in_distress(said: Contact, state: State, by: Numbers) -> bool:
    for one in state.life:
        ends = [one.at + by.life[one.kind]] if one.until is None or one.lasts else []
        ends += [] if one.until is None else [one.until]
        if any(said.time < end for end in ends):
            return True
    return False


def _open_case(said: Contact, state: State, by: Numbers) -> bool:
    return "cases" in state.lost or any(
        case.opened_at is not None and (case.resolved_at is None or case.resolved_at <= case.opened_at)
        for case in state.cases
    )


def _just_resolved(said: Contact, state: State, by: Numbers) -> bool:
    return any(
        case.resolved_at is not None and said.time < case.resolved_at + by.after_resolved for case in state.cases
    )


def _unpaid_or_late(said: Contact, state: State, by: Numbers) -> bool:
    if "orders" in state.lost:
        return True
    for order in state.orders:
        failed, over = order.payment_failed_at, (order.delivered_at, order.cancelled_at)
        if failed is not None and not any(at is not None and at > failed for at in (*over, order.bought_at)):
            return True
        promised = order.told[-1].promised_at if order.told else said.time
        if over == (None, None) and (order.postponed or said.time > promised):
            return True
    return False


def _just_bought(said: Contact, state: State, by: Numbers) -> bool:
    return state.bought_at is not None and said.time < state.bought_at + by.cooldown


def _too_often(said: Contact, state: State, by: Numbers) -> bool:
    if said.class_ != "marketing":
        return False
    made = [act for act in state.acts if act.candidate.class_ == "marketing" and _taken(act)]
    own = state.profile.max_marketing_per_week
    caps = by.caps if own is None else (*by.caps, (own.value, by.own_limit, None))
    for limit, per, channels in caps:
        if channels is not None and said.channel not in channels:
            continue
        counted = [act for act in made if act.made > said.time - per and (not channels or act.channel == said.channel)]
        if len(counted) > limit:  # this contact is among them
            return True
    return False


def _taken(act: Any) -> bool:
    return act.undone_at is None or (act.arrived_at is not None and act.arrived_at >= act.undone_at)


_Breaks = Callable[[Contact, State, Numbers], bool]
_ALWAYS: Final[dict[str, _Breaks]] = {
    "erased": lambda said, state, by: state.erased,
    "deceased": lambda said, state, by: state.deceased,
    "moved": lambda said, state, by: state.moved_to is not None,
    "stopped": _stopped,
}
"""Whatever the class of the contact."""
_SILENT: Final[dict[str, _Breaks]] = {
    "degraded": lambda said, state, by: state.degraded,
    "consent": _no_consent,
    "do_not_contact": _asked_to_stop,
    "distress": _in_distress,
    "open_case": _open_case,
    "just_resolved": _just_resolved,
    "basics": _unpaid_or_late,
    "just_bought": _just_bought,
    "too_often": _too_often,
}
"""Of marketing and surveys."""


def _rules() -> Iterator[str]:
    yield from _ALWAYS
    yield "stranger"
    yield from _SILENT


RULES: Final = tuple(_rules())
"""The names of all rules: what a count of broken ones is labelled with."""
