"""The stop switch pulled by hand: who stopped what, when and why, whatever rulebook decides (design.md, 1; P62).

A stop is a record beside the rulebooks, on the same compacted topic, under a key of its own; it says nothing of any
rulebook and holds under all of them. Where several people pull the switch:

1. A stop is its person's: each person's stop of each thing is one record. Its key names thing and person.
2. What any standing stop names is silent, and what the rulebook's own `stopped` names; whoever stops adds.
3. To resume takes back one's own stop. Others' stand, and so does the rulebook's: nobody undoes another's by accident.
   Another's can be taken back by naming them; the record says who did.
4. Of two records under one key the later in the log holds. To stop again is a new time and a new reason.
5. A stop that cannot be read stands. Where it does not say what it stops, all marketing is silent.

What was resumed stays on record until the same person stops the same thing again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from decisioning.suppress.stopped import Switch

MAX_NAME: Final = 200
MAX_WHY: Final = 500
UNREADABLE: Final = "this version cannot read what the record says"


class What(StrEnum):
    """What can be stopped."""

    MARKETING = "marketing"  # all of the class
    CHANNEL = "channel"  # whatever the class
    ACTION = "action"
    CAMPAIGN = "campaign"


class Word(Struct, frozen=True):
    """Somebody's word: who gave it, when (RFC 3339) and why."""

    by: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    at: str
    why: Annotated[str, Meta(min_length=1, max_length=MAX_WHY)]


class Stop(Struct, frozen=True, omit_defaults=True):
    """One person's stop of one thing; `name` is empty for marketing. It stands until it is `resumed`."""

    what: What
    name: Annotated[str, Meta(max_length=MAX_NAME)]
    stopped: Word
    resumed: Word | None = None

    @property
    def stands(self) -> bool:
        """Whether it holds."""
        return self.resumed is None

    @property
    def thing(self) -> str:
        """What it stops, for a person: `marketing`, `channel sms`."""
        return f"{self.what} {self.name}".rstrip()

    def resume(self, word: Word) -> Stop:
        """The same, taken back."""
        return replace(self, resumed=word)


class Stopped(NamedTuple):
    """All that stands: what is silent, and the newest stop, as a decision's trigger names it."""

    switch: Switch = Switch()
    cause: str = ""


NOTHING: Final = Stopped()
"""Nothing is stopped by hand."""


class _Ended(Struct):
    resumed: Word | None = None


_key: Final = msgspec.json.Decoder(tuple[str, str, str, str])
_stop: Final = msgspec.json.Decoder(Stop)
_ended: Final = msgspec.json.Decoder(_Ended)
_encode: Final = msgspec.json.Encoder().encode
_PREFIX: Final = b'["stop",'


def is_stop(key: bytes | None) -> bool:
    """Whether a record of this key is a stop and no rulebook."""
    return key is not None and key.startswith(_PREFIX)


def key_of(stop: Stop) -> bytes:
    """The record's key."""
    return _encode(("stop", stop.what, stop.name, stop.stopped.by))


def dumps(stop: Stop) -> bytes:
    """The record's value."""
    return _encode(stop)


def joined(one: Switch, other: Switch) -> Switch:
    """What either of the two stops."""

    def both(field: str) -> tuple[str, ...]:
        return tuple(sorted({*getattr(one, field), *getattr(other, field)}))

    return Switch.model_construct(
        marketing=one.marketing or other.marketing,
        channels=both("channels"),
        actions=both("actions"),
        campaigns=both("campaigns"),
    )


def stops_more(new: Switch, old: Switch) -> bool:
    """Whether `new` names anything that `old` does not."""
    return joined(new, old) != joined(old, old)


class Stops:
    """The stops on record, as their topic tells of them."""

    def __init__(self) -> None:
        self._known: dict[bytes, Stop] = {}

    def take(self, key: bytes, value: bytes | None) -> Stop | None:
        """Take in a record under a key for which `is_stop`; what it says, None for a tombstone."""
        self._known.pop(key, None)
        if value is None:
            return None
        stop = self._known[key] = _read(key, value)
        return stop

    @property
    def known(self) -> list[Stop]:
        """All on record, standing or resumed, by the time they were pulled."""
        return sorted(self._known.values(), key=lambda stop: (stop.stopped.at, stop.thing, stop.stopped.by))

    @property
    def standing(self) -> list[Stop]:
        """Those that hold, by the time they were pulled."""
        return [stop for stop in self.known if stop.stands]

    @property
    def stopped(self) -> Stopped:
        """What they silence together."""
        standing = self.standing

        def names(what: What) -> tuple[str, ...]:
            return tuple(sorted({stop.name for stop in standing if stop.what is what}))

        switch = Switch.model_construct(
            marketing=any(stop.what is What.MARKETING for stop in standing),
            channels=names(What.CHANNEL),
            actions=names(What.ACTION),
            campaigns=names(What.CAMPAIGN),
        )
        return Stopped(switch, f"{standing[-1].thing}@{standing[-1].stopped.at}" if standing else "")


def _read(key: bytes, value: bytes) -> Stop:
    try:
        return _stop.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        resumed = _ended.decode(value).resumed
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        resumed = None
    try:
        _, what, name, by = _key.decode(key)
        return Stop(What(what), name, Word(by, "", UNREADABLE), resumed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return Stop(What.MARKETING, "", Word("?", "", UNREADABLE), resumed)
