"""The demo's loop: publish what is due, read what was decided, count, show; all in one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from decisioning.streaming.demo.channels import Channels
from decisioning.streaming.demo.fact import Fact
from decisioning.streaming.demo.feeder import Pace, Publisher, Watcher
from decisioning.streaming.demo.processes import Child, PartFailed
from decisioning.streaming.demo.screen import Progress, Screen
from decisioning.streaming.demo.shop import History
from decisioning.streaming.demo.story import Story
from decisioning.streaming.demo.tally import Tally
from decisioning.streaming.settings import Settings, client_options
from decisioning.streaming.topics import name_of

_ANSWER_SECONDS: Final = 20.0
_SETTLE_SECONDS: Final = 1.0


class Loop:
    """One run of a history against a worker that is ready.

    `stamped` says whether facts carry their own instants as Kafka timestamps (see `Publisher`). Once `interrupted` says
    so the next turn ends the run with KeyboardInterrupt: Kafka's client drops one that is raised in its callbacks.
    """

    def __init__(
        self,
        told: History,
        settings: Settings,
        watcher: Watcher,
        screen: Screen,
        worker: Child,
        *,
        stamped: bool,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.tally = Tally()
        self._told = told
        self._watcher = watcher
        self._screen = screen
        self._worker = worker
        self._interrupted = interrupted
        self._dead_letters = name_of(settings, "dead-letters")
        self._publisher = Publisher(client_options(settings), stamped=stamped, arrived=self.tally.arrive)
        self._channels = Channels()
        self._story = Story(told.protagonist)
        self._pace = Pace(told.facts, 1)
        self._elapsed = 0.0

    def feed(self, seconds: float) -> None:
        """The catalogue at once, the history over `seconds`; then wait for what is owed, as long as answers come."""
        for one in self._told.described:
            self._publish(one, time.monotonic())
        self._publisher.flush()
        self._pace = Pace(self._told.facts, seconds)
        begun = time.monotonic()
        while not self._pace.done:
            now = time.monotonic()
            for one in self._pace.due(now - begun):
                self._publish(one, time.monotonic())
            for one in self._channels.due(self._pace.clock):
                self._publish(one, now)
            self._elapsed = now - begun
            self._turn()
        self._publisher.flush()
        for _ in self._until_settled():
            self._turn()

    def _until_settled(self) -> Iterator[None]:
        """Turns until nothing is owed and nothing new has come for a second; with answers owed, for twenty."""
        latest, seen = time.monotonic(), -1
        while time.monotonic() - latest < (_ANSWER_SECONDS if self.tally.waiting else _SETTLE_SECONDS):
            if self.tally.decisions != seen:
                latest, seen = time.monotonic(), self.tally.decisions
            yield

    def progress(self) -> Progress:
        """How far it is."""
        return Progress(self._pace.sent, len(self._told.facts), self._pace.clock, self._elapsed)

    def problems(self) -> list[str]:
        """What makes this run a failure, a sentence each."""
        found = []
        if self.tally.waiting:
            ids = ", ".join(self.tally.unanswered[:5])
            found.append(f"{self.tally.waiting} answers are missing, of the requests {ids} …")
        if self.tally.conflicts:
            found.append(f"{self.tally.conflicts} decision ids came with two payloads")
        if self.tally.decisions == 0:
            found.append("no decision was seen")
        return found

    def _publish(self, one: Fact, now: float) -> None:
        self.tally.publish(one, now)
        self._publisher.publish(one)
        if (line := self._story.happens(one)) is not None:
            self._screen.tell(line)

    def _turn(self) -> None:
        if self._interrupted():
            raise KeyboardInterrupt
        for message in self._watcher.take(0.004):
            if message.topic() == self._dead_letters:
                self.tally.refuse(message.headers() or [])
            elif (one := self.tally.decide(message.value() or b"", time.monotonic())) is not None:
                self._channels.take(one)
                if (line := self._story.decides(one)) is not None:
                    self._screen.tell(line)
        self._publisher.poll()
        if self._worker.ended is not None:
            raise PartFailed(f"the worker ended with exit code {self._worker.ended}:\n{self._worker.last_words()}")
        self._screen.show(self.tally, self.progress())
