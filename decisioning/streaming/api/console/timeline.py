"""What silences a customer, laid out on time: caps and the slots that fill them, nights and windows, holds.

Pure: a state, a policy and an instant in, lines out; each line is bars between two instants, and a sentence that says
the same to whoever does not see them. The same suppressors that judge are asked, so a rulebook's own windows, days of
rest and caps are drawn without a word about them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from decisioning.decision import Candidate
from decisioning.instant import DAY, HOUR, format_duration, format_instant
from decisioning.judge import Judge, zones_of
from decisioning.policy import Policy
from decisioning.reasons import describe
from decisioning.state import State
from decisioning.streaming.api.console.words import length, scoped
from decisioning.suppress import AnySuppressor, Ask
from decisioning.suppress.frequency_cap import Cap, UnderCaps
from decisioning.window import slot_free_at

BACK: Final = 12 * HOUR
AHEAD: Final = 36 * HOUR
_LONGEST: Final = 60 * DAY
_MOST_BARS: Final = 200
_CLOCKS: Final = ("quiet_hours", "contact_window", "blackout")
"""The sections that speak of the hour, in the order drawn."""
_TITLES: Final = {"quiet_hours": "quiet hours", "contact_window": "their own windows", "blackout": "days of silence"}


class Bar(Struct, frozen=True):
    """From an instant to another; `kind` is slot, full, silent, hold, waits or live."""

    kind: str
    start: int
    end: int
    says: str


class Mark(Struct, frozen=True):
    """A decision at its instant; `kind` is its outcome."""

    id: str
    kind: str
    at: int
    says: str


class Line(Struct, frozen=True):
    """One row: its label, what it says in words now, its bars and marks."""

    label: str
    says: str
    bars: list[Bar]
    marks: list[Mark] = []
    tense: bool = False
    """Whether it silences somebody now."""


class Chart(Struct, frozen=True):
    """Rows over one span of time."""

    first: int
    last: int
    lines: list[Line]


class Timeline(Struct, frozen=True):
    """How often (`often`, days around now) and at what hours (`hours`, a day and a half ahead) we may speak.

    `zone` is the one by whose clock the hours are labelled; empty where nobody knows where the customer is.
    """

    now: int
    zones: list[str]
    often: Chart
    hours: Chart

    @property
    def zone(self) -> str:
        """The first zone where they may be, else UTC."""
        return self.zones[0] if self.zones else "UTC"


def timeline(policy: Policy, state: State, now: int, marks: Sequence[Mark] = ()) -> Timeline:
    """What silences a customer at and around `now`; `marks` are decisions, to be seen beside it."""
    now = max(now, state.now)
    judge = Judge(policy, state, now)
    marketing = policy.suppressors("marketing")
    lines = [
        *_caps(marketing, state, now),
        *_standing(state, now, {mark.id: mark.at for mark in marks}),
        *_waiting(state, now),
    ]
    ends = [edge for line in lines for bar in line.bars for edge in (bar.start, bar.end)]
    ends = [edge for edge in ends if abs(edge - now) < _LONGEST]
    if marks:
        lines.insert(0, Line("decisions", f"the last {len(marks)}", [], list(marks)))
    often = Chart(
        min([now - 2 * DAY, *ends]),
        max([now + 2 * DAY, *ends]),
        lines,
    )
    hours = Chart(now - BACK, now + AHEAD, list(_hours(judge, marketing, now)))
    return Timeline(now, [zone.name for zone in zones_of(state)][:8], often, hours)


# -- how often ------------------------------------------------------------------------------------------------------


def _caps(asked: Iterable[AnySuppressor], state: State, now: int) -> Iterator[Line]:
    found = next((one for one in asked if isinstance(one, UnderCaps)), None)
    if found is None:
        return
    taken = [act for act in state.acts if act.candidate.class_ == "marketing" and act.counts]
    own = found.own_cap(state)
    for cap in (*found.rule.caps, *([own] if own is not None else [])):
        for channel in cap.channels or (None,):
            made = sorted(act.made for act in taken if channel is None or act.channel == channel)
            yield _cap(cap, channel, [at for at in made if now - cap.per < at], now)


def _cap(cap: Cap, channel: str | None, made: list[int], now: int) -> Line:
    per = format_duration(cap.per)
    slots = [Bar("slot", at, at + cap.per, f"said {format_instant(at)}") for at in made]
    full = [Bar("full", start, end, "no slot is free") for start, end in _full(made, cap)]
    is_full = len(made) >= cap.limit
    free_at = slot_free_at(made, cap.limit, cap.per, now) if is_full else None
    says = f"{len(made)} of {cap.limit} in {per} used"
    if is_full:
        says += f"; free in {length(free_at - now)}" if free_at is not None else "; never free"
    label = f"{cap.name.replace('_', ' ')} cap" + (f", {channel}" if channel is not None else "")
    return Line(label, says, (slots + full)[:_MOST_BARS], tense=is_full)


def _full(made: list[int], cap: Cap) -> Iterator[tuple[int, int]]:
    """When so many slots overlap that none is free."""
    edges = sorted([(at, 1) for at in made] + [(at + cap.per, -1) for at in made])
    count, since = 0, None
    for at, step in edges:
        count += step
        if count >= cap.limit and since is None:
            since = at
        elif count < cap.limit and since is not None:
            if since < at:
                yield since, at
            since = None


def _standing(state: State, now: int, began: Mapping[str, int]) -> Iterator[Line]:
    """Holds from the decision that began them on; from the edge where that is not among those read."""
    for hold in state.holds:
        if hold.until is not None and hold.until <= now:
            continue
        end = hold.until if hold.until is not None else now + 2 * _LONGEST
        scope = scoped(hold.scope.as_json()) if hold.scope.as_json() else "anything"
        rest = f"{length(end - now)} more" if hold.until is not None else "until its fact is gone"
        bar = Bar("hold", began.get(hold.id, now - 2 * _LONGEST), end, describe(hold.reason).author)
        yield Line("hold", f"nothing of {scope}, {rest}", [bar], tense=True)


def _waiting(state: State, now: int) -> Iterator[Line]:
    waiting = [
        Bar("waits", state.now, one.not_before, ", ".join(asked.action for asked in one.candidates))
        for one in state.deferred
    ]
    if waiting:
        yield Line("deferred", f"{len(waiting)} to be asked again by itself", waiting)
    live = [
        Bar("live", act.made, act.valid_until, f"{act.candidate.action} by {act.channel}")
        for act in state.acts
        if act.live(now)
    ]
    if live:
        yield Line("live", f"{len(live)} on the way, can still be taken back", live)


# -- at what hours --------------------------------------------------------------------------------------------------


def _hours(judge: Judge, asked: Iterable[AnySuppressor], now: int) -> Iterator[Line]:
    ask = judge.ask(Candidate(0, "anything", "marketing", ("email",), now + _LONGEST), "email", ())
    clocks = sorted((one for one in asked if one.section in _CLOCKS), key=lambda one: _CLOCKS.index(one.section))
    for one in clocks:
        silent = list(_silences(one, ask, now - BACK, now + AHEAD))
        if one.section == "contact_window" and ask.state.profile.windows is None:
            yield Line(_TITLES[one.section], "none set", [])
            continue
        inside = next((bar for bar in silent if bar.start <= now < bar.end), None)
        following = next((bar for bar in silent if bar.start > now), None)
        says = "silent" if inside is not None else "open"
        until = inside.end if inside is not None else following.start if following is not None else None
        if until is not None and until < now + AHEAD:
            says += f" for {length(until - now)} more"
        yield Line(
            _TITLES[one.section],
            says if ask.zones else "nobody knows their local time",
            silent,
            tense=inside is not None,
        )


def _silences(one: AnySuppressor, ask: Ask, first: int, last: int) -> Iterator[Bar]:
    """When a suppressor objects, between two instants; it is asked at each edge that it names itself."""
    at = first
    for _ in range(_MOST_BARS):
        if at >= last:
            return
        later = replace(ask, now=at)
        objection = one.check(later)
        edge = objection.until if objection is not None else one.ends(later)
        end = min(edge if edge is not None and edge > at else last, last)
        if objection is not None:
            yield Bar("silent", at, end, describe(objection.reason).author)
        at = end
