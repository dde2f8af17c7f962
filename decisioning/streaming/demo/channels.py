"""Simulated channels: what becomes of an act after it is decided, drawn from its decision id alone.

Some messages bounce, some are read, some are stopped in time by a recall; of most, as in life, nothing is ever heard.
They obey the topic as any channel does, by an `Inbox`: nothing goes out twice, taken back or too late.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any, Final

from decisioning.inbox import Fleeting, Inbox, Received, Verdict
from decisioning.instant import MINUTE
from decisioning.streaming.demo.fact import CHANNELS, Fact, fact

_BOUNCED: Final = 0.04
_DELIVERED: Final = 0.55
_CLICKED: Final = 0.15
_LABELS: Final = {
    "failed": "the message bounces",
    "delivered": "the message arrives",
    "clicked": "looks at it",
    "expired": "too late for the message",
}


class Channels:
    """The channels' outbox: acts go in, their responses come out at their time, never before it."""

    def __init__(self) -> None:
        self._inbox = Inbox(Fleeting())
        self._leaving: list[tuple[int, int, Received]] = []
        self._due: list[tuple[int, int, Fact]] = []
        self._order = count()

    def take(self, one: Received) -> None:
        """A decision reached the channels: an act is on its way for some minutes, a recall stops it if it still is."""
        self._leave(one.time)
        verdict = self._inbox.take(one, one.time)
        if verdict is Verdict.DELIVER:
            leaves = one.time + Random(one.id).randint(5, 40) * MINUTE
            heapq.heappush(self._leaving, (leaves, next(self._order), one))
        elif verdict in (Verdict.CANCEL, Verdict.GONE):
            in_time = verdict is Verdict.CANCEL
            label = "the message is stopped in time" if in_time else "the message is already out"
            data = {"decision_id": one.data["recalls"], "in_time": in_time}
            self._respond("recalled", one, one.time + MINUTE, data, label)

    def due(self, clock: int) -> Iterator[Fact]:
        """The responses due by the instant `clock`, as events of that instant: channels report when they can."""
        self._leave(clock)
        while self._due and self._due[0][0] <= clock:
            yield heapq.heappop(self._due)[2]._replace(at=clock)

    def _leave(self, clock: int) -> None:
        """What was to go out by now goes out, each at its time."""
        while self._leaving and self._leaving[0][0] <= clock:
            at, _, act = heapq.heappop(self._leaving)
            verdict = self._inbox.dispatch(act, at)
            if verdict is Verdict.TOO_LATE:
                self._say("expired", act, at)
            elif verdict is Verdict.DELIVER:
                self._arrive(act, at)

    def _arrive(self, act: Received, at: int) -> None:
        chance = Random(act.id)
        chance.randint(5, 40)
        fate = chance.random()
        if fate < _BOUNCED:
            self._say("failed", act, at)
        elif fate < _DELIVERED:
            self._say("delivered", act, at)
            if fate < _CLICKED:
                self._say("clicked", act, at + chance.randint(5, 360) * MINUTE)

    def _say(self, kind: str, act: Received, at: int) -> None:
        self._respond(kind, act, at, {"decision_id": act.id, "channel": act.channel or "email"}, _LABELS[kind])

    def _respond(self, kind: str, one: Received, at: int, data: dict[str, Any], label: str) -> None:
        id_ = f"{data['decision_id']}-{kind}"
        told = fact(f"response.{kind}", id_, one.subject, at, data, source=CHANNELS, label=label)
        heapq.heappush(self._due, (at, next(self._order), told))
