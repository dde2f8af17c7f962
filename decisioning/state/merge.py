"""Two memories become one: what happens to every single thing when an identity is linked or a customer merged.

Per thing (contract.md, section 4, "An identity ..."): where both sides hold a fact the stricter wins, whatever the
times, and takes the later time; where one side holds none, the other's stands; what knows no stricter side has the
later time, at a tie the target's. Bounds are those of the fold, and what they forget is forgotten to the strict side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

from decisioning.state import cases, memory, orders, people, record, replies
from decisioning.state.allowed import consents_of_both, marks_of_both
from decisioning.state.consents import hidden
from decisioning.state.model import (
    MAX_ABSORBED,
    MAX_LIST,
    MAX_REQUESTS,
    MAX_SEEN,
    Absorbed,
    Act,
    Attribute,
    Case,
    Fact,
    Facts,
    Life,
    Limit,
    Profile,
    Promise,
    Request,
    State,
)
from decisioning.state.unite import orders_of_both

_MAX_MARKS: Final = 8

Timed = TypeVar("Timed", Fact, Facts, Attribute)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class _Numbered(Protocol):
    @property
    def id(self) -> str: ...


N = TypeVar("N", bound=_Named)
I = TypeVar("I", bound=_Numbered)  # noqa: E741


class Lasting(NamedTuple):
    """How long facts last that came without an end: a consent so many us, a life event until the instant it is asked
    for."""

    consent: int
    life_until: Callable[[Life], int]


def merge(target: State, source: State, lasting: Lasting) -> State:
    """The target's memory with all that the source knew; its holds are the target's, for the engine to renew.

    `source` is as it left, its `moves` the number of this move: one that was taken in before changes nothing. An erased
    source adds only which events were seen; an erased target takes only that and which requests were answered.
    """
    if knows(target, source.subject, source.moves):
        return target
    state = _seen(replace(target, now=max(target.now, source.now), absorbed=_absorbed(target, source)), source)
    if source.erased:
        return state
    state = replace(state, requests=_requests(target.requests, source.requests))
    if target.erased:
        return state
    profile, lost = _profile(target.profile, source.profile)
    problems, lost = cases.bounded(
        _by_id(target.cases, source.cases, _case), tuple(dict.fromkeys((*target.lost, *source.lost, *lost)))
    )
    allowed = consents_of_both(target, source, lasting.consent)
    state = replace(
        state,
        deceased=target.deceased or source.deceased,
        degraded=target.degraded or source.degraded,
        profile=profile,
        consents=allowed,
        grants=hidden((*target.grants, *target.consents, *source.grants, *source.consents), allowed),
        marks=marks_of_both(target, source),
        orders=orders_of_both(target.orders, source.orders),
        orders_floor=_newest(target.orders_floor, source.orders_floor),
        bought_at=_newest(target.bought_at, source.bought_at),
        deferred=tuple(dict.fromkeys((*target.deferred, *source.deferred))),
        cases=problems,
        promises=cases.bounded_promises(_by_id(target.promises, source.promises, _promise)),
        life=_lives(target.life, source.life, lasting),
        repetitions=replies.bounded(_by_name(target.repetitions, source.repetitions, replies.joined)),
        attributes=people.bounded(_by_name(target.attributes, source.attributes, _later)),
        lost=lost,
        unsaid=_newest(target.unsaid, source.unsaid),
    )
    return _acts(orders.bounded(state), source.acts)


def knows(target: State, subject: str, sequence: int = 0) -> bool:
    """Whether this move of a subject was taken in before; without a number: any of its moves."""
    named = memory.name(subject)
    return any(one.name == named and one.sequence >= sequence for one in target.absorbed)


def _absorbed(target: State, source: State) -> tuple[Absorbed, ...]:
    """Who is part of the target now: the source, and with it whoever had become part of that."""
    found = {one.name: one for one in target.absorbed}
    for one in (*source.absorbed, Absorbed(memory.name(source.subject), source.moves)):
        known = found.pop(one.name, one)
        found[one.name] = one if one.sequence >= known.sequence else known
    return tuple(found.values())[-MAX_ABSORBED:]


def _seen(state: State, source: State) -> State:
    """Which events were handled, the newest of both; what falls out raises the floor as in `memory.see`."""
    found = dict(state.seen)
    for mark, at in source.seen:
        found[mark] = max(at, found.get(mark, at))
    kept = sorted(found.items(), key=lambda entry: (entry[1], entry[0]))
    floors = [floor for floor in (state.seen_floor, source.seen_floor) if floor is not None]
    floors += [at for _, at in kept[:-MAX_SEEN]]
    return replace(state, seen=tuple(kept[-MAX_SEEN:]), seen_floor=max(floors, default=None))


def _requests(ours: tuple[Request, ...], theirs: tuple[Request, ...]) -> tuple[Request, ...]:
    found = {one.id: one for one in ours}
    for one in theirs:
        known = found.get(one.id, one)
        marks = tuple(dict.fromkeys((*known.marks, *one.marks)))[-_MAX_MARKS:]
        found[one.id] = Request(one.id, max(known.at, one.at), marks)
    return tuple(sorted(found.values(), key=lambda one: (one.at, one.id))[-MAX_REQUESTS:])


def _acts(state: State, theirs: tuple[Act, ...]) -> State:
    """All that was said to either side, in the order in which it was said."""
    known = {act.id: act for act in (*theirs, *state.acts)}
    state = replace(state, acts=())
    for act in sorted(known.values(), key=lambda one: (one.made, one.id)):
        state = record(state, act)
    return state


def _profile(ours: Profile, theirs: Profile) -> tuple[Profile, tuple[str, ...]]:
    """Who they are and what they asked of us; and the names of the lists that lost something."""
    topics, lost_topics = _both_lists(ours.topics_off, theirs.topics_off)
    needs, lost_needs = _both_lists(ours.needs, theirs.needs)
    profile = Profile(
        name=_one_of(ours.name, theirs.name, _later),
        time_zone=_one_of(ours.time_zone, theirs.time_zone, _later),
        country=_one_of(ours.country, theirs.country, _later),
        language=_one_of(ours.language, theirs.language, _later),
        windows=_one_of(ours.windows, theirs.windows, people.within_both),
        channels=_one_of(ours.channels, theirs.channels, _later),
        topics_off=topics,
        max_marketing_per_week=_one_of(ours.max_marketing_per_week, theirs.max_marketing_per_week, _lower),
        needs=needs,
    )
    return profile, ("topics_off",) * lost_topics + ("needs",) * lost_needs


T = TypeVar("T")


def _one_of(ours: T | None, theirs: T | None, both: Callable[[T, T], T]) -> T | None:
    if ours is None or theirs is None:
        return ours if theirs is None else theirs
    return both(ours, theirs)


def _later(ours: Timed, theirs: Timed) -> Timed:
    return theirs if theirs.at > ours.at else ours


def _lower(ours: Limit, theirs: Limit) -> Limit:
    return Limit(min(ours.value, theirs.value), max(ours.at, theirs.at))


def _both_lists(ours: Facts | None, theirs: Facts | None) -> tuple[Facts | None, bool]:
    """What either side refuses or needs; and whether that is more than can be remembered."""
    if ours is None or theirs is None:
        return (ours if theirs is None else theirs), False
    values = tuple(dict.fromkeys((*ours.values, *theirs.values)))
    return Facts(values[:MAX_LIST], max(ours.at, theirs.at)), len(values) > MAX_LIST


def _case(ours: Case, theirs: Case) -> Case:
    """Open on either side is open, as of the newest word on it."""
    opened = _newest(ours.opened_at, theirs.opened_at)
    resolved = _newest(ours.resolved_at, theirs.resolved_at)
    if ours.open or theirs.open:
        opened = _newest(opened, resolved)
    told = ours if (ours.opened_at or 0) >= (theirs.opened_at or 0) else theirs
    return replace(told, opened_at=opened, resolved_at=resolved)


def _promise(ours: Promise, theirs: Promise) -> Promise:
    """Our word, kept only where no side still waits for it; a side that heard only of the keeping waits for nothing."""
    told = ours if (ours.made_at or 0) >= (theirs.made_at or 0) else theirs
    waits = any(one.made_at is not None and one.kept_at is None for one in (ours, theirs))
    both = ours.made_at is not None and theirs.made_at is not None
    kept = None if waits and both else _newest(ours.kept_at, theirs.kept_at)
    return replace(told, made_at=_newest(ours.made_at, theirs.made_at), kept_at=kept)


def _lives(ours: tuple[Life, ...], theirs: tuple[Life, ...], lasting: Lasting) -> tuple[Life, ...]:
    """What happened in their life, each kind until the later end of both."""
    found = {one.kind: one for one in ours}
    for one in theirs:
        known = found.get(one.kind)
        if known is None or known == one:
            found[one.kind] = one
        elif known.until is None and one.until is None:
            found[one.kind] = max(known, one, key=lambda each: each.at)
        else:
            until = max(lasting.life_until(known), lasting.life_until(one))
            found[one.kind] = Life(one.kind, max(known.at, one.at), until)
    return tuple(found[kind] for kind in sorted(found))


def _by_name(ours: tuple[N, ...], theirs: tuple[N, ...], both: Callable[[N, N], N]) -> tuple[N, ...]:
    found = {one.name: one for one in ours}
    for one in theirs:
        found[one.name] = both(found[one.name], one) if one.name in found else one
    return tuple(found[name] for name in sorted(found))


def _by_id(ours: tuple[I, ...], theirs: tuple[I, ...], both: Callable[[I, I], I]) -> tuple[I, ...]:
    found = {one.id: one for one in ours}
    for one in theirs:
        found[one.id] = both(found[one.id], one) if one.id in found else one
    return tuple(found.values())


def _newest(one: int | None, other: int | None) -> int | None:
    return max((at for at in (one, other) if at is not None), default=None)


__all__ = ["Lasting", "knows", "merge"]
