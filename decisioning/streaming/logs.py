"""Log lines: one chain for ours, Faust's and aiokafka's; JSON for machines, plain text for a person at a terminal.

A line holds a time, a level, who says it, the message, and names with values. Where it is about an event it carries the
trace of the event's `traceparent`, so that it is found from the trace and the trace from it. It never holds a payload;
a customer appears only as `customer`, a keyed hash: lines of one customer are alike, and nobody can read whose they
are. Of an error its kind and its place are said, for its words may quote what was being read.

Nothing here is asked for each event unless `log_decisions` is set. Lines about single records are sparing (`Sparing`):
a flood of bad records must not become a flood of lines; the metrics count them all. So are those of aiokafka
(`Rationed`), which says of each try that Kafka is away.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Literal

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter

from decisioning.streaming.chassis import watchdog

Format = Literal["auto", "json", "text"]
"""How lines look; `auto`: text at a terminal, else JSON."""

_Line = MutableMapping[str, Any]
_Step = Callable[[Any, str, _Line], Any]
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_LOUD: Final = ("aiokafka", "faust", "mode")
_WHO: Final = ("customer", "subject", "key")


def configure(format_: Format, key: str | None) -> None:
    """From now on every line of this process goes through the chain, to stderr. `key`: what customers are hashed with
    (None: by a key that ends with the process)."""
    as_json = format_ == "json" or (format_ == "auto" and not sys.stderr.isatty())
    about: list[_Step] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
    ]
    private: list[_Step] = [_traced, Hidden(key or secrets.token_hex(16)), _failed]
    shown: list[_Step] = [_timed, _ordered, _json] if as_json else [_text]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *about, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a test configures anew
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=about, processors=[ProcessorFormatter.remove_processors_meta, *private, *shown]
        )
    )
    handler.addFilter(Rationed("aiokafka"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _LOUD:  # a person reads our own line of what went wrong, and one is enough
        logging.getLogger(name).propagate = as_json
    watchdog.speak(lambda level, line: _last_words(shown, level, line))


class Hidden:
    """The step that puts a keyed hash in place of a customer's id, whichever name it was given under."""

    def __init__(self, key: str) -> None:
        self._key = blake2b(key.encode()).digest()

    def __call__(self, logger: Any, name: str, line: _Line) -> _Line:
        """The line, without the id."""
        for who in _WHO:
            if who in line:
                line["customer"] = self.of(line.pop(who))
        return line

    def of(self, customer: bytes | str) -> str:
        """What stands for this customer: 16 hexadecimal digits."""
        plain = customer if isinstance(customer, bytes) else customer.encode()
        return blake2b(plain, key=self._key, digest_size=8).hexdigest()


class Sparing:
    """A logger for lines about single records: at most so many a second, and then how many were left out."""

    def __init__(self, name: str, most: int = 10, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = structlog.stdlib.get_logger(name)
        self._most = most
        self._clock = clock
        self._second = -1
        self._said = self._left_out = 0

    def warning(self, message: str, **about: object) -> None:
        """Say it, if there is room in this second."""
        second = int(self._clock())
        if second != self._second:
            if self._left_out:
                self._log.warning("more lines like these were left out", count=self._left_out)
            self._second, self._said, self._left_out = second, 0, 0
        if self._said < self._most:
            self._said += 1
            self._log.warning(message, **about)
        else:
            self._left_out += 1


class Rationed(logging.Filter):
    """Of a library's lines one of each kind in so many seconds, and then how many were left out. A kind is a level and
    a message before its values are put in; who else speaks is not held up."""

    def __init__(self, name: str, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._log = structlog.stdlib.get_logger(__name__)
        self._seconds = seconds
        self._clock = clock
        self._kinds: dict[tuple[int, str], _Kind] = {}
        self._lock = threading.Lock()  # never held while a line is written

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is said. What was left out is said as soon as its time is over and anybody speaks."""
        now, said = self._clock(), True
        with self._lock:
            over = [kind for kind, one in self._kinds.items() if now - one.since >= self._seconds]
            ended = [self._kinds.pop(kind) for kind in over]
            if super().filter(record):
                kind = record.levelno, str(record.msg)
                said = kind not in self._kinds
                if said:
                    self._kinds[kind] = _Kind(now, record.name)
                else:
                    self._kinds[kind].left_out += 1
        for one in ended:
            if one.left_out:
                self._log.warning("more lines like these were left out", of=one.name, count=one.left_out)
        return said


@dataclass
class _Kind:
    since: float
    name: str
    left_out: int = 0


def trace_of(headers: Sequence[tuple[str, bytes]]) -> str | None:
    """The `traceparent` that a record brings in its headers, as Kafka clients and CloudEvents send it; else None."""
    for name, text in headers:
        if name in ("traceparent", "ce_traceparent"):
            return text.decode(errors="replace")
    return None


def _traced(logger: Any, name: str, line: _Line) -> _Line:
    """`trace_id` and `span_id` in place of a `traceparent`; nothing where it is none."""
    found = _TRACEPARENT.fullmatch(str(line.pop("traceparent", None)))
    if found is not None:
        line["trace_id"], line["span_id"] = found.groups()
    return line


def _failed(logger: Any, name: str, line: _Line) -> _Line:
    """Of an exception its kind and place."""
    failed = line.pop("exc_info", None)
    error = failed[1] if isinstance(failed, tuple) else failed if isinstance(failed, BaseException) else None
    if error is None and failed:
        error = sys.exc_info()[1]
    if error is not None:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        code = "" if place is None else f" at {os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}"
        line["error"] = f"{type(error).__name__}{code}"
    return line


_timed: Final = structlog.processors.TimeStamper(fmt="iso", utc=True)


def _ordered(logger: Any, name: str, line: _Line) -> _Line:
    """What each line has comes first; structlog's `event` is the message, for events are something else here."""
    first = {
        "timestamp": line.pop("timestamp", None), "level": line.pop("level", None), "logger": line.pop("logger", None),
        "message": line.pop("event", None),
    }  # fmt: skip
    return {**first, **line}


def _json(logger: Any, name: str, line: _Line) -> str:
    return orjson.dumps(line, default=lambda value: type(value).__name__).decode()


def _text(logger: Any, name: str, line: _Line) -> str:
    left_out = ("event", "level", "logger")
    more = " ".join(f"{one}={value}" for one, value in line.items() if one not in left_out)
    return f"{line.get('event')} {more}".rstrip()


def _last_words(shown: Sequence[_Step], level: str, text: str) -> str:
    """A line that must get out whatever else stands still: no logger, and so no lock."""
    line: Any = {"event": text, "level": level, "logger": "decisioning"}
    for step in shown:
        line = step(None, level, line)
    return str(line)
