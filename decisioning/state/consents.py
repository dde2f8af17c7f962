"""What the customer allowed and forbade: consents (rule 3), and marks after a complaint or an unsubscribe (rule 2).

A mark stands until consent for its purpose is granted anew, for its channel or for all, later than the mark; at a tie
it stands. Where a bound is hit, what is forgotten forbids on all channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from msgspec.structs import replace

from decisioning.event import Event
from decisioning.instant import instant
from decisioning.payload import ConsentChanged, Response
from decisioning.state.model import MAX_CONSENTS, MAX_GRANTS, MAX_MARKS, Consent, Mark, State

_PURPOSES: Final = ("marketing", "survey")


def granted(state: State, event: Event, data: ConsentChanged) -> State:
    """Consent for a purpose, on the named channels or on all; it lifts older marks."""
    until = None if data.expires_at is None else instant(data.expires_at)
    if state.marks:
        on = data.channels if data.channels is not None else None
        marks = tuple(
            mark
            for mark in state.marks
            if not (mark.purpose == data.purpose and mark.at < event.time and (on is None or mark.channel in on))
        )
        state = replace(state, marks=marks)
    return _consents(state, data, granted=True, at=event.time, until=until)


def withdrawn(state: State, event: Event, data: ConsentChanged) -> State:
    """Consent taken back, on the named channels or on all; an `expires_at` is ignored (exact reading 13)."""
    return _consents(state, data, granted=False, at=event.time, until=None)


def complained(state: State, event: Event, data: Response) -> State:
    """A complaint: no marketing and no survey on this channel, whatever it was about."""
    return _marked(state, event, data.channel, "complained")


def unsubscribed(state: State, event: Event, data: Response) -> State:
    """An unsubscribe: no marketing and no survey on this channel, whatever it was about."""
    return _marked(state, event, data.channel, "unsubscribed")


def bounded(consents: tuple[Consent, ...]) -> tuple[Consent, ...]:
    """Within the bound: the oldest grant goes first; a withdrawal that must go takes all channels with it."""
    while len(consents) > MAX_CONSENTS:
        grants = [one for one in consents if one.granted and one.channel]
        gone = min(grants or [one for one in consents if one.channel], key=lambda one: one.at)
        consents = tuple(one for one in consents if one is not gone)
        if not gone.granted:
            rest = tuple(one for one in consents if (one.purpose, one.channel) != (gone.purpose, ""))
            consents = (*rest, Consent(gone.purpose, "", False, gone.at))
    return consents


def bounded_marks(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Within the bound: the oldest mark of a channel becomes one for all channels (""), which only a grant for all
    lifts."""
    while len(marks) > MAX_MARKS:
        gone = min((mark for mark in marks if mark.channel), key=lambda mark: (mark.at, mark.purpose, mark.channel))
        wide = [one for one in marks if (one.purpose, one.channel, one.kind) == (gone.purpose, "", gone.kind)]
        rest = tuple(mark for mark in marks if mark is not gone and mark not in wide)
        marks = (*rest, replace(gone, channel="", at=max([gone.at, *(one.at for one in wide)])))
    return marks


def _consents(state: State, data: ConsentChanged, *, granted: bool, at: int, until: int | None) -> State:
    known = {(one.purpose, one.channel): one for one in state.consents}
    # An empty list grants nothing and withdraws everything: what we do not know is silent.
    named = data.channels if data.channels or (granted and data.channels is not None) else [""]
    for channel in named:
        new = Consent(data.purpose, channel, granted, at, until)
        old = known.get((data.purpose, channel))
        if old is None or new.at >= old.at:
            known[data.purpose, channel] = new if old is None or new.at > old.at else _stricter(new, old)
            if channel == "":
                known = {
                    key: one for key, one in known.items() if key[0] != data.purpose or key[1] == "" or one.at >= at
                }
    consents = bounded(tuple(known.values()))
    fresh = [Consent(data.purpose, channel, True, at) for channel in named] if granted else []
    return replace(state, consents=consents, grants=hidden((*state.grants, *state.consents, *fresh), consents))


def hidden(known: Iterable[Consent], shown: tuple[Consent, ...]) -> tuple[Consent, ...]:
    """The newest grant of each purpose and channel that the facts which hold do not show any more."""
    found: dict[tuple[str, str], Consent] = {}
    for one in known:
        key = (one.purpose, one.channel)
        if one.granted and one.purpose in _PURPOSES and (key not in found or found[key].at < one.at):
            found[key] = one
    past = [one for one in found.values() if not _granted(shown, one.purpose, one.channel, one.at)]
    return tuple(sorted(past, key=lambda one: one.at)[-MAX_GRANTS:])


def _granted(consents: Iterable[Consent], purpose: str, channel: str, at: int) -> bool:
    """Whether one of these grants a purpose on a channel at this time or later."""
    return any(
        one.granted and one.purpose == purpose and one.channel in ("", channel) and one.at >= at for one in consents
    )


def _stricter(one: Consent, other: Consent) -> Consent:
    """Of two facts of one time: a withdrawal before a grant, the earlier end of two grants."""
    if not (one.granted and other.granted):
        return other if one.granted else one
    ends = [end for end in (one.until, other.until) if end is not None]
    lapses = one.lapses or other.lapses or len(ends) == 1
    return replace(one, until=min(ends, default=None), lapses=lapses)


def _marked(state: State, event: Event, channel: str, kind: Literal["complained", "unsubscribed"]) -> State:
    marks = state.marks
    for purpose in _PURPOSES:
        if _granted((*state.consents, *state.grants), purpose, channel, event.time + 1):  # granted anew since
            continue
        new = Mark(purpose, channel, kind, event.time)
        old = [one for one in marks if (one.purpose, one.channel, one.kind) == (purpose, channel, kind)]
        if not old:
            marks = (*marks, new)
        elif old[0].at < new.at:
            marks = tuple(new if one is old[0] else one for one in marks)
    return replace(state, marks=bounded_marks(marks)) if marks is not state.marks else state
