"""How many decisions of which kind, in slots of fifteen seconds over the last half hour, and in all since the start.

Pure and bounded: a ring of slots, and of names (reasons, actions, rulebooks) no more than a fixed number each; what
comes beyond is counted as `other`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from decisioning.instant import SECOND, parse_instant
from decisioning.streaming.api.console.words import OUTCOMES

SLOT: Final = 15 * SECOND
SLOTS: Final = 120
_A_MINUTE: Final = 60 * SECOND // SLOT
_NAMES: Final = 1000
_BOOKS: Final = 4
OTHER: Final = "other"
SILENCES: Final = ("suppress", "defer", "recall")
"""The outcomes whose reason is one for silence."""


class _Weighed(Struct, gc=False):
    reason: str


class _Data(Struct, gc=False):
    outcome: str
    reason: str
    action: str | None = None
    considered: tuple[_Weighed, ...] = ()
    rulebook: dict[str, str] = {}


class _Event(Struct, gc=False):
    time: str
    data: _Data


_decode: Final = msgspec.json.Decoder(_Event).decode  # what is not counted is not decoded: every decision comes by here


class Slot:
    """Fifteen seconds: decisions by outcome, and the silent ones by reason."""

    __slots__ = ("outcomes", "reasons", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()


class Counts:
    """What one rulebook's decisions came to, in all."""

    def __init__(self, first: int) -> None:
        self.first = first
        """The instant of the oldest decision that was counted."""
        self.decisions = 0
        self.reasons: Counter[str] = Counter()
        """Decisions by their own reason, and candidates refused by it: whatever says that a rule spoke."""
        self.said: Counter[str] = Counter()
        """Acts by action."""


class Series(NamedTuple):
    """The minute up to the end of each slot: `at` in seconds since the epoch, one list of counts a name."""

    at: list[int]
    outcomes: dict[str, list[int]]
    reasons: dict[str, list[int]]


class Tally:
    """Counts decisions as they are read.

    `at` says at which instant one of a given time is shown; None, or one before the window: it counts in all alone.
    """

    def __init__(self, at: Callable[[int], int | None] = lambda time: time) -> None:
        self._at = at
        self._slots: deque[Slot] = deque(maxlen=SLOTS)
        self._books: dict[str, Counts] = {}

    def add(self, value: bytes) -> None:
        """One decision as a structured CloudEvent; ValueError for anything else."""
        event = _decode(value)
        data, time = event.data, parse_instant(event.time)
        outcome, reason = data.outcome, data.reason
        at = self._at(time)
        slot = self._slot(at) if at is not None else None
        if slot is not None:
            slot.outcomes[outcome] += 1
            if outcome in SILENCES:
                _count(slot.reasons, reason)
        counts = self._book(data.rulebook.get("digest", ""), time)
        counts.decisions += 1
        counts.first = min(counts.first, time)
        for one in {reason, *(weighed.reason for weighed in data.considered)}:
            _count(counts.reasons, one)
        if outcome == "act" and data.action is not None:
            _count(counts.said, data.action)

    def of(self, digest: str) -> Counts | None:
        """What was decided by the rulebook of this digest; None: nothing that was read."""
        return self._books.get(digest)

    def series(self, now: int, top: int = 6) -> Series:
        """The window up to `now`; of the reasons for silence those that gave most of it, the others together."""
        last = now - now % SLOT - SLOT  # the slot of now has only begun
        starts = [last - SLOT * back for back in range(SLOTS - 2, -1, -1)]
        by_start = {slot.start: slot for slot in self._slots}
        slots = [by_start.get(start) or Slot(start) for start in starts]
        ranked = [name for name, _ in self.reasons(now)]
        shown, rest = ranked[:top], ranked[top:]
        reasons = {name: _minutes([slot.reasons[name] for slot in slots]) for name in shown}
        if rest:
            reasons[OTHER] = _minutes([sum(slot.reasons[name] for name in rest) for slot in slots])
        outcomes = {name: _minutes([slot.outcomes[name] for slot in slots]) for name in OUTCOMES}
        return Series([(start + SLOT) // SECOND for start in starts], outcomes, reasons)

    def reasons(self, now: int) -> list[tuple[str, int]]:
        """The reasons for silence within the window up to `now`, most first."""
        found: Counter[str] = Counter()
        for slot in self._slots:
            if slot.start > now - SLOT * SLOTS:
                found.update(slot.reasons)
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))

    def outcomes(self, now: int) -> dict[str, int]:
        """Decisions by outcome within the window up to `now`; every outcome is there."""
        found = dict.fromkeys(OUTCOMES, 0)
        for slot in self._slots:
            if slot.start > now - SLOT * SLOTS:
                for name, count in slot.outcomes.items():
                    found[name] = found.get(name, 0) + count
        return found

    def _slot(self, at: int) -> Slot | None:
        start = at - at % SLOT
        newest = self._slots[-1].start if self._slots else None
        if newest is None or start > newest:
            self._slots.append(Slot(start))
            return self._slots[-1]
        return next((slot for slot in reversed(self._slots) if slot.start == start), None) or self._late(start)

    def _late(self, start: int) -> Slot | None:
        """A slot between others, for partitions are read one after the other; None where it is too old."""
        newest = self._slots[-1].start
        if start <= newest - SLOT * SLOTS:
            return None
        slots = sorted([*self._slots, Slot(start)], key=lambda slot: slot.start)
        self._slots = deque(slots[-SLOTS:], maxlen=SLOTS)
        return next((slot for slot in self._slots if slot.start == start), None)

    def _book(self, digest: str, at: int) -> Counts:
        found = self._books.get(digest)
        if found is None:
            found = self._books[digest] = Counts(at)
            while len(self._books) > _BOOKS:
                del self._books[next(iter(self._books))]
        return found


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < _NAMES else OTHER] += 1


def _minutes(counts: list[int]) -> list[int]:
    """What the minute up to each slot's end brought."""
    return [sum(counts[max(0, place - _A_MINUTE + 1) : place + 1]) for place in range(len(counts))]
