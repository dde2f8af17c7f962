"""Simulated channels: what becomes of an act after it is decided, drawn from its decision id alone.

Some messages bounce, some are read, some are stopped in time by a recall; of most, as in life, nothing is ever heard.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Final

from decisioning.instant import MINUTE
from decisioning.streaming.demo.fact import CHANNELS, Fact, fact
from decisioning.streaming.demo.tally import Decided

_BOUNCED: Final = 0.04
_DELIVERED: Final = 0.55
_CLICKED: Final = 0.15
_LABELS: Final = {
    "response.failed": "the message bounces",
    "response.delivered": "the message arrives",
    "response.clicked": "looks at it",
}


class Channels:
    """The channels' outbox: acts go in, their responses come out at their time, never before it."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, str, Decided]] = []
        self._going: dict[str, int] = {}
        self._order = count()

    def take(self, one: Decided) -> None:
        """A decision reached the channel: an act is scheduled, a recall stops what has not gone out."""
        if one.outcome == "act":
            self._schedule(one)
        elif one.outcome == "recall":
            self._push(one.time + MINUTE, "response.recalled", one)

    def due(self, clock: int) -> Iterator[Fact]:
        """The responses due by the instant `clock`, as events of that instant: channels report when they can."""
        while self._due and self._due[0][0] <= clock:
            at, _, kind, one = heapq.heappop(self._due)
            response = self._response(at, kind, one)
            if response is not None:
                yield response._replace(at=clock)

    def _schedule(self, one: Decided) -> None:
        chance = Random(one.id)
        fate = chance.random()
        arrives = one.time + chance.randint(5, 40) * MINUTE
        self._going[one.id] = arrives
        if fate < _BOUNCED:
            self._push(arrives, "response.failed", one)
        elif fate < _DELIVERED:
            self._push(arrives, "response.delivered", one)
            if fate < _CLICKED:
                self._push(arrives + chance.randint(5, 360) * MINUTE, "response.clicked", one)

    def _push(self, at: int, kind: str, one: Decided) -> None:
        heapq.heappush(self._due, (at, next(self._order), kind, one))

    def _response(self, at: int, kind: str, one: Decided) -> Fact | None:
        """One response as an event; None for a message that a recall has stopped."""
        channel = str(one.data.get("channel", "email"))
        if kind == "response.recalled":
            recalled = str(one.data["recalls"])
            in_time = self._going.pop(recalled, 0) > one.time
            data: dict[str, object] = {"decision_id": recalled, "in_time": in_time}
            label = "the message is stopped in time" if in_time else "the message is already out"
            return fact(kind, f"{recalled}-recalled", one.subject, at, data, source=CHANNELS, label=label)
        if one.id not in self._going:
            return None
        data = {"decision_id": one.id, "channel": channel}
        return fact(kind, f"{one.id}-{kind[9:]}", one.subject, at, data, source=CHANNELS, label=_LABELS[kind])
