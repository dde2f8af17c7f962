"""Repeats: what we have seen and answered, so that nothing is said twice (contract.md, section 3, "Duplicates").

Memories are per customer and bounded. What falls out of a full memory is covered by a floor: a request not newer than
the newest forgotten event is taken as re-sent, which is the silent side.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from decisioning.event import Event
from decisioning.instant import DAY
from decisioning.payload import ContactRequested
from decisioning.state.model import MAX_REQUESTS, MAX_SEEN, Request, State

SEEN_FOR: Final = 7 * DAY
ANSWERED_FOR: Final = 30 * DAY
_MAX_MARKS: Final = 8


@lru_cache(maxsize=256)  # those of one event are asked for several times
def mark(source: str, id_: str) -> int:
    """A 63-bit fingerprint of (source, id): what we keep instead of the texts."""
    digest = blake2b(f"{len(source)}:{source}{id_}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def name(request_id: str) -> int:
    """The fingerprint of a request id."""
    return mark("", request_id)


def is_repeat(state: State, event: Event, now: int) -> bool:
    """Whether the event was handled before, or must be taken as if it had been; it then changes and says nothing."""
    seen_as = mark(event.source, event.id)
    for known, at in state.seen:
        if known == seen_as and now < at + SEEN_FOR:
            return True
    if not isinstance(event.data, ContactRequested):
        return False
    if now >= event.time + SEEN_FOR or (state.seen_floor is not None and event.time <= state.seen_floor):
        return True
    named = name(event.data.request_id)
    return any(known.id == named and seen_as in known.marks for known in state.requests)


def was_answered(state: State, request_id: str, now: int) -> bool:
    """Whether this request was answered or deferred for this customer in the last 30 days."""
    named = name(request_id)
    return any(known.id == named and now < known.at + ANSWERED_FOR for known in state.requests)


def see(state: State, event: Event, now: int, *, of_the_past: bool = False) -> State:
    """Remember the event for 7 days; one of the past only while there is room, for it may crowd out no present one."""
    fresh = state.seen
    if fresh and now >= fresh[0][1] + SEEN_FOR:  # they are in the order of their times
        fresh = tuple(entry for entry in fresh if now < entry[1] + SEEN_FOR)
    kept = (*fresh, (mark(event.source, event.id), now))
    floor = state.seen_floor
    if len(kept) > MAX_SEEN and of_the_past:
        return replace(state, seen=fresh)
    if len(kept) > MAX_SEEN:
        # what was handled at that instant cannot be told from its repeat any more
        floor = max(floor or 0, max(at for _, at in kept[:-MAX_SEEN]))
        kept = kept[-MAX_SEEN:]
    return replace(state, seen=kept, seen_floor=floor)


def answer(state: State, request_id: str, seen_as: int | None, now: int, *, duplicate: bool = False) -> State:
    """Remember that a request was answered or deferred; a `duplicate` marks its event but moves no time."""
    named = name(request_id)
    before = next((known for known in state.requests if known.id == named), None)
    marks = before.marks if before is not None else ()
    if seen_as is not None and seen_as not in marks:
        marks = (*marks, seen_as)[-_MAX_MARKS:]
    at = before.at if before is not None and duplicate else now
    others = tuple(known for known in state.requests if known.id != named and now < known.at + ANSWERED_FOR)
    return replace(state, requests=(*others[-(MAX_REQUESTS - 1) :], Request(named, at, marks)))
