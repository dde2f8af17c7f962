"""What says that an event is history: a header of its record, which travels with it through relay and dead letters.

The event's own bytes stay as they are, so that nobody sets it by an attribute; the engine alone says what follows.
The header's value is how many seconds no more history of this customer may come before the holds are said that it
brought.
"""

from __future__ import annotations

from typing import Final

from decisioning.event import Headers
from decisioning.instant import DAY, MINUTE, SECOND, parse_instant

HISTORY: Final = "decisioning.history"
QUIET: Final = 15 * MINUTE
"""How long (us), unless the header says so: workers read years of history in any order of customers."""
_MOST: Final = 7 * DAY
_PARTS: Final = 8  # the instant moves in steps of so small a part: the wake of a customer is not written for each event
_WHEN_SOMETHING_HAPPENS: Final = parse_instant("9000-01-01T00:00:00Z")


def mark(quiet: int) -> tuple[str, bytes]:
    """The header of an event that is history."""
    return HISTORY, str(quiet // SECOND).encode()


def quiet_of(headers: Headers) -> int | None:
    """How long (us) after this event its holds are said unless more comes; None for an event that is no history.

    A value that we cannot read is history all the same: to say nothing is the safe side.
    """
    for name, content in headers:
        if name == HISTORY:
            digits = content or b""
            return min(int(digits) * SECOND, _MOST) if digits.isdigit() and len(digits) < 10 else QUIET
    return None


def say_at(quiet: int, now: int | None) -> int:
    """The instant at which holds are said, on a step of time; without a clock of ours (`now` None) not before something
    happens to the customer."""
    if now is None:
        return _WHEN_SOMETHING_HAPPENS
    step = max(SECOND, quiet // _PARTS)
    return (now + quiet) // step * step + step
