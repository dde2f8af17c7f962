"""The stop switch, for people on call and for the API: to pull it, to let go, and to see what is stopped.

A stop is a record on the compacted topic `rulebooks`, beside the rulebooks; the rules for several people stand in
`decisioning.stops`. Workers follow the topic anyway and see it within a fetch; each of them then has the live words
that it names taken back (`chassis/sweep.py`), and refuses what is asked from then on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from decisioning.errors import DecisioningError, EventRejected
from decisioning.instant import format_instant
from decisioning.stops import MAX_NAME, MAX_WHY, Stop, Stops, What, Word, dumps, is_stop, key_of
from decisioning.streaming.broadcast import Broadcast
from decisioning.streaming.chassis.job import Record
from decisioning.streaming.rulebooks import TOPIC, publish
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import name_of


class StopRefused(DecisioningError):
    """What was asked of the switch makes no sense; one line, with what would."""


class NothingStands(StopRefused):
    """Nothing such is stopped by these people."""


class Resumed(NamedTuple):
    """What was taken back, and what still stops the same thing."""

    over: list[Stop]
    left: list[Stop]


Clock = Callable[[], int]


def now() -> int:
    """The machine's clock as an instant."""
    return time.time_ns() // 1000


async def stops(settings: Settings) -> Stops:
    """All stops on record; TopicsError where Kafka does not let us see them."""
    found = Stops()

    def take(record: Record) -> None:
        if record.key is not None and is_stop(record.key):
            found.take(record.key, record.value)

    await Broadcast(settings, [name_of(settings, TOPIC)], apply=take, refuse=_never).read_once()
    return found


async def stop(settings: Settings, what: What, name: str, *, by: str, why: str, clock: Clock = now) -> Stop:
    """Stop a thing in somebody's name, on every worker; StopRefused for nonsense, TopicsError where Kafka refuses."""
    made = Stop(what, _named(what, name), _word(by, why, clock))
    await publish(settings, key_of(made).decode(), dumps(made))
    return made


async def resume(
    settings: Settings, what: What, name: str, *, by: str, why: str, whose: Sequence[str] | None = None,
    known: Stops | None = None, clock: Clock = now,
) -> Resumed:  # fmt: skip
    """Take back the stops of a thing that are `by`'s own, or those of the people named by `whose`.

    `known` is what somebody follows anyway; without it the topic is read.

    NothingStands where none of them stands; TopicsError where Kafka refuses.
    """
    name, word = _named(what, name), _word(by, why, clock)
    known = known if known is not None else await stops(settings)
    standing = [one for one in known.standing if (one.what, one.name) == (what, name)]
    people = [by] if whose is None else list(whose)
    over = [one.resume(word) for one in standing if one.stopped.by in people]
    left = [one for one in standing if one.stopped.by not in people]
    if not over:
        others = ", ".join(one.stopped.by for one in left)
        hint = f"it is stopped by {others}: name them to take that back" if left else "nobody has stopped it by hand"
        raise NothingStands(f"{' and '.join(people)}: no stop of {_thing(what, name)} stands; {hint}")
    for one in over:
        await publish(settings, key_of(one).decode(), dumps(one))
    return Resumed(over, left)


def render(found: Sequence[Stop]) -> str:
    """The stops for a person: one line each, aligned."""
    rows = [("STOPPED", "BY", "SINCE", "WHY", "OVER")]
    for one in found:
        over = "" if one.resumed is None else f"{one.resumed.at} by {one.resumed.by}: {one.resumed.why}"
        rows.append((one.thing, one.stopped.by, one.stopped.at, one.stopped.why, over))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def as_json(found: Sequence[Stop]) -> bytes:
    """The stops for a program: a JSON array."""
    return msgspec.json.encode(found)


def _named(what: What, name: str) -> str:
    name = name.strip()
    if what is What.MARKETING and name:
        raise StopRefused(f"marketing is stopped as a whole: leave out `{name}`, or stop a channel, action or campaign")
    if what is not What.MARKETING and not name:
        raise StopRefused(f"which {what}? Write its name after it")
    if len(name) > MAX_NAME or not name.isprintable():
        raise StopRefused(f"a name has at most {MAX_NAME} characters, all of them printable")
    return name


def _word(by: str, why: str, clock: Clock) -> Word:
    by, why = " ".join(by.split()), " ".join(why.split())
    if not by or len(by) > MAX_NAME:
        raise StopRefused(f"who? A name of 1 to {MAX_NAME} characters goes on record")
    if not why or len(why) > MAX_WHY:
        raise StopRefused(f"why? 1 to {MAX_WHY} characters go on record, for whoever finds it stopped")
    if not (by + why).isprintable():
        raise StopRefused("who and why: printable characters only, for they are shown on terminals")
    return Word(by, format_instant(clock()), why)


def _thing(what: What, name: str) -> str:
    return f"{what} {name}".rstrip()


def _never(record: Record, error: EventRejected) -> None:
    raise AssertionError(f"{record.topic}: a stop is never refused") from error
