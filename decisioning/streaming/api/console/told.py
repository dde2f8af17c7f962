"""Decisions as the *Why?* page tells them: CloudEvents off the topic in, plain words and moments out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from decisioning.explain import change
from decisioning.instant import parse_instant
from decisioning.reasons import describe
from decisioning.streaming.api.console.words import OUTCOMES, Moment, facts, moment, moment_of, scoped

Event = Mapping[str, Any]
"""A decision as a structured CloudEvent."""
_OUTRANKED: Final = "outranked.value"
_WORDS: Final = {"allow": "yes", "defer": "wait", "suppress": "no"}
_MOMENTS: Final = (
    ("valid_until", "must go out by"),
    ("not_before", "asked again"),
    ("allowed_from", "would be allowed from"),
    ("until", "until"),
)
_TEXTS: Final = (
    ("request_id", "request"),
    ("replaces", "in place of"),
    ("treatment", "worded as"),
    ("recalls", "takes back"),
    ("releases", "ends the hold"),
)


class Weighed(NamedTuple):
    """One candidate on one channel: `verdict` is allow, defer, suppress or outranked, `word` the same in a word."""

    action: str
    channel: str
    verdict: str
    word: str
    reason: str
    sentence: str
    facts: list[tuple[str, str]]
    not_before: Moment | None
    allowed_from: Moment | None
    or_else: str | None
    """What would have to happen for it to be allowed sooner; None where it is allowed."""


class Told(NamedTuple):
    """One decision; `because_of` is the event that it answers, `details` are label and text or moment."""

    id: str
    at: Moment
    outcome: str
    word: str
    title: str
    class_: str | None
    channel: str | None
    reason: str
    author: str
    agent: str
    customer: str
    allowed_from: Moment | None
    because_of: str
    details: list[tuple[str, Moment | str]]
    weighed: list[Weighed]
    rulebook: str
    published: str
    """The CloudEvent as it stands on the topic, indented."""


def told(events: Sequence[Event], now: int) -> list[Told]:
    """Decisions in the order given, as they read at `now`."""
    return [_told(event, now) for event in events]


def _told(event: Event, now: int) -> Told:
    data = event["data"]
    reason, trigger = describe(data["reason"]), data.get("trigger") or {}
    book = data.get("rulebook") or {}
    return Told(
        id=event["id"],
        at=moment(parse_instant(event["time"]), now),
        outcome=data["outcome"],
        word=OUTCOMES.get(data["outcome"], data["outcome"]),
        title=_title(data),
        class_=data.get("class"),
        channel=data.get("channel"),
        reason=data["reason"],
        author=f"Over: {reason.author}" if data["outcome"] == "release" else reason.author,
        agent=reason.agent,
        customer=reason.customer,
        allowed_from=moment_of(data.get("allowed_from"), now),
        because_of=f"{trigger.get('type', '?')} {trigger.get('id', '')} of {trigger.get('source', '?')}",
        details=list(_details(data, now)),
        weighed=[_weighed(one, now) for one in data.get("considered", ())],
        rulebook=f"{book.get('name', '?')} {book.get('version', '')}".strip(),
        published=orjson.dumps(event, option=orjson.OPT_INDENT_2).decode(),
    )


def _title(data: Mapping[str, Any]) -> str:
    """What it is about: the action, for a hold its scope."""
    if data.get("action") is not None:
        return str(data["action"])
    if data.get("scope") is not None:
        return f"nothing of {scoped(data['scope'])}" if data["scope"] else "nothing at all"
    return "a hold is over"


def _details(data: Mapping[str, Any], now: int) -> Iterator[tuple[str, Moment | str]]:
    for name, label in _MOMENTS:
        found = moment_of(data.get(name), now)
        if found is not None:
            yield label, found
    for name, label in _TEXTS:
        if data.get(name) is not None:
            yield label, str(data[name])
    if (cause := data.get("cause")) is not None:
        yield "began with", f"{cause['type']} {cause['id']} of {cause['source']}"
    if data.get("context"):
        yield "to be known", "; ".join(f"{label}: {text}" for label, text in facts(data["context"]))


def _weighed(one: Mapping[str, Any], now: int) -> Weighed:
    reason, verdict = one["reason"], one["verdict"]
    if reason == _OUTRANKED:
        verdict = "outranked"
    return Weighed(
        action=one["action"],
        channel=one["channel"],
        verdict=verdict,
        word=_WORDS.get(verdict, "yes, but"),
        reason=reason,
        sentence=describe(reason).author,
        facts=facts(one.get("because")),
        not_before=moment_of(one.get("not_before"), now),
        allowed_from=moment_of(one.get("allowed_from"), now),
        or_else=None if verdict == "allow" else change(reason, waits=verdict == "defer", ends="allowed_from" in one),
    )
