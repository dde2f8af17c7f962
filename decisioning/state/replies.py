"""What the customer answered to what we said, by topic, and the silence that follows (rule 13).

Replies are kept as they came, so that one that arrives late counts where it belongs and no number of a rulebook is in
memory. A decision counts once, as declined rather than as ignored; two declined or three ignored (a rulebook's numbers)
begin a block, and what begins it is spent. Where replies fell out of memory, every further one begins a block.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from decisioning.decision import Candidate
from decisioning.event import Event
from decisioning.payload import Response
from decisioning.state.memory import name as fingerprint
from decisioning.state.model import MAX_REPETITIONS, MAX_REPLIES, Repetition, Reply, State

Kind = Literal["declined", "ignored"]
KINDS: Final[tuple[Kind, ...]] = ("declined", "ignored")
FORGOTTEN: Final = ""


class Block(NamedTuple):
    """A silence about one topic: begun by the reply at `since`, over at `until`."""

    kind: Kind
    since: int
    until: int


def about(candidate: Candidate) -> str:
    """What a reply to this candidate is about: its topic, without one its action."""
    return f"action:{candidate.action}" if candidate.topic is None else f"topic:{candidate.topic}"


def replied(state: State, event: Event, data: Response, kind: Kind) -> State:
    """A decision was declined or ignored; of one that we do not know, nobody can say what it was about."""
    act = next((act for act in state.acts if act.id == data.decision_id), None)
    if act is None:
        return state
    name = about(act.candidate)
    # what fell out may have been about this: then it is as if an earlier reply had fallen out
    fresh = Repetition(name, forgotten=1) if find(state, FORGOTTEN) is not None else Repetition(name)
    found = find(state, name) or fresh
    told = joined(found, Repetition(name, (Reply(fingerprint(data.decision_id), kind, event.time),)))
    others = tuple(one for one in state.repetitions if one.name != name)
    return replace(state, repetitions=bounded((*others, told)))


def find(state: State, name: str) -> Repetition | None:
    """What is remembered about this name, or None."""
    return next((one for one in state.repetitions if one.name == name), None)


def standing(
    state: State, candidate: Candidate, *, declined: int, ignored: int, first: int, later: int
) -> tuple[Block, ...]:
    """The blocks that were ever begun about what this candidate is about, in order of time; the caller looks which of
    them stand."""
    found = find(state, about(candidate))
    if found is not None:
        return blocks(found, declined=declined, ignored=ignored, first=first, later=later)
    lost = find(state, FORGOTTEN)
    return () if lost is None or lost.since is None else (Block("declined", lost.since, lost.since + later),)


def blocks(repetition: Repetition, *, declined: int, ignored: int, first: int, later: int) -> tuple[Block, ...]:
    """Every block that these replies began: the first lasts `first` us from the reply that began it, each further one
    `later` us."""
    limits = {"declined": declined, "ignored": ignored}
    begun: list[Block] = []
    counted: Counter[str] = Counter()
    if repetition.forgotten and repetition.since is not None:
        begun.append(Block("declined", repetition.since, repetition.since + later))
    for reply in repetition.replies:
        counted[reply.kind] += 1
        if repetition.forgotten or counted[reply.kind] >= limits[reply.kind]:
            lasts = later if begun or repetition.forgotten else first
            begun.append(Block(reply.kind, reply.at, reply.at + lasts))
            counted.clear()
    return tuple(begun)


def joined(one: Repetition, other: Repetition) -> Repetition:
    """What both say of one name, within the bound: a decision once, declined before ignored, then the later time."""
    found: dict[int, Reply] = {}
    for reply in (*one.replies, *other.replies):
        known = found.get(reply.decision)
        if known is None or _weight(known) < _weight(reply):
            found[reply.decision] = reply
    replies = sorted(found.values(), key=lambda reply: (reply.at, reply.kind, reply.decision))
    spilled, kept = replies[:-MAX_REPLIES], replies[-MAX_REPLIES:]
    times = [at for at in (one.since, other.since, *(reply.at for reply in spilled)) if at is not None]
    return Repetition(
        one.name, tuple(kept), one.forgotten + other.forgotten + len(spilled), since=max(times, default=None)
    )


def bounded(repetitions: tuple[Repetition, ...]) -> tuple[Repetition, ...]:
    """Within the bound: the name whose newest reply is the oldest goes, and "" remembers that reply for all of them."""
    while len(repetitions) > MAX_REPETITIONS:
        gone = min((one for one in repetitions if one.name), key=lambda one: (_newest(one), one.name))
        lost = [one for one in repetitions if one.name == FORGOTTEN]
        since = max(_newest(one) for one in (gone, *lost))
        rest = tuple(one for one in repetitions if one is not gone and one not in lost)
        repetitions = (*rest, Repetition(FORGOTTEN, forgotten=1, since=since))
    return repetitions


def _weight(reply: Reply) -> tuple[bool, int]:
    return reply.kind == "declined", reply.at


def _newest(repetition: Repetition) -> int:
    return max([repetition.since or 0, *(reply.at for reply in repetition.replies)])
