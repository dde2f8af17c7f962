"""`decisioning import`: years of a new adopter's history, through the same topics as everything else.

Each event is read as a worker would read it and marked as history (`past`): it folds, nothing is asked about it and
nothing is said of it, but the holds that stand once no more of it comes. Requests are refused, because nothing is asked
about the past; responses are taken as facts: a complaint counts whoever was complained about, and what names a decision
that was never ours changes nothing.

The records bear the moment of the import, not of the event: by the event's own a topic's retention would drop them.
What was acknowledged stands in a checkpoint (`ledger`), so an import that was interrupted goes on; the second's worth
that may be sent twice has the same sources and ids, and a repeat changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from decisioning.engine import REQUESTS
from decisioning.errors import EventRejected, Fault
from decisioning.instant import MINUTE, SECOND
from decisioning.payload import TYPES
from decisioning.streaming import past
from decisioning.streaming.ledger import Books, Ledger, LedgerRefused, Refusals, in_words
from decisioning.streaming.send import Letter, Post, letter
from decisioning.streaming.settings import Settings, load

FINE, INPUT, REFUSED = 0, 1, 3
_AT_ONCE: Final = 256 * 1024  # bytes of input whose events share one wait for acknowledgements
_SAVE_SECONDS: Final = 1.0
_SAY_SECONDS: Final = 5.0
_SAID: Final = 20  # refused lines on the terminal; the file has them all
_ASKED: Final = frozenset(type_ for type_, (_, model) in TYPES.items() if issubclass(model, REQUESTS))


class Line(NamedTuple):
    """A line of the input and its number; of one that is too long only the beginning is held: it is not `whole`."""

    number: int
    text: bytes
    whole: bool


class Source:
    """The input, read once from its beginning: how far it was read, and the digest of all that was."""

    def __init__(self, file: BufferedReader | Any, longest: int) -> None:
        self._file, self._longest = file, longest
        self._digest = hashlib.sha256()
        self.bytes = self.lines = 0
        told = os.fstat(file.fileno())
        self.size = told.st_size if stat.S_ISREG(told.st_mode) else None

    @property
    def digest(self) -> str:
        """The SHA-256 of what was read."""
        return self._digest.hexdigest()

    def go_on(self, ledger: Ledger) -> None:
        """Pass over what was imported before; LedgerRefused when the input begins otherwise."""
        left = ledger.bytes
        while left and (got := self._file.read(min(left, _AT_ONCE))):
            self._digest.update(got)
            left -= len(got)
        if left or (ledger.bytes and self.digest != ledger.digest):
            raise LedgerRefused(
                f"the first {ledger.lines:,} lines are not those that were imported before: "
                "give another input another --name, or import all of it with --again"
            )
        self.bytes, self.lines = ledger.bytes, ledger.lines

    def batches(self) -> Iterator[list[Line]]:
        """The rest of the lines, so many at once."""
        while batch := self._batch():
            yield batch

    def _batch(self) -> list[Line]:
        found, size = list[Line](), 0
        while size < _AT_ONCE and (text := self._file.readline(self._longest + 2)):
            self.lines += 1
            size += len(text)
            self._digest.update(text)
            rest, whole = text, True
            while len(rest) > self._longest and not rest.endswith(b"\n"):
                rest, whole = self._file.readline(self._longest + 2), False
                size += len(rest)
                self._digest.update(rest)
            found.append(Line(self.lines, text.rstrip(b"\r\n") if whole else text, whole))
        self.bytes += size
        return found


class Show(Protocol):
    """Says how an import fares while it goes on."""

    def at(self, source: Source, sent: int, refused: int) -> None:
        """So far it has come."""
        ...

    def close(self) -> None:
        """It is over."""
        ...


class Bar:
    """A bar on a terminal."""

    def __init__(self, console: Console, size: int | None) -> None:
        count = TextColumn("{task.fields[sent]:,} sent, {task.fields[refused]:,} refused, {task.fields[pace]:,.0f}/s")
        self._progress = Progress(BarColumn(), count, TimeRemainingColumn(), console=console, transient=True)
        self._task: TaskID = self._progress.add_task("", total=size, sent=0, refused=0, pace=0.0)
        self._pace = _Pace()
        self._progress.start()

    def at(self, source: Source, sent: int, refused: int) -> None:
        """So far it has come."""
        self._progress.update(
            self._task, completed=source.bytes, sent=sent, refused=refused, pace=self._pace.since(sent)
        )

    def close(self) -> None:
        """It is over."""
        self._progress.stop()


class Plain:
    """A line now and then where there is no terminal."""

    def __init__(self, every: float = _SAY_SECONDS) -> None:
        self._every, self._said, self._pace = every, time.monotonic(), _Pace()

    def at(self, source: Source, sent: int, refused: int) -> None:
        """So far it has come."""
        pace = self._pace.since(sent)
        if time.monotonic() - self._said >= self._every:
            self._said = time.monotonic()
            share = f" ({100 * source.bytes // source.size} %)" if source.size else ""
            _complain(f"line {source.lines:,}{share}: {sent:,} sent, {refused:,} refused, {pace:,.0f}/s")

    def close(self) -> None:
        """It is over."""


class _Pace:
    def __init__(self) -> None:
        self._began, self._first = time.monotonic(), -1

    def since(self, count: int) -> float:
        if self._first < 0:
            self._first = count
        return (count - self._first) / max(time.monotonic() - self._began, 1e-3)


def import_history(
    path: Path | None, *, name: str | None, check: bool, again: bool, quiet: int = past.QUIET, rate: int = 0
) -> int:
    """Import the events of a file, or of standard input, one a line; the exit code, 1 if any line ever was refused.

    `name` begins the names of the checkpoint and of what is refused (None: the file's own, or `history`); `again`: from
    the beginning, whatever was imported before; `check`: only read, and write nothing; `rate`: events a second at most,
    0: as many as Kafka takes. What happens now waits in its lane behind what was sent before.
    """
    settings = load()
    books = Books(name or (str(path) if path is not None else "history"))
    fresh = Ledger(kafka=settings.kafka, prefix=settings.topic_prefix)
    try:
        ledger = fresh if check else books.load(settings.kafka, settings.topic_prefix, again=again)
        with ExitStack() as ended:
            file = sys.stdin.buffer if path is None else ended.enter_context(path.open("rb"))
            source = Source(file, settings.max_event_bytes)
            source.go_on(ledger)
            if ledger.lines:
                _complain(f"{ledger.lines:,} lines were imported before: going on after them")
            run = _Import(settings, books, ledger, source, check=check, quiet=quiet, rate=rate)
            run.to_the_end()
    except LedgerRefused as error:
        _complain(str(error))
        return INPUT
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}: begin --name with a folder that we may write to")
        return REFUSED
    _sum_up(books, ledger, check=check, quiet=quiet)
    return INPUT if ledger.refused else FINE


class _Import:
    """One run: batch by batch, each acknowledged before the ledger counts it."""

    def __init__(
        self, settings: Settings, books: Books, ledger: Ledger, source: Source, *, check: bool, quiet: int, rate: int
    ) -> None:
        self._settings, self._books, self._ledger, self._source = settings, books, ledger, source
        self._check, self._headers = check, (past.mark(quiet),)
        self._said = 0
        self._rate, self._free = rate, 0.0

    def to_the_end(self) -> None:
        with ExitStack() as ended:
            post = None if self._check else ended.enter_context(Post(self._settings))
            refusals = None if self._check else Refusals(self._books, self._ledger)
            show = _show(self._source.size)
            ended.callback(show.close)
            if not self._check:
                self._books.save(self._ledger)  # before anything is sent: whether we may write is known now
            saved = -_SAVE_SECONDS
            try:
                for batch in self._source.batches():
                    self._do(batch, post, refusals)
                    show.at(self._source, sum(self._ledger.sent.values()), self._ledger.refused)
                    if not self._check and time.monotonic() - saved > _SAVE_SECONDS:
                        self._books.save(self._ledger)
                        saved = time.monotonic()
            finally:
                if not self._check:
                    self._books.save(self._ledger)

    def _do(self, batch: list[Line], post: Post | None, refusals: Refusals | None) -> None:
        letters, refused = list[Letter](), list[tuple[int, bytes | None, EventRejected]]()
        now = time.time_ns() // 1000
        for line in batch:
            if not line.text.strip():
                continue
            try:
                letters.append(_of_the_past(self._settings, line.text, now))
            except EventRejected as error:
                refused.append((line.number, line.text if line.whole else None, error))
        if post is not None and letters:
            post.send(letters, self._headers)
            self._rest(len(letters))
        if refusals is not None:
            refusals.write(refused)
        else:
            self._ledger.refused += len(refused)
        for number, _, why in refused if self._check else refused[: max(0, _SAID - self._said)]:
            _complain(in_words(number, why))
        self._said += len(refused)
        for one in letters:
            self._ledger.sent[one.topic] = self._ledger.sent.get(one.topic, 0) + 1
        self._ledger.bytes, self._ledger.lines = self._source.bytes, self._source.lines
        self._ledger.digest = self._source.digest

    def _rest(self, count: int) -> None:
        """Leave the workers time for what was just sent."""
        if self._rate:
            self._free = max(self._free, time.monotonic()) + count / self._rate
            time.sleep(max(0.0, self._free - time.monotonic()))


def _of_the_past(settings: Settings, text: bytes, now: int) -> Letter:
    one = letter(settings, text, now)
    if one.type in _ASKED:
        raise EventRejected(Fault.WRONG_TYPE, f"{one.type}: nothing is asked about the past: leave requests out")
    return one


def _show(size: int | None) -> Show:
    console = Console(stderr=True)
    return Bar(console, size) if console.is_terminal else Plain()


def _sum_up(books: Books, ledger: Ledger, *, check: bool, quiet: int) -> None:
    total, topics = sum(ledger.sent.values()), sorted(ledger.sent.items())
    found = ", ".join(f"{topic} {count:,}" for topic, count in topics)
    done = "checked" if check else "imported"
    read = total + ledger.refused  # an empty line is none
    lines = [f"{done} {_counted(read, 'line')}, {_counted(total, 'event')}{': ' * bool(found)}{found}"]
    if ledger.refused:
        where = "" if check else f": {books.kept} holds them for repair, {books.told} says why"
        lines.append(f"refused {ledger.refused:,}{where}")
    if not check and total:
        span = f"{quiet // SECOND} s" if quiet < 2 * MINUTE else f"{quiet // MINUTE} min"
        lines.append(f"the holds that stand are said {span} after a customer's last event is read")
    sys.stdout.write("\n".join(lines) + "\n")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _complain(text: str) -> None:
    sys.stderr.write(text + "\n")
