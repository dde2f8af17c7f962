"""What is let in: the one reading of an event's record that the worker, and whoever publishes for it, share.

`event.parse` says whether bytes are an event; this adds what depends on the installation: how large an event may be,
and that no clock runs ahead. So `decisioning send` refuses exactly what a worker would make a dead letter, in the same
words.
"""

from __future__ import annotations

from typing import Final

from decisioning.errors import EventRejected, Fault
from decisioning.event import Event, Headers, parse
from decisioning.instant import MINUTE
from decisioning.streaming.settings import Settings

FUTURE: Final = 5 * MINUTE
"""How far (us) an event's time may lie ahead of our clock."""


def admit(settings: Settings, value: bytes | None, headers: Headers, now: int) -> Event:
    """The event in a record's value and headers; EventRejected when it is none, too large, or from the future.

    `now` is the wall clock's instant (us); under `DECISIONING_CLOCK=event` no time is too far ahead.
    """
    limit = settings.max_event_bytes
    if value is not None and len(value) > limit:
        raise EventRejected(Fault.TOO_LARGE, f"larger than {limit} bytes: send references, not contents")
    event = parse(value, headers)
    if event.time > now + FUTURE and settings.clock == "wall":
        raise EventRejected(Fault.FUTURE_TIME, "`time` is more than 5 minutes ahead of our clock: set yours")
    return event
