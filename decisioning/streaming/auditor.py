"""The audit at work: every contact that goes out is looked at once more, beside the events and not in their way.

What it asks stands in `decisioning.audit`. It gets the record as the producer gets it, and the customer's memory of
that moment, which nobody changes any more; so it can look a little later, a few contacts at a time. Contacts that are
published again after a crash are not looked at again: they have the bytes that they had.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import msgspec
import structlog

from decisioning.audit import Numbers, broken, contact, numbers
from decisioning.policy import Policy
from decisioning.state import State
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.metrics import Audited, Metrics

_log: Final = structlog.stdlib.get_logger(__name__)
_SECONDS: Final = 0.1
_TURN: Final = 32  # contacts between two turns of the event loop: a third of a millisecond
_MOST: Final = 20_000  # contacts that may wait; each holds its customer's memory


class Auditor:
    """Counts broken rules in `decisioning_forbidden_contacts_total`, and says each in one line."""

    def __init__(self, metrics: Metrics, most: int = _MOST) -> None:
        self._metrics = metrics
        self._most = most
        self._waiting: deque[tuple[Output, State, Policy]] = deque()
        self._read: tuple[Policy, Numbers] | None = None

    def sent(self, output: Output, state: State, policy: Policy) -> None:
        """A contact is on its way: `state` is its customer's memory once it was decided, `policy` what decided it."""
        if len(self._waiting) < self._most:
            self._waiting.append((output, state, policy))
        else:
            self._metrics.audited.inc(Audited.MISSED)

    async def run(self) -> None:
        """Look at what is sent, for ever."""
        while True:
            await asyncio.sleep(0 if self._waiting else _SECONDS)
            self.look(_TURN)

    def look(self, most: int | None = None) -> None:
        """Look at what waits, at most at so many."""
        for _ in range(len(self._waiting) if most is None else min(most, len(self._waiting))):
            output, state, policy = self._waiting.popleft()
            if self._read is None or self._read[0] is not policy:
                self._read = (policy, numbers(policy))
            self._judge(output, state, self._read[1])

    def _judge(self, output: Output, state: State, by: Numbers) -> None:
        try:
            said = contact(output.value or b"", output.headers)
        except (msgspec.MsgspecError, KeyError):
            self._metrics.audited.inc(Audited.MISSED)
            _log.error("the audit cannot read a decision of ours")
            return
        self._metrics.audited.inc(Audited.CHECKED)
        if said is None:
            return
        for rule in broken(said, output.key, state, by):
            self._metrics.forbidden.inc(rule)
            _log.critical(
                "FORBIDDEN CONTACT", rule=rule, decision=said.id, customer=said.subject, traceparent=said.traceparent
            )
