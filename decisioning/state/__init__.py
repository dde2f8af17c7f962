"""What we remember of one customer, and the three ways it changes.

`fold` takes in what happened, `record` what we said, `erase` empties; `loads` and `dumps` are its bytes.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from decisioning.decision import Candidate
from decisioning.state import memory, purchases
from decisioning.state.codec import VERSION, dumps, glance, loads
from decisioning.state.fold import fold, names_unknown
from decisioning.state.model import MAX_ACTS, MAX_DEFERRED, MAX_WAITING_BYTES, Act, Deferred, Scope, State

_encode: Final = msgspec.json.Encoder().encode


def record(state: State, act: Act) -> State:
    """Remember what we said; when the list is full, what holds neither slot nor life goes first, then service."""
    acts = (*state.acts, act)
    if len(acts) > MAX_ACTS:
        gone = min(
            acts,
            key=lambda one: (
                one.counts and one.candidate.class_ in ("marketing", "survey"),
                one.live(act.made),
                one.made,
                one.id,
            ),
        )
        acts = tuple(one for one in acts if one is not gone)
    return replace(state, acts=acts)


def postpone(state: State, waiting: Deferred) -> State:
    """Remember that we promised a further answer."""
    return replace(state, deferred=(*state.deferred, waiting))


def full(state: State) -> bool:
    """Whether no further answer can be promised: then what would wait is refused, which is the silent side."""
    return len(state.deferred) >= MAX_DEFERRED or len(_encode(state.deferred)) >= MAX_WAITING_BYTES


def sweep(state: State, now: int, *, orders_for: int, acts_for: int) -> State:
    """Drop what no rule can see any more: orders older than `orders_for` us, acts older than `acts_for` and not
    live."""
    state = purchases.forget_old(state, now - orders_for)
    over = [act for act in state.acts if (act.candidate.channels or now >= act.made + acts_for) and not act.live(now)]
    if not over:
        return state
    kept = (act for act in state.acts if act.live(now) or now < act.made + acts_for)
    return replace(state, acts=tuple(act if act.live(now) else _slot(act) for act in kept))


def _slot(act: Act) -> Act:
    """An act that can no longer be recalled: what its slot and its responses need, and no more."""
    said = act.candidate
    slim = Candidate(0, said.action, said.class_, (), 0, topic=said.topic)
    return replace(act, candidate=slim, request_id=None, campaign=None, about=None)


def _veiled(fact: str) -> str:
    """A hold's fact without the name of a case or an order in it, nor when that was: a fingerprint tells it again."""
    kind, _, named = fact.partition(":")
    if kind == "case":
        return f"case~:{memory.name(named)}"
    return f"order~:{memory.name(named.rpartition('@')[0])}" if kind == "order" else fact


def erase(state: State) -> State:
    """Everything goes but the marker: its newest time, what was seen, what was answered, the holds that stand
    (contract.md, "Erasure")."""
    return State(
        subject=state.subject,
        now=state.now,
        erased=True,
        erased_at=state.erased_at,
        seen=state.seen,
        seen_floor=state.seen_floor,
        requests=state.requests,
        holds=tuple(  # only to be released
            replace(hold, scope=Scope(), items=(), facts=tuple(map(_veiled, hold.facts))) for hold in state.holds
        ),
        moves=state.moves,
        absorbed=state.absorbed,
    )


__all__ = [
    "VERSION",
    "Act",
    "Deferred",
    "State",
    "dumps",
    "erase",
    "fold",
    "full",
    "glance",
    "loads",
    "memory",
    "names_unknown",
    "postpone",
    "record",
    "sweep",
]
