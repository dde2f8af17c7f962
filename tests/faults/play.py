"""Plays a scenario: publishes its stream, takes its steps in their turn, and waits until all is done.

One loop on one thread does it all, so that a seed means the same each time as far as processes allow.
"""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

from tests.faults.scenario import Do, Scenario, Turn, turns
from tests.faults.stream import Sent, drawn
from tests.faults.world import PARTITIONS, Exit, Hand, World, break_kafka
from tests.streaming.history import products
from tests.streaming.invariants import Moment
from tests.streaming.live import until

WARM: Final = 15.0
"""Seconds from a worker's restart to its first new decision, at most (I7)."""
AFTER_KAFKA: Final = 30.0
"""The same from the return of a broker (I7)."""
SILENT: Final = 15.0
"""Seconds in which a worker that must not go on says so and ends (I8), beside those that its start takes."""
PATIENCE: Final = 90.0
"""Seconds after the end of the stream in which everything must be done."""
CRASHES: Final = 6
"""A supervisor that has seen a worker end so often in one way starts it no more: a restart does not mend it."""
_TAIL: Final = 0.15
_KNOWN: Final = re.compile(r"^(?:crash \d+: |topics: |partitions: |.*Kafka at )", re.I)
_KAFKA: Final = {
    Do.DOWN, Do.UP, Do.CRASH, Do.DELAY, Do.COORDINATE, Do.LEAD, Do.REFUSE, Do.RECREATE, Do.CUT, Do.DEAFEN, Do.HEAL,
}  # fmt: skip


class Mark(NamedTuple):
    """An instant (seconds, by the clock) from which every lane shall say something new within so many seconds."""

    at: float
    limit: float


