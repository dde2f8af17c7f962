"""Who the customer is, what they asked of us, what happened in their life: each field a fact of its own.

Of two facts on one thing the later time holds; where neither side is the stricter, at a tie the later arrival (exact
reading 11).
"""

from __future__ import annotations

from math import isfinite
from typing import Final, TypeVar

from msgspec.structs import replace

from decisioning.event import Event
from decisioning.instant import instant
from decisioning.payload import CustomerLifeEvent, CustomerPreferenceSet, CustomerUpdated
from decisioning.state.model import (
    MAX_ATTRIBUTES,
    MAX_LIST,
    MAX_NAME,
    Attribute,
    Fact,
    Facts,
    Life,
    Limit,
    OwnWindows,
    State,
)
from decisioning.window import DailyWindow

TRIALS: Final = frozenset({"test", "seed"})
"""Attributes that, where true, mark a customer who is not one: they are never counted in holdouts."""

MAX_PLANS: Final = 16
"""So many contact plans hold at once; where there were more the customer is never within all of them."""

_NEVER: Final = tuple((DailyWindow(frozenset({day}), 0, 1),) for day in (0, 1))  # two plans that share no minute
_LASTING: Final = frozenset({"bereavement", "vulnerable"})
_LARGEST: Final = 2**63 - 1

Timed = TypeVar("Timed", Fact, Facts, OwnWindows, Limit)
Scalar = str | int | float | bool


def updated(state: State, event: Event, data: CustomerUpdated) -> State:
    """Who the customer is; what an upstream service says under names of its own is kept beside it."""
    at, known = event.time, state.profile
    told = dict(data.attributes or {})
    told |= {name: text for name in ("birth_date", "household_id") if (text := getattr(data, name)) is not None}
    return replace(
        state,
        attributes=_attributes(state.attributes, told, at) if told else state.attributes,
        profile=replace(
            known,
            name=_later(known.name, data.name and Fact(data.name[:MAX_NAME], at)),
            time_zone=_later(known.time_zone, data.time_zone and Fact(data.time_zone, at)),
            country=_later(known.country, data.country and Fact(data.country, at)),
            language=_later(known.language, data.language and Fact(data.language, at)),
        ),
    )


def preferred(state: State, event: Event, data: CustomerPreferenceSet) -> State:
    """What the customer asked of us; at a tie the lower limit, and both lists of topics, needs and windows."""
    at, known = event.time, state.profile
    profile = known
    if data.contact_windows is not None:
        windows = OwnWindows(tuple(window.window() for window in data.contact_windows), at)
        if known.windows is not None and known.windows.at == at:
            windows = within_both(known.windows, windows)
        profile = replace(profile, windows=_later(known.windows, windows))
    if data.channels is not None:
        profile = replace(profile, channels=_later(known.channels, Facts(tuple(dict.fromkeys(data.channels)), at)))
    lost = state.lost
    if data.topics_off is not None:
        topics_off, lost = _all_of("topics_off", known.topics_off, data.topics_off, at, lost)
        profile = replace(profile, topics_off=topics_off)
    if data.needs is not None:
        needs, lost = _all_of("needs", known.needs, data.needs, at, lost)
        profile = replace(profile, needs=needs)
    if data.max_marketing_per_week is not None:
        limit = Limit(data.max_marketing_per_week, at)
        if known.max_marketing_per_week is not None and known.max_marketing_per_week.at == at:
            limit = min(limit, known.max_marketing_per_week, key=lambda one: one.value)
        profile = replace(profile, max_marketing_per_week=_later(known.max_marketing_per_week, limit))
    return replace(state, profile=profile, lost=lost)


def within_both(one: OwnWindows, other: OwnWindows) -> OwnWindows:
    """Inside one of each side's list: all plans of both hold at once; an empty list is no plan (exact reading 7)."""
    every = (one.windows, *one.also, other.windows, *other.also)
    plans = tuple(dict.fromkeys(plan for plan in every if plan)) or ((),)
    if len(plans) > MAX_PLANS:
        plans = _NEVER
    return OwnWindows(plans[0], max(one.at, other.at), plans[1:])


def lived(state: State, event: Event, data: CustomerLifeEvent) -> State:
    """Death stays; bereavement and vulnerability last, of two words of one time until the later end."""
    if data.kind == "deceased":
        return replace(state, deceased=True)
    if data.kind not in _LASTING:
        return state
    new = Life(data.kind, event.time, None if data.until is None else instant(data.until))
    old = next((one for one in state.life if one.kind == data.kind), None)
    if old is not None and old.at > new.at:
        return state
    if old is not None and old.at == new.at:
        new = longer(old, new)
    others = tuple(one for one in state.life if one.kind != data.kind)
    return replace(state, life=tuple(sorted((*others, new), key=lambda one: one.kind)))


def longer(one: Life, other: Life) -> Life:
    """Of two words of one time the later end; one without an end of its own lasts as long as the rulebook says."""
    ends = [life.until for life in (one, other) if life.until is not None]
    return replace(one, until=max(ends, default=None), lasts=one.lasts or other.lasts or len(ends) == 1)


def on_trial(state: State) -> bool:
    """Whether this is a test or seed customer, who is treated like any other but counted nowhere."""
    return any(one.name in TRIALS and one.value is True for one in state.attributes)


def bounded(attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    """Attributes within their bound: the oldest go first, the marks of test and seed customers last."""
    while len(attributes) > MAX_ATTRIBUTES:
        gone = min(attributes, key=lambda one: (one.name in TRIALS, one.at, one.name))
        attributes = tuple(one for one in attributes if one is not gone)
    return attributes


def _attributes(known: tuple[Attribute, ...], told: dict[str, object], at: int) -> tuple[Attribute, ...]:
    found = {one.name: one for one in known}
    for name, content in told.items():
        value = _scalar(content)
        if value is not None and (name not in found or found[name].at <= at):
            found[name] = Attribute(name, value, at)
    return bounded(tuple(found[name] for name in sorted(found)))


def _scalar(content: object) -> Scalar | None:
    """The value as it is kept: texts are cut, whole numbers beyond 64 bits are numbers with a fraction; lists, objects
    and numbers beyond all measure are nothing that a rule could compare."""
    if isinstance(content, str):
        return content[:MAX_NAME]
    if isinstance(content, bool):
        return content
    if isinstance(content, int):
        if -_LARGEST <= content <= _LARGEST:
            return content
        try:
            return float(content)
        except OverflowError:
            return None
    return content if isinstance(content, float) and isfinite(content) else None


def _later(known: Timed | None, new: Timed | str | None) -> Timed | None:
    """Of two facts that know no stricter side: the later time, at a tie the later arrival."""
    if not new or isinstance(new, str):
        return known
    return new if known is None or new.at >= known.at else known


def _all_of(
    name: str, known: Facts | None, values: list[str], at: int, lost: tuple[str, ...]
) -> tuple[Facts, tuple[str, ...]]:
    """Of two lists of what is refused or needed: the later time, at a tie both; beside it the names of the lists that
    lost something, where this one is named until a later list takes its place."""
    if known is not None and at < known.at:
        return known, lost
    if known is None or at > known.at:
        return Facts(tuple(dict.fromkeys(values)), at), tuple(one for one in lost if one != name)
    both = tuple(dict.fromkeys((*known.values, *values)))
    if len(both) > MAX_LIST and name not in lost:
        lost = (*lost, name)
    return Facts(both[:MAX_LIST], at), lost
