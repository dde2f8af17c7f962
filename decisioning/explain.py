"""A decision in words: why, on which facts, when it would be allowed and what would have to change (P69, guarantee 7).

Each decision is told three times, as `reasons.describe` has it: to the author of the rulebook, to an agent who speaks
with the customer, and to the customer. Then comes all that was weighed, with the facts as the engine saw them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from decisioning.decision import Decision, Outcome, Verdict
from decisioning.instant import format_instant
from decisioning.judge import OUTRANKED
from decisioning.reasons import describe

_RETURNED: Final = "the units come back, or the order is cancelled"
_ONLY_TIME: Final = "nothing but time changes this"
_UNDONE: Final = "a channel reports that one of these did not go out"

CHANGES: Final[dict[str, str]] = {
    "dnc.erased": "the customer buys again or grants consent anew",
    "dnc": "the customer grants consent for this purpose anew, on this channel or on all",
    "empathy.deceased": "nothing changes this",
    "empathy": "the life event is told with an end (`until`) that has passed",
    "degraded": "the stored state is repaired by those who run the service",
    "consent": "the customer grants consent for this purpose and channel",
    "hold.open_issue": "the case is resolved; a time of rest follows (`hold.after_resolved`)",
    "hold.recently_resolved": _ONLY_TIME,
    "hold.basics_unresolved": "the order is delivered, cancelled or paid after all",
    "recent_purchase.price_drop": f"{_RETURNED}, or the offer costs no less than was paid",
    "recent_purchase.cooldown": _ONLY_TIME,
    "recent_purchase": _RETURNED,
    "campaign_exclusion": "the candidate is not for prospects only (`audience`)",
    "repetition": _ONLY_TIME,
    "ineligible.topic_off": "the customer switches this topic on again",
    "ineligible": "the facts that this condition reads change",
    "need_conflict": "the candidate meets the need and says so (`needs_ok`), or the customer drops it",
    "survey": "the rulebook gets a plan for this survey",
    "quiet_hours": "it is asked again by itself when the quiet time is over",
    "contact_window": "it is asked again by itself when the customer's window opens",
    "timezone": "the customer's time zone or country becomes known",
    "concurrent_channel": _UNDONE,
    "frequency_cap.own_limit": f"the customer raises the limit, or {_UNDONE}",
    "frequency_cap": _UNDONE,
    "holdout": "nothing but the rulebook changes this: the customer is in the control group",
    "expired": "it is asked anew, in time and before it expires",
    "outranked": "it is worth more than what was said, its channel is liked more, or it is asked for another time",
    "stopped": "the stop is taken back",
    "rule_error": "the attribute that the condition reads is told, or gets a default in the rulebook",
    "duplicate": "it is asked anew under another `request_id`",
    "withdrawn": "it is asked anew under another `request_id`",
}
"""What would have to happen for a refusal to end sooner: by reason, else by its family."""

_NOT_ASKED_AGAIN: Final = {
    "quiet_hours": "it is asked anew when the quiet time is over, or it may wait so long: `expires_at`, `then: defer`",
    "contact_window": "it is asked anew in the customer's window, or it may wait so long: `expires_at`, `then: defer`",
}
"""The same where a family that usually waits refused: nobody asks again by itself then."""

_AS_TOLD: Final = "the rulebook or the facts that this reason reads change"
_BEHIND_IT: Final = "time ends this, but behind it stands another rule that time does not end"


def change(reason: str, *, waits: bool = True, ends: bool = True) -> str:
    """What would have to happen for this reason to fall away before its time; `waits`: it is asked again by itself;
    `ends`: there is an instant from which on all would be allowed."""
    if not ends and CHANGES.get(reason, CHANGES.get(reason.split(".")[0])) == _ONLY_TIME:
        return _BEHIND_IT
    refused = None if waits else _NOT_ASKED_AGAIN.get(reason.split(".")[0])
    return refused or CHANGES.get(reason) or CHANGES.get(reason.split(".")[0]) or _AS_TOLD


def explain(decisions: Sequence[Decision], subject: str, last: int) -> Iterator[str]:
    """The last decisions about a customer in words, oldest first, a line at a time; one line where there are none."""
    told = [decision for decision in decisions if decision.subject == subject]
    if not told:
        yield f"Nothing was decided about {subject}."
        return
    shown = told[-last:]
    book = shown[-1].rulebook
    number = f"the last {len(shown)} of {len(told)} decisions"
    yield f"Customer {subject}: {number}, rulebook {book['name']} {book['version']}."
    for decision in shown:
        yield ""
        yield from _decision(decision)


def _decision(decision: Decision) -> Iterator[str]:
    reason = describe(decision.reason)
    yield f"{_time(decision.time)}  {_headline(decision)}: {decision.reason}"
    why = "over" if decision.outcome is Outcome.RELEASE else "why"
    for voice, sentence in (("author", reason.author), ("agent", reason.agent), ("customer", reason.customer)):
        yield f"  {f'{why} ({voice}):':<17}{sentence}"
    yield from (f"  {label} {text}" for label, text in _details(decision))
    if decision.considered:
        yield "  weighed:"
        for verdict in decision.considered:
            yield from _verdict(verdict)


def _headline(decision: Decision) -> str:
    words = {
        Outcome.ACT: "say",
        Outcome.SUPPRESS: "do not say",
        Outcome.DEFER: "not now",
        Outcome.RECALL: "take back",
        Outcome.HOLD: "hold",
        Outcome.RELEASE: "release",
    }
    said = [words[decision.outcome]]
    if decision.action is not None:
        said.append(f"{decision.action} ({decision.class_}) by {decision.channel}")
    return " ".join(said)


def _details(decision: Decision) -> Iterator[tuple[str, str]]:
    asked = f"{decision.trigger.type} {decision.trigger.id} of {decision.trigger.source}"
    yield "because of:     ", asked if decision.request_id is None else f"{asked}, request {decision.request_id}"
    if decision.cause is not None:
        yield "began with:     ", f"{decision.cause.type} {decision.cause.id} of {decision.cause.source}"
    if decision.scope is not None:
        yield "nothing of:     ", _facts(decision.scope) or "any kind, whoever asks"
    for label, at in (
        ("must go out by: ", decision.valid_until),
        ("asked again at: ", decision.not_before),
        ("allowed from:   ", decision.allowed_from),
        ("until:          ", decision.until),
    ):
        if at is not None:
            yield label, _time(at)
    for label, text in (
        ("in place of:    ", decision.replaces),
        ("takes back:     ", decision.recalls),
        ("ends the hold:  ", decision.releases),
        ("worded as:      ", decision.treatment),
    ):
        if text is not None:
            yield label, text
    if decision.context:
        yield "to be known:    ", _facts(decision.context)


def _verdict(verdict: Verdict) -> Iterator[str]:
    word = {Outcome.ACT: "yes", Outcome.DEFER: "wait"}.get(verdict.verdict, "no")
    word = "yes, but" if verdict.reason == OUTRANKED else f"{word},"
    yield f"    {verdict.candidate.action} by {verdict.channel}: {word} {verdict.reason}"
    if verdict.because:
        yield f"      facts:          {_facts(verdict.because)}"
    if verdict.allowed and verdict.reason != OUTRANKED:
        return
    if verdict.not_before is not None:
        yield f"      asked again at: {_time(verdict.not_before)}"
    if verdict.allowed_from is not None:
        yield f"      allowed from:   {_time(verdict.allowed_from)}, if nothing else happens"
    else:
        yield "      allowed from:   not by the passing of time"
    ends = verdict.allowed_from is not None
    yield f"      or else:        {change(verdict.reason, waits=verdict.verdict is Outcome.DEFER, ends=ends)}"


def _facts(facts: Mapping[str, object]) -> str:
    return "; ".join(f"{name.replace('_', ' ')}: {_value(value)}" for name, value in facts.items())


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return f"({_facts(value)})"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_value(item) for item in value) or "none"
    return str(value)


def _time(at: int) -> str:
    return format_instant(at).replace("T", " ").replace("Z", " UTC")
