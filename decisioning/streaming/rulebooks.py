"""Which rulebook decides: the file's, or that of the topic `rulebooks` where this has a good one of the same name.

A broken rulebook never replaces a good one. At the start it is refused, with the messages of `decisioning check`;
later the last good one stays, and the fault is counted, said once on stderr and shown by `/readyz` until it is mended.
A good one takes the other's place between two slices: a slice never waits while it decides, so every event of every
lane is judged by one rulebook, which its decisions name. A customer's live acts are judged anew at their next event,
and so a stop takes back what it stops.

*The file* is looked at now and then. A change counts once two looks in a row see the same file, so that one that is
being written is not taken for whole; a file put in place by renaming counts as soon, and needs no luck.

*The topic* (key: the rulebook's name, value: its text) wins over the file, so that one record reaches every worker; a
record without a value gives the word back to the file. Of several records the newest good one counts. After a crash
none of this can say one thing twice in two ways: what was published stands in the outbox and is repeated from there,
what was not is decided anew.

*Stops* pulled by hand stand beside the rulebooks, under keys of their own (`decisioning.stops`). They hold under
whatever rulebook decides, and they are followed whether or not the topic's rulebooks are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from decisioning import lint
from decisioning.catalogue import Catalogue
from decisioning.document import MAX_BYTES
from decisioning.errors import Problem, RulebookError
from decisioning.policy import Policy
from decisioning.stops import Stops, is_stop
from decisioning.streaming.chassis.job import Record
from decisioning.streaming.chassis.watchdog import dismiss, supervise
from decisioning.streaming.labels import shown
from decisioning.streaming.metrics import Load, Metrics, Source
from decisioning.streaming.settings import Settings, kafka_options
from decisioning.streaming.topics import TopicsError, name_of, partition_counts

TOPIC: Final = "rulebooks"
"""The row of the table of topics that carries rulebooks."""


def build(text: bytes, where: str, catalogue: Catalogue) -> Policy:
    """The policy of a rulebook's text, compiled; RulebookError with the messages of `decisioning check`.

    Whatever a text makes us stumble over is a refusal of that text and no reason to stop deciding.
    """
    try:
        return Policy(lint.load(text, where), catalogue)
    except RulebookError:
        raise
    except Exception as error:
        raise RulebookError(where, [Problem(1, 1, f"it cannot be read ({type(error).__name__})")]) from error


class RulebookFile:
    """The rulebook's file, and whether it changed. It reads the disk: ask it in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._taken: tuple[int, ...] = ()
        self._seen: tuple[int, ...] = ()
        self._text: bytes | None = None

    def read(self) -> bytes:
        """What it holds now; OSError when it cannot be read."""
        self._text = self._content()
        return self._text

    def look(self) -> bytes | None:
        """What it holds, once that changed and two looks saw the same file; else None. OSError, once, if unreadable."""
        stamp, before = self._stamp(), self._seen
        self._seen = stamp
        if stamp == self._taken or stamp != before:
            return None
        try:
            text = self._content()
        except OSError:
            self._taken, self._text = stamp, None
            raise
        if self._stamp() != stamp:
            return None
        self._taken = stamp
        if text == self._text:
            return None
        self._text = text
        return text

    def _stamp(self) -> tuple[int, ...]:
        """What differs when the content does. The time of the last change of the inode, because nobody can set it."""
        try:
            found = os.stat(self.path)
        except OSError as error:
            return (error.errno or -1,)
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _content(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(MAX_BYTES + 1)  # one byte more than is allowed is enough to be refused


class Rulebooks:
    """The last good rulebook of file and topic, and what is wrong with their newest.

    `first` is the policy of the file at the start. `use` is told of every policy that decides from now on, on the event
    loop; all of them read the catalogue of `first`. `say` writes a line for the operator.
    """

    def __init__(
        self,
        settings: Settings,
        file: RulebookFile,
        first: Policy,
        metrics: Metrics,
        *,
        use: Callable[[Policy], None],
        say: Callable[[str], None],
    ) -> None:
        self._settings, self._file, self._metrics = settings, file, metrics
        self._use, self._say = use, say
        self._good: dict[Source, Policy] = {Source.FILE: first}
        self._faults: dict[Source, Sequence[str]] = {}
        self._records: asyncio.Queue[Record] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self.stops: Final = Stops()
        """What was stopped by hand."""
        self.name: Final = first.rulebook.rulebook
        """Ours: the key of the records that are for us."""
        self.policy = first
        """The one that decides."""
        metrics.rulebook_loads.inc(Source.FILE, Load.ACCEPTED)
        metrics.rulebook.only(*first.stamp.values())

    @property
    def faults(self) -> list[str]:
        """What is wrong with the newest rulebook of the file, then of the topic; the lines of `decisioning check`."""
        return [line for source in Source for line in self._faults.get(source, ())]

    @property
    def orphaned(self) -> Sequence[str]:
        """The faults of the topic's newest rulebook where it has no good one: what it should say is not known then."""
        return () if Source.TOPIC in self._good else self._faults.get(Source.TOPIC, ())

    def shown(self) -> Mapping[str, object]:
        """For `/readyz`: the rulebook that decides, where it comes from, what is wrong with a newer one, and what is
        stopped by hand."""
        stops = [f"{stop.thing}, by {stop.stopped.by}: {stop.stopped.why}" for stop in self.stops.standing]
        return {**self.policy.stamp, "source": self._source, "errors": self.faults, "stops": stops}

    def told(self, record: Record) -> None:
        """Take in a record of the topic: a stop at once, a rulebook soon. Other names' rulebooks are not for us."""
        if record.key is not None and is_stop(record.key):
            self._take_stop(record.key, record.value)
        elif self._settings.rulebooks_topic and record.key == self.name.encode():
            self._records.put_nowait(record)

    async def settled(self) -> None:
        """Wait until every record that was told is settled."""
        await self._records.join()

    def start(self) -> None:
        """Begin to follow file and topic, each in a task of its own."""
        self._tasks = [
            supervise(self._follow_file(), lambda: "the reader of the rulebook file"),
            supervise(self._follow_topic(), lambda: "the reader of rulebooks"),
        ]

    async def stop(self) -> None:
        """Follow no more. Stopping twice is stopping once."""
        tasks, self._tasks = self._tasks, []
        await dismiss(*tasks)

    async def look(self) -> None:
        """One look at the file, and what follows from it."""
        path = str(self._file.path)
        try:
            text = await asyncio.to_thread(self._file.look)
        except OSError as error:
            self._refuse(Source.FILE, [f"{path}: cannot be read ({error.strerror or type(error).__name__})"])
            return
        if text is not None:
            # With the topic, another name would mean other records of it, which have gone by.
            expected = self.name if self._settings.rulebooks_topic else None
            await self._take(Source.FILE, text, path, expected, "restart the worker to follow another")

    async def _follow_file(self) -> None:
        while True:
            await asyncio.sleep(self._settings.rulebook_poll_ms / 1000)
            await self.look()

    async def _follow_topic(self) -> None:
        while True:
            record = await self._records.get()
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            if record.value is None:
                self._good.pop(Source.TOPIC, None)
                self._settle(Source.TOPIC)
            else:
                await self._take(Source.TOPIC, record.value, where, self.name, "the name is the record's key")
            self._records.task_done()

    def _take_stop(self, key: bytes, value: bytes | None) -> None:
        stood = len(self.stops.standing)
        stop = self.stops.take(key, value)
        stands = len(self.stops.standing)
        self._metrics.stops.set(stands)
        if stop is not None and stop.resumed is None:
            self._say(f"{stop.thing} is stopped, by {stop.stopped.by}: {stop.stopped.why}")
        elif stop is not None and stop.resumed is not None and stands < stood:
            self._say(f"{stop.thing}: the stop by {stop.stopped.by} is over, by {stop.resumed.by}: {stop.resumed.why}")
        self._decide()

    async def _take(self, source: Source, text: bytes, where: str, expected: str | None, mend: str) -> None:
        try:
            # Many milliseconds of work, for which the events need not wait.
            policy = await asyncio.to_thread(build, text, where, self.policy.catalogue)
            name = policy.rulebook.rulebook
            if expected is not None and name != expected:
                raise RulebookError(where, [Problem(1, 1, f"`{name}` is not `{expected}`: {mend}")])
        except RulebookError as error:
            self._refuse(source, str(error).splitlines())
            return
        self._good[source] = policy
        self._metrics.rulebook_loads.inc(source, Load.ACCEPTED)
        self._settle(source)

    def _refuse(self, source: Source, lines: Sequence[str]) -> None:
        self._faults[source] = lines
        self._metrics.rulebook_loads.inc(source, Load.REFUSED)
        self._metrics.rulebook_error.set(1, source)
        more = f" (and {len(lines) - 1} more on /readyz)" if len(lines) > 1 else ""
        self._say(f"a rulebook is refused, {_called(self.policy)} stays: {lines[0]}{more}")

    def _settle(self, source: Source) -> None:
        """The newest of `source` is good, or gone: whoever is to decide now does."""
        self._faults.pop(source, None)
        self._metrics.rulebook_error.set(0, source)
        self._decide()

    def _decide(self) -> None:
        """By the chosen rulebook and under what is stopped by hand."""
        chosen, stopped, before = self._good[self._source], self.stops.stopped, self.policy
        if chosen.stamp == before.stamp and stopped == before.stopped:
            return
        self.policy = chosen.under(stopped)
        self._metrics.decisions.expect(shown(self.policy))
        self._metrics.rulebook.only(*chosen.stamp.values())
        self._use(self.policy)
        if chosen.stamp != before.stamp:
            self._say(f"{_called(chosen)} decides now, from the {self._source}")

    @property
    def _source(self) -> Source:
        return Source.TOPIC if Source.TOPIC in self._good else Source.FILE


def _called(policy: Policy) -> str:
    book = policy.rulebook
    return " ".join(f"rulebook {book.rulebook} {book.version} ({book.digest[:19]})".split())


async def publish(settings: Settings, name: str, text: bytes | None) -> None:
    """Put a rulebook on the topic for all workers, or take it off again (None); TopicsError where Kafka refuses."""
    topic = name_of(settings, TOPIC)
    await partition_counts(settings, [topic])
    try:
        async with AIOKafkaProducer(**kafka_options(settings), acks="all") as producer:
            await producer.send_and_wait(topic, text, key=name.encode())
    except KafkaError as error:
        raise TopicsError(f"topic {topic} did not take the record ({type(error).__name__})") from error
