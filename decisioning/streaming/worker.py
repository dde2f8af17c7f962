"""What the chassis runs for us: a record in, the engine's answer out, all in memory.

`read` finds the customer a record concerns, or sends it where it belongs; `apply` asks the engine. Nothing here knows
why a decision falls as it does, and nothing waits.

The clock. Under `wall`, now is the machine's. Under `event` it is the newest event time *of that customer*: records
of different partitions arrive in any order, and nobody's answer may depend on how far another customer's have come. A
wake that is due before a customer's next event fires before it; else wakes fire as the newest event time of this
worker passes them. So the same events in the same order per customer give the same decisions as `decide`, on any
number of workers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Literal, NamedTuple, Protocol

import structlog
from msgspec.structs import replace

from decisioning import decision as decisions
from decisioning import holds, moves
from decisioning.decision import Decision, Outcome
from decisioning.engine import Step, on_event, on_relay, on_sweep, on_wake
from decisioning.errors import EventRejected, Fault, StateTooNew
from decisioning.event import Event, Headers
from decisioning.instant import HOUR
from decisioning.moves import Forward
from decisioning.payload import TYPES
from decisioning.policy import Policy
from decisioning.recall import stops
from decisioning.state import State, dumps, glance
from decisioning.stops import stops_more
from decisioning.streaming import erasure, past, relay, store
from decisioning.streaming.admit import admit
from decisioning.streaming.chassis.job import Applied, Output, Record
from decisioning.streaming.chassis.watchdog import STORE, crash
from decisioning.streaming.dead_letter import Stage, dead_letter
from decisioning.streaming.logs import Sparing, trace_of
from decisioning.streaming.metrics import Metrics, Result
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import name_of, partition_of

KEPT: Final = 8 * 1024 * 1024
"""How much of a value that is too large a dead letter keeps: all that a broker is likely to take."""
_log: Final = structlog.stdlib.get_logger(__name__)
TIDY: Final = 6 * HOUR
"""How often ended holds are looked for, so that the topic of holds does not keep them."""
_QUIET_NS: Final = 200_000_000  # no record for so long: nothing of the newest instant is still under way
_STRUCTURED: Final[tuple[tuple[str, bytes], ...]] = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)


class Arrived(NamedTuple):
    """An event, and the record that it came in: it may have to travel on."""

    event: Event
    record: Record
    came: relay.Forwarded
    quiet: int | None = None
    """Of an event that is history: how long (us) after it no more may come before its holds are said."""


Message = Arrived | relay.Wake | relay.Swept | moves.Message


class Ask(Protocol):
    """The engine's `on_event`, or what stands around it."""

    def __call__(
        self, policy: Policy, state: State | None, event: Event, now: int, *, say_at: int | None = None
    ) -> Step:
        """What follows from an event."""


def wall() -> int:
    """The machine's clock as an instant."""
    return time.time_ns() // 1000