class Play:
    """One run of a scenario on a Kafka."""

    def __init__(self, scenario: Scenario, seed: int, world: World, say: Callable[[str], None]) -> None:
        self.scenario, self.world, self._say = scenario, world, say
        self._draw = Random(f"{seed} steps")
        self._turns = turns(scenario, self._draw)
        self._sent = drawn(scenario.stream, seed, PARTITIONS)
        self.hands: dict[str, Hand] = {}
        self.exits: list[Exit] = []
        self.findings: list[str] = []
        self.moments: list[Moment] = []
        self.pages: dict[str, bytes] = {}
        self.patience = SILENT + 10
        self.watched: Callable[[], None] = lambda: None
        """Called ten times a second, for whoever wants to watch more."""
        self._dark: set[str] = set()
        self.marks: list[Mark] = []
        self.waits: list[float] = []
        self._looked = 0.0
        self._began = time.monotonic()

    def run(self) -> None:
        """From the first record to the last worker's end; what is wrong stands in `findings`."""
        stream = self.scenario.stream
        self.world.live.tell(products())
        for sent in self._sent[: stream.waiting]:
            self._publish(sent)
        self.world.live.flush()
        for name in self.scenario.workers:
            self._start(name)
        if not stream.waiting:
            self._until(self._all_ready, 60, "a first start")
        self._began = time.monotonic()
        paced, turns_left = self._sent[stream.waiting :], list(self._turns)
        head = paced[: int(len(paced) * (1 - _TAIL))] if turns_left else paced
        self._flow(head, stream.seconds, turns_left)
        self._flow(paced[len(head) :], 0.7, [])  # so that after the last fault there is something new to decide
        if self.scenario.ends is not None:
            self._refused()
            return
        self._settle()
        for name, hand in self.hands.items():
            if hand.process.process.poll() is None:
                self.pages |= {name + path: page for path, page in self.world.pages(hand.process).items()}
        for hand in self.hands.values():
            if hand.wanted and (code := hand.stop()) != 0:
                self._ended_badly(hand, code)

    def _flow(self, paced: list[Sent], seconds: float, turns_left: list[Turn]) -> None:
        """Publish at an even pace, take the steps that are due, until both are through."""
        began, next_one = time.monotonic(), 0
        pace = seconds / max(1, len(paced))
        while next_one < len(paced) or turns_left:
            now = time.monotonic()
            while next_one < len(paced) and began + next_one * pace <= now:
                self._publish(paced[next_one])
                next_one += 1
            while turns_left and self._began + turns_left[0].at <= now:
                self._take(turns_left.pop(0))
            self._look()
            threading.Event().wait(0.01)

    def _publish(self, sent: Sent) -> None:
        fact = sent.fact
        at = int(time.time() * 1000 + sent.wrong * 3_600_000) if sent.wrong else None
        self.world.live.publish(fact.topic, fact.value, fact.key, at=at, partition=fact.partition)

    # -- steps --------------------------------------------------------------------------------------------------------

    def _take(self, turn: Turn) -> None:
        """One step of the scenario. Steps that take long (a stop) delay the next; the stream waits with them."""
        self._say(f"{turn.at:5.1f} s  {turn.do.value}: {' '.join(filter(None, (turn.target, turn.how)))}")
        if turn.do in _KAFKA:
            self._break_kafka(turn)
            return
        name = turn.target
        match turn.do:
            case Do.START:
                self._start(name)
            case Do.WIPE:
                self.world.wipe(name)
            case Do.CORRUPT:
                self.world.damage(name, turn.how, self._draw)
            case Do.RULES:
                self.world.write_rules(name, turn.how)
            case Do.KILL:
                self.hands[name].kill()
                self._leave(name)
                self._remember_moment()
            case Do.STOP:
                hand = self.hands[name]
                if (code := hand.stop()) != 0:
                    self._ended_badly(hand, code)
            case Do.FREEZE:
                self.hands[name].signal(signal.SIGSTOP)
                self._leave(name)
            case Do.THAW:
                self.hands[name].signal(signal.SIGCONT)
                self._mark(WARM)
            case Do.FILL:
                self.hands[name].fill()

    def _break_kafka(self, turn: Turn) -> None:
        target = self.world.called.get(turn.target, turn.target)
        break_kafka(self.world.kafka, turn.do, target, turn.how, self.world.group, self.world.topics)
        if turn.do in (Do.DOWN, Do.CRASH):
            self._dark.add(turn.target)
        elif turn.do is Do.UP:
            self._dark.discard(turn.target)
        if turn.do in (Do.CUT, Do.DEAFEN):
            self._leave(turn.target)
        if turn.do in (Do.UP, Do.HEAL):
            self._mark(AFTER_KAFKA)

    def _start(self, name: str) -> None:
        if name in self.hands:
            self.hands[name].start()
            self._mark(WARM)
        else:
            self.hands[name] = Hand(name, self.world.start)

    def _mark(self, limit: float) -> None:
        """From now on it counts how long each lane says nothing new."""
        self.marks.append(Mark(time.time(), limit))

    def _leave(self, name: str) -> None:
        """A worker is gone, in one way or another: if there are others, its lanes are theirs to take over (I7)."""
        if any(hand.wanted for other, hand in self.hands.items() if other != name):
            self._mark(WARM)

    def _remember_moment(self) -> None:
        """What is committed and what is written while nobody works (I9)."""
        if not self._dark and not any(hand.wanted for hand in self.hands.values()):
            moment = self.world.moment()
            self.moments += [moment] if moment is not None else []

    # -- watching -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Ten times a second: who has ended, and whether anything new was said since the last repair."""
        now = time.monotonic()
        if now - self._looked < 0.1:
            return
        self._looked = now
        self.watched()
        for hand in self.hands.values():
            ended = hand.look(self._began, again=self.scenario.ends is None and not self._in_vain(hand.name))
            if ended is not None:
                self._say(f"{ended.at:5.1f} s  {ended.worker} ended with {ended.code}: {ended.line}")
                self.exits.append(ended)
                if ended.code == 0 or not _KNOWN.match(ended.line):
                    self.findings.append(f"I8: {ended.worker} ended with {ended.code} and said: {ended.line!r}")

    def _in_vain(self, name: str) -> bool:
        """Whether this worker has ended too often in one way; a finding, once."""
        codes = [one.code for one in self.exits if one.worker == name]
        if len(codes) < CRASHES or len(set(codes[-CRASHES:])) > 1:
            return False
        line = f"I8: restarts do not mend it, {name} ended {CRASHES} times with {codes[-1]}: {self.exits[-1].line}"
        self.findings += [] if any(found.startswith("I8: restarts") for found in self.findings) else [line]
        return True

    def _all_ready(self) -> bool:
        return all(self.world.ready(hand.process) for hand in self.hands.values())

    def _until(self, condition: Callable[[], Any], seconds: float, what: str) -> bool:
        try:
            until(lambda: (self._look(), condition())[1], seconds, what)  # type: ignore[func-returns-value]
        except AssertionError:
            return False
        return True

    def _settle(self) -> None:
        """Wait until all of every lane topic is committed and nothing new comes."""
        seen: list[tuple[float, object]] = []

        def still() -> bool:
            if not any(hand.wanted for hand in self.hands.values()):
                return True  # nobody will do anything any more
            done, now = self.world.done(), time.monotonic()
            if done is None or (seen and seen[-1][1] != done):
                seen.clear()
                if done is None:
                    threading.Event().wait(0.1)
                    return False
            seen.append((now, done))
            return now - seen[0][0] > self.world.calm

        if not self._until(still, PATIENCE, "the end of all work"):
            for hand in self.hands.values():
                code = hand.process.process.poll()
                said = self.world.pages(hand.process).get("/readyz", b"").decode() if code is None else f"ended {code}"
                self.findings.append(
                    f"I8: not all was done {PATIENCE:.0f} s after the last record; {hand.name}: {said}"
                )

    def _refused(self) -> None:
        """The worker that was started last must not go on: it says why and ends."""
        scenario, hand = self.scenario, self.hands[self.scenario.workers[0]]
        assert scenario.ends is not None
        self._until(lambda: self.exits, self.patience, "a refusal")
        if not self.exits:
            self.findings.append(f"I8: {hand.name} goes on (ready: {hand.process.is_ready()}), instead of a refusal")
            return
        ended = self.exits[-1]
        if ended.code != scenario.ends.code or scenario.ends.says not in ended.line:
            self.findings.append(f"I8: ended with {ended.code}, {ended.line!r}, instead of {scenario.ends}")

    def _ended_badly(self, hand: Hand, code: int | None) -> None:
        line = (hand.process.output.strip().splitlines() or [""])[-1]
        ended = Exit(hand.name, -1 if code is None else code, line, time.monotonic() - self._began)
        self._say(f"{ended.at:5.1f} s  {hand.name} was asked to stop and ended with {code}: {line}")
        if code == -signal.SIGTERM and not self.world.ready(hand.process):
            return  # it had not begun
        self.exits.append(ended)
        if code is None or code <= 0 or not _KNOWN.match(line):
            self.findings.append(f"I8: asked to stop, {hand.name} ended with {code} and said: {line!r}")
