"""Moves: a subject becomes part of another, and what the two places tell each other so that it does (contract.md,
section 4, "An identity ...").

The customer and the identity may live on different partitions, so nothing here sees both memories at once. One move is
three messages through the relay, and each place does its part alone:

    identity.linked at the customer ──Claim──▶ the identity           customer.merged at the one that disappears
                                                    │ gives all away, forwards from now on     │
    the customer takes it in, recalls, issues holds ◀──────────────── Moved ──────────────────┘
            └──Adopted──▶ the source releases its holds

Each can come twice: a claim that was followed, a move that was taken in and a hold that was released do nothing again.
Two customers may be merged into each other at once, on two partitions; then a move comes round to where it was, and
the least name of the circle takes all of them in. What comes later under a subject that moved is forwarded.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from decisioning import answers, holds
from decisioning.decision import Decision, Trigger, trigger_of
from decisioning.event import Event
from decisioning.payload import CustomerMerged, IdentityLinked
from decisioning.policy import Policy
from decisioning.recall import recall
from decisioning.state import Deferred, State, fold, full, memory, sweep
from decisioning.state.fold import FOLDS
from decisioning.state.merge import Lasting, knows, merge
from decisioning.state.model import Scope
from decisioning.suppress.consent import ConsentGiven, Lifetime


class Claim(Struct, frozen=True):
    """To an identity: an event of instant `at` says that you belong to `into`."""

    into: str
    at: int
    trigger: Trigger
    now: int
    traceparent: str | None = None


class Moved(Struct, frozen=True):
    """To a customer: `state.subject` became part of you; this is all it knew, as its move number `state.moves`.

    `path` names where the message has been, its source first.
    """

    state: State
    path: tuple[str, ...]
    trigger: Trigger
    now: int
    traceparent: str | None = None


class Adopted(Struct, frozen=True):
    """To a source: your move number `sequence` was taken in, your holds stand at the customer now."""

    sequence: int
    trigger: Trigger
    now: int
    traceparent: str | None = None


class Forward(Struct, frozen=True):
    """To a customer: an event that came under a subject which is part of you."""

    event: Event


Message = Claim | Moved | Adopted
"""What a place is told about a move."""


class Relay(NamedTuple):
    """A message, and the subject whom it concerns."""

    to: str
    message: Message | Forward


Moving = tuple[State, list[Decision], list[Relay]]
"""The memory after a part of a move, what to say, and whom to tell."""


def forwarded(state: State, event: Event) -> list[Relay]:
    """Where an event goes that came under a subject that moved; nowhere if an erasure there had forgotten it."""
    assert state.moved_to is not None
    if _forgotten(state, event) and (_joins(event) or (event.type in FOLDS and fold(state, event) is state)):
        return []
    return [Relay(state.moved_to, Forward(replace(event, subject=state.moved_to)))]


def asked_to_leave(state: State, event: Event) -> str | None:
    """The customer into whom an event merges this subject, or None; merging into oneself, or into one's own part, is a
    circle and does nothing, and so does what an erasure has forgotten."""
    into = event.data.into if isinstance(event.data, CustomerMerged) else None
    if into is None or into == state.subject or knows(state, into) or _forgotten(state, event):
        return None
    return into


def claims(state: State, event: Event) -> list[Relay]:
    """The claim that an event makes on an identity."""
    if not isinstance(event.data, IdentityLinked) or event.data.identity == state.subject or _forgotten(state, event):
        return []
    claim = Claim(state.subject, event.time, trigger_of(event), state.now, event.traceparent)
    return [Relay(event.data.identity, claim)]


def _joins(event: Event) -> bool:
    return isinstance(event.data, IdentityLinked | CustomerMerged)


def _forgotten(state: State, event: Event) -> bool:
    """Whether it happened at or before an erasure, after which nothing of it folds (contract.md, "Erasure")."""
    return state.erased_at is not None and event.time <= state.erased_at


def leave(state: State, into: str, at: int, trigger: Trigger, traceparent: str | None) -> tuple[State, list[Relay]]:
    """The subject gives away all that it holds and forwards from now on; its holds stand until they stand there."""
    leaving = replace(state, moves=state.moves + 1)
    stays = State(
        subject=state.subject,
        now=state.now,
        erased=state.erased,
        erased_at=state.erased_at,
        holds=state.holds,
        moves=leaving.moves,
        moved_to=into,
        moved_at=at,
    )
    return stays, [Relay(into, Moved(leaving, (state.subject,), trigger, state.now, traceparent))]


def told(policy: Policy, state: State, message: Message) -> Moving:
    """What a place does with a message about a move; `state.now` is the instant of handling."""
    if isinstance(message, Claim):
        state, relays = _claimed(state, message)
        return state, [], relays
    if isinstance(message, Adopted):
        if state.moved_to is None or message.sequence != state.moves or not state.holds:
            return state, [], []
        state, released = holds.release_all(policy, state, message.trigger, message.traceparent)
        return state, released, []
    return _arrived(policy, state, message)


def _claimed(state: State, claim: Claim) -> tuple[State, list[Relay]]:
    if claim.into == state.subject or knows(state, claim.into):
        return state, []
    if state.moved_to is None:
        return leave(state, claim.into, claim.at, claim.trigger, claim.traceparent)
    if claim.into == state.moved_to or claim.at < (state.moved_at or 0):
        return state, []
    # It changes hands. The new customer is told only who is part of them, so that no merge runs in a circle.
    nothing = State(state.subject, now=state.now, moves=state.moves, erased=True)
    known = Moved(nothing, (state.subject,), claim.trigger, state.now, claim.traceparent)
    return replace(state, moved_to=claim.into, moved_at=claim.at), [Relay(claim.into, known)]


def _arrived(policy: Policy, state: State, moved: Moved) -> Moving:
    if state.moved_to is not None:
        path = (*moved.path, state.subject)
        if _least_of_circle(path, state.moved_to) != state.subject:
            return state, [], [Relay(state.moved_to, replace(moved, path=path))]
        state = replace(state, moved_to=None, moved_at=None)
    elif knows(state, moved.state.subject, moved.state.moves):
        return state, [], []
    return _take_in(policy, state, moved)


def _least_of_circle(path: tuple[str, ...], next_: str) -> str | None:
    """The least name of the circle that a message runs in, if it was at `next_` before."""
    if next_ not in path:
        return None
    begin = len(path) - 1 - path[::-1].index(next_)
    return min(path[begin:])


def _take_in(policy: Policy, state: State, moved: Moved) -> Moving:
    """Merge, then what every event that can matter brings: recalls, holds, and answers that cannot wait."""
    source = moved.state
    both = merge(state, source, _lasting(policy))
    if source.subject == state.subject:  # it came round a circle: nothing of its own is foreign
        named = memory.name(state.subject)
        both = replace(both, absorbed=tuple(one for one in both.absorbed if one.name != named))
    if source.erased:
        return both, [], []
    event = Event(
        moved.trigger.source, moved.trigger.id, moved.trigger.type, state.now, state.subject, None, moved.traceparent
    )
    if state.erased:
        visiting = replace(both, acts=source.acts, deferred=source.deferred)
        visiting, outputs = recall(policy, visiting, event)
        visiting, answered = answers.answer_all(policy, visiting, visiting.deferred)
        both = replace(visiting, acts=state.acts, deferred=state.deferred)
    else:
        both = sweep(both, both.now, orders_for=policy.orders_for, acts_for=policy.acts_for)
        both, outputs = recall(policy, both, event)
        both, answered = answers.answer_all(policy, both, _too_many(both))
        known = tuple(hold for hold in source.holds if hold.scope != Scope() or hold.reason in holds.SILENT)
        if (
            both.unsaid is None or both.unsaid <= both.now or source.holds
        ):  # what history brought is said when there is no more of it
            both, changed = holds.renew(policy, both, moved.trigger, inherited=known, traceparent=moved.traceparent)
            outputs += changed
    outputs += answered
    if source.subject == state.subject or not source.holds:
        return both, outputs, []
    adopted = Adopted(source.moves, moved.trigger, both.now, moved.traceparent)
    return both, outputs, [Relay(source.subject, adopted)]


def _too_many(state: State) -> tuple[Deferred, ...]:
    """What waits beyond the bound, so that it must be answered now; the target's own goes on waiting."""
    if not full(state):
        return ()
    kept: tuple[Deferred, ...] = ()
    for waiting in state.deferred:
        if not full(replace(state, deferred=kept)):
            kept = (*kept, waiting)
    return tuple(waiting for waiting in state.deferred if waiting not in kept)


def _lasting(policy: Policy) -> Lasting:
    rule = policy.rulebook.rule(ConsentGiven.section)
    assert isinstance(rule, Lifetime)
    return Lasting(rule.lasts, policy.life_until)


__all__ = [
    "Adopted",
    "Claim",
    "Forward",
    "Message",
    "Moved",
    "Relay",
    "asked_to_leave",
    "claims",
    "forwarded",
    "leave",
    "told",
]