class Worker:
    """The chassis' `Job` for decisions: keys are customers, messages are events, wakes and parts of moves."""

    def __init__(
        self,
        policy: Policy,
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], int] = wall,
        took: Callable[[int], None] = lambda timestamp: None,
        erased_within: int | None = None,
        audit: Callable[[Output, State, Policy], None] = lambda output, state, policy: None,
        ask: Ask = on_event,
    ) -> None:
        self.policy = policy
        self._sweeps = self._wanted = int(bool(policy.switch.gives()))
        self._tidied_at = clock()
        self._settings = settings
        self._metrics = metrics
        self._wall = clock
        self._took = took
        self._erased_within = erased_within
        self._audit = audit
        self._ask = ask
        self._log = Sparing(__name__)
        self._log_decisions = settings.log_decisions
        self._event_clock: Literal[True, False] = settings.clock == "event"
        self._newest = 0
        self._read_at = 0
        self._relay = name_of(settings, "relay")
        self._decisions = name_of(settings, "decisions")
        self._dead_letters = name_of(settings, "dead-letters")
        self._holds = name_of(settings, "holds")
        self._products = name_of(settings, "products")

    def follow(self, policy: Policy) -> None:
        """Decide by this policy from now on; what it stops and the last one did not is looked for in every lane."""
        if stops_more(policy.switch.rule, self.policy.switch.rule):
            self._sweeps += 1
            self._wanted = self._sweeps
        elif not policy.switch.gives():
            self._wanted = 0
        self.policy = policy

    @property
    def sweep(self) -> int:
        """The number of the sweep that stands: the last stop's, or the last of those that tidy; 0: none."""
        now = 0 if self._event_clock else self._wall()
        if now - self._tidied_at >= TIDY:
            self._tidied_at = now
            self._sweeps += 1
            self._wanted = self._sweeps
        return self._wanted

    def read(self, record: Record) -> tuple[bytes, Message] | Sequence[Output]:
        """The customer and what happened to them; or where the record goes instead."""
        self._read_at = time.monotonic_ns()
        self._took(record.timestamp)
        headers: Headers = record.headers
        came = relay.Forwarded(headers, 0)
        if record.topic == self._relay:
            try:
                found = relay.read(record)
            except StateTooNew as error:
                crash(STORE, str(error))
            if found is None:
                return self._refuse(record, EventRejected(Fault.NOT_AN_EVENT, "not a relay record of ours"))
            if not isinstance(found, relay.Forwarded):
                return record.key or b"", found
            came = found
        try:
            event = self._parse(record, came.headers)
        except EventRejected as error:
            return self._refuse(record, error)
        self._newest = max(self._newest, event.time)
        if event.data is None:
            self._metrics.events.inc(event.type, Result.SKIPPED)
            return ()
        if event.type == "product.described":
            self._metrics.events.inc(event.type, Result.FORWARDED)
            return (Output(self._products, event.subject.encode(), record.value, relay.plain(came.headers)),)
        if came.moves and record.key is not None:
            event = replace(event, subject=record.key.decode())
        key = event.subject.encode()
        if record.key == key and record.partition == partition_of(key, self._settings.partitions):
            return key, Arrived(event, record, came, past.quiet_of(came.headers))
        self._metrics.misrouted.inc(record.topic)
        if came.hops >= relay.MAX_HOPS:
            return self._refuse(record, EventRejected(Fault.HOP_LIMIT, "forwarded too often: do topics differ?"))
        self._metrics.events.inc(event.type, Result.FORWARDED)
        return (relay.forward(self._relay, key, record, came),)

    def apply(self, key: bytes, state: State | None, message: Message) -> Applied[State] | None:
        """The customer's new state and what to publish; None when nothing changed and nothing is to be said."""
        if isinstance(message, relay.Wake):
            return self._woken(state, message)
        if isinstance(message, relay.Swept):
            return self._tidied(key, state, message)
        if not isinstance(message, Arrived):
            return self._told(key, state, message)
        event, outputs = message.event, list[Output]()
        if message.quiet is None:
            self._metrics.event_age.observe(max(0, self._wall() - event.time) / 1e6)
        state, now = self._until(outputs, key, state, event.time)
        say_at = None if message.quiet is None else past.say_at(message.quiet, None if self._event_clock else now)
        step = self._ask(self.policy, state, event, now, say_at=say_at)
        if step.unknown:
            self._metrics.unknown_references.inc(event.type)
        if step.state is state and not outputs and not step.relays:
            self._metrics.events.inc(event.type, Result.REPEATED)
            return None
        handed_on = any(isinstance(one.message, Forward) for one in step.relays)
        self._metrics.events.inc(event.type, Result.FORWARDED if handed_on else Result.APPLIED)
        state = self._said(outputs, key, state, step, message)
        return Applied(state, step.wake_at, outputs, state.now)

    def load(self, key: bytes, body: bytes) -> State:
        """The state that the store kept."""
        return store.load(key, body, partial(self._degraded, key))

    def damaged(self, key: bytes) -> State:
        """The state of a customer of whose record nothing can be read: service yes, marketing no."""
        return store.damaged(key, partial(self._degraded, key))

    def _degraded(self, key: bytes) -> None:
        self._metrics.degraded.inc()
        self._log.warning("a customer's state cannot be read: service only", customer=key)

    def dump(self, key: bytes, state: State) -> bytes:
        """The bytes for the store to keep."""
        body = dumps(state)
        self._metrics.state_bytes.observe(len(body))
        return body

    def wake(self, lane: int, key: bytes, due: int) -> Output:
        """The relay record that a due wake becomes."""
        return relay.wake(self._relay, lane, key, due)

    def swept(self, lane: int, key: bytes, body: bytes) -> Output | None:
        """What has live words taken back that are stopped, and ended holds forgotten; None where there are neither."""
        found = glance(body, None if self._event_clock else self._wall())
        if found.ended or any(stops(self.policy, act) for act in found.live):
            return relay.sweep(self._relay, lane, key, self.policy.stopped_by)
        return None

    def now(self) -> int:
        """The instant up to which wakes are due; under the event clock the newest instant itself only once it is quiet,
        because at one instant events go before wakes."""
        if not self._event_clock:
            return self._wall()
        quiet = time.monotonic_ns() - self._read_at > _QUIET_NS
        return self._newest if quiet else self._newest - 1

    def restored(self, clock: int) -> None:
        """A lane came with its memory: the event clock goes on from there."""
        self._newest = max(self._newest, clock)

    def describe(self, record: Record) -> None:
        """Take in a record of the products topic; EventRejected when it is none."""
        event = self._parse(record, record.headers)
        if event.type != "product.described":
            raise EventRejected(Fault.WRONG_TYPE, "only product.described belongs on the products topic")
        self._newest = max(self._newest, event.time) if self._event_clock else self._newest
        self.policy.catalogue.fold(event)

    def _parse(self, record: Record, headers: Headers) -> Event:
        return admit(self._settings, record.value, headers, self._wall())

    def _refuse(self, record: Record, error: EventRejected) -> tuple[Output]:
        self._metrics.dead_letters.inc(error.fault)
        self._log.warning(
            "dead letter", code=error.fault.value, topic=record.topic, partition=record.partition,
            offset=record.offset, traceparent=trace_of(record.headers),
        )  # fmt: skip
        stage = Stage.RELAY if record.topic == self._relay else Stage.EVENT
        return (dead_letter(record, error, topic=self._dead_letters, bound=KEPT, stage=stage),)

    def _woken(self, state: State | None, message: relay.Wake) -> Applied[State] | None:
        if state is None or state.wake_at != message.due:
            return None  # it was answered in the meantime, or waits for another instant
        now = max(message.due, state.now) if self._event_clock else max(self._wall(), message.due)
        outputs: list[Output] = []
        step = self._wakened(state, message.due, now)
        state = self._said(outputs, state.subject.encode(), state, step)
        return Applied(state, step.wake_at, outputs, state.now)

    def _tidied(self, key: bytes, state: State | None, message: relay.Swept) -> Applied[State] | None:
        if state is None:
            return None
        step = on_sweep(self.policy, state, message.cause, state.now if self._event_clock else self._wall())
        if step.state is state:
            return None  # an event came first, or the stop is over
        outputs: list[Output] = []
        state = self._said(outputs, key, state, step)
        return Applied(state, step.wake_at, outputs, state.now)

    def _told(self, key: bytes, state: State | None, message: moves.Message) -> Applied[State] | None:
        outputs: list[Output] = []
        state, now = self._until(outputs, key, state, message.now)
        step = on_relay(self.policy, state, key.decode(), message, now)
        if step.state is state and not outputs and not step.relays:
            return None
        state = self._said(outputs, key, state, step)
        return Applied(state, step.wake_at, outputs, state.now)

    def _until(self, outputs: list[Output], key: bytes, state: State | None, at: int) -> tuple[State | None, int]:
        """The state and the instant at which something of instant `at` is handled, after the wakes due before it."""
        if not self._event_clock:
            return state, self._wall()
        now = max(at, state.now if state is not None else 0)
        while state is not None and state.wake_at is not None and state.wake_at < now:
            state = self._said(outputs, key, state, self._wakened(state, state.wake_at, state.wake_at))
        return state, now

    def _wakened(self, state: State, due: int, now: int) -> Step:
        self._metrics.wakes.inc()
        self._metrics.wake_late.observe((now - due) / 1e6)
        return on_wake(self.policy, state, now)

    def _said(
        self, outputs: list[Output], key: bytes, before: State | None, step: Step, arrived: Arrived | None = None
    ) -> State:
        for clause in step.errors:
            self._metrics.rule_errors.inc(clause)
            self._log.warning("a clause could not be judged", clause=clause)
        for decision in step.outputs:
            self._metrics.decisions.inc(
                decision.outcome, decision.class_ or "", decision.channel or "", decision.reason
            )
            if self._settings.output_mode == "structured":
                value, headers = decisions.dumps(decision), _STRUCTURED
            else:
                value, headers = decisions.dumps_binary(decision)
            headers += erasure.receipt(decision, self._wall(), self._erased_within)
            outputs.append(Output(self._decisions, key, value, headers))
            if self._log_decisions:
                _decided(decision)
            if decision.outcome is Outcome.ACT:
                self._audit(outputs[-1], step.state, self.policy)
        for scope, hold in holds.changes(before, step.state):
            said = None if hold is None else holds.dumps(step.state.subject, step.state.now, hold)
            lane = partition_of(key, self._settings.partitions)
            outputs.append(Output(self._holds, key + b"|" + scope.encode(), said, _STRUCTURED if said else (), lane))
        for one in step.relays:
            if not isinstance(one.message, Forward):
                outputs.append(relay.tell(self._relay, one.to, one.message))
            elif arrived is not None:
                outputs.append(self._hand_on(one.to, arrived))
        return step.state

    def _hand_on(self, to: str, arrived: Arrived) -> Output:
        """The event's record on its way to the subject whose it is now."""
        if arrived.came.moves >= relay.MAX_MOVES:
            error = EventRejected(Fault.HOP_LIMIT, "handed on too often: whose is it?")
            return self._refuse(arrived.record, error)[0]
        return relay.hand_on(self._relay, to.encode(), arrived.record, arrived.came)


def _decided(decision: Decision) -> None:
    _log.info(
        "decision", id=decision.id, outcome=decision.outcome.value, class_=decision.class_, channel=decision.channel,
        reason=decision.reason, customer=decision.subject, traceparent=decision.traceparent,
    )  # fmt: skip


EVENT_TYPES: Final = tuple(TYPES)
"""The closed list behind the metric's `type` label."""
