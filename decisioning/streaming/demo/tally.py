"""What came of it all: outcomes, reasons, latency, and whether every request has its answer.

The counts are the demo's promise to its reader: a request without an answer or a dead letter, or one decision id with
two payloads, makes the run fail.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from decisioning.inbox import Received, read
from decisioning.streaming.demo.fact import Fact

Place = tuple[str, int, int]
"""Topic, partition, offset of a record."""
_ANSWERS: Final = frozenset({"act", "suppress", "defer"})
_RECENT: Final = 2000


class Tally:
    """Counts of one run. Times are seconds of a monotonic clock, handed in; latencies are milliseconds."""

    def __init__(self) -> None:
        self.published: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.silences: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.further = 0
        self.repeated = 0
        self.conflicts = 0
        self._owed: dict[tuple[str, str], int] = {}
        self._sent: dict[tuple[str, str], float] = {}
        self._places: dict[Place, tuple[str, str]] = {}
        self._refused: set[Place] = set()
        self._digests: dict[str, bytes] = {}
        self._latencies: list[float] = []
        self._recent: deque[float] = deque(maxlen=_RECENT)

    def publish(self, one: Fact, now: float) -> None:
        """A fact is on its way since `now`."""
        self.published[one.type] += 1
        if one.answers:
            self._owed[one.source, one.id] = one.answers
            self._sent[one.source, one.id] = now

    def arrive(self, one: Fact, place: Place) -> None:
        """A fact lies at a place of the log, which is how a dead letter names it."""
        if place in self._refused:  # its dead letter was faster than our broker's receipt
            self._owed.pop((one.source, one.id), None)
        elif one.answers:
            self._places[place] = (one.source, one.id)

    def decide(self, value: bytes, now: float) -> Received | None:
        """A decision was seen at `now`; None for one seen before (after a crash they come again, as they were)."""
        one = read(value)
        digest = sha256(value).digest()
        known = self._digests.setdefault(one.id, digest)
        if known is not digest:
            self.repeated += 1
            self.conflicts += known != digest
            return None
        self.outcomes[one.outcome] += 1
        if one.outcome not in ("act", "hold", "release"):
            self.silences[one.reason] += 1
        if one.outcome in _ANSWERS:
            self._answer(one, now)
        return one

    def _answer(self, one: Received, now: float) -> None:
        if one.at_wake:
            self.further += 1
            return
        trigger = (one.data["trigger"]["source"], one.data["trigger"]["id"])
        if trigger in self._owed:
            sent = self._sent.pop(trigger, None)
            if sent is not None:
                insort(self._latencies, (now - sent) * 1000)
                self._recent.append((now - sent) * 1000)
            self._settle(trigger)

    def _settle(self, trigger: tuple[str, str]) -> None:
        self._owed[trigger] -= 1
        if self._owed[trigger] <= 0:
            del self._owed[trigger]

    def refuse(self, headers: Sequence[tuple[str, bytes]]) -> None:
        """A dead letter was seen; its headers say which record it was and why."""
        found = dict(headers)
        self.dead_letters[found.get("decisioning.error.code", b"unknown").decode()] += 1
        place = (
            found.get("__streams.errors.topic", b"").decode(),
            int(found.get("__streams.errors.partition", b"-1")),
            int(found.get("__streams.errors.offset", b"-1")),
        )
        self._refused.add(place)
        request = self._places.pop(place, None)
        if request is not None:
            self._owed.pop(request, None)

    @property
    def waiting(self) -> int:
        """How many answers are still owed to requests published so far."""
        return sum(self._owed.values())

    @property
    def unanswered(self) -> list[str]:
        """The ids of requests that still wait for an answer, in the order in which they were published."""
        return [id_ for _, id_ in self._owed]

    @property
    def decisions(self) -> int:
        """How many different decisions were seen."""
        return self.outcomes.total()

    def latency(self, share: float, *, recent: bool = False) -> float:
        """The latency in ms that `share` (0..1) of the answers stay below, of all or the last 2,000; 0 without any."""
        known = sorted(self._recent) if recent else self._latencies
        return known[min(len(known) - 1, int(share * len(known)))] if known else 0.0
