"""Events in the order given through the pure engine, wakes between them: what `decide` runs, and what the worker must
equal.

The clock is the newest event time so far and never runs backwards. At one instant events go before wakes, and wakes
go by (due, customer); products, unknown types and repeats move the clock too.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

from decisioning.decision import Decision
from decisioning.engine import Step, on_event, on_relay, on_wake
from decisioning.event import Event
from decisioning.moves import Forward, Relay
from decisioning.policy import Policy
from decisioning.state import State


class Replay:
    """All customers of one run, in memory; `states` and `now` may be read at any time."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.states: dict[str, State] = {}
        self.now = 0
        self._due: list[tuple[int, str]] = []

    def feed(self, event: Event) -> Iterator[Decision]:
        """The decisions up to and including this event, in order: first those of wakes due before it."""
        now = max(self.now, event.time)
        yield from self._wake(before=now)
        self.now = now
        self.policy.catalogue.fold(event)
        if event.data is not None and event.type != "product.described":
            step = on_event(self.policy, self.states.get(event.subject), event, now)
            yield from self._keep(event.subject, step)

    def finish(self, until: int | None = None) -> Iterator[Decision]:
        """The decisions of wakes due by the newest event, or by the instant `until` if that is later."""
        self.now = max(self.now, until or 0)
        yield from self._wake(before=self.now + 1)

    def _wake(self, before: int) -> Iterator[Decision]:
        while self._due and self._due[0][0] < before:
            due, subject = heappop(self._due)
            state = self.states[subject]
            if state.wake_at == due:
                yield from self._keep(subject, on_wake(self.policy, state, due))

    def _keep(self, subject: str, step: Step) -> Iterator[Decision]:
        before = self.states.get(subject)
        self.states[subject] = step.state
        if step.wake_at is not None and (before is None or before.wake_at != step.wake_at):
            heappush(self._due, (step.wake_at, subject))
        yield from step.outputs
        for relay in step.relays:
            yield from self._keep(relay.to, self._tell(relay))

    def _tell(self, relay: Relay) -> Step:
        """What another subject makes of a message: here it arrives at once, in the same instant."""
        state, message = self.states.get(relay.to), relay.message
        if isinstance(message, Forward):
            return on_event(self.policy, state, message.event, self.now)
        return on_relay(self.policy, state, relay.to, message, self.now)
