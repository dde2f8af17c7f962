"""The stop switch over HTTP: to see what is stopped by hand, to stop and to resume, in the name of the token.

The rules for several people are those of the command (`decisioning.stops`): who stops is on record, to resume takes
back one's own, and another's only where they are named. What is stopped is read from what this worker follows anyway:
reading the topic anew takes long, for a goodbye over TLS does. Pulling and letting go is a record on the log, so every
worker has it within two seconds, this one too.

Unlike a decision there is no degraded answer: whoever pulls a switch must know whether it was pulled. Where Kafka does
not acknowledge it in time it may yet be taken; to ask again is safe, and `GET /v1/stops` says what holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import msgspec
from aiokafka.errors import KafkaError
from msgspec import Meta, Struct

from decisioning.stops import MAX_NAME, MAX_WHY, Stop, Stops, What
from decisioning.streaming import stopping
from decisioning.streaming.api.problem import Problem
from decisioning.streaming.settings import Settings
from decisioning.streaming.stopping import NothingStands, StopRefused
from decisioning.streaming.topics import TopicsError

_PATIENCE_SECONDS: Final = 10.0
_MOST_PEOPLE: Final = 50
_ASK_AGAIN: Final = {"Retry-After": "1"}
_Name = Annotated[str, Meta(max_length=MAX_NAME)]
_Why = Annotated[str, Meta(min_length=1, max_length=MAX_WHY)]
_Person = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]


class StopRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to stop and why; `name` is empty for marketing, and what is stopped for anything else."""

    what: What
    why: _Why
    name: _Name = ""


class ResumeRequest(StopRequest, frozen=True, forbid_unknown_fields=True):
    """What may be said again and why; `whose` names other people whose stops are taken back, instead of one's own."""

    whose: Annotated[list[_Person], Meta(min_length=1, max_length=_MOST_PEOPLE)] | None = None


class StopsShown(Struct, frozen=True):
    """All stops on record, standing or resumed, by the time they were pulled."""

    degraded: bool
    stops: list[Stop]


class Resumed(Struct, frozen=True):
    """What is over, and what still stops the same thing."""

    over: list[Stop]
    left: list[Stop]


_T = TypeVar("_T")


class Switch:
    """The switch; `known` is what this worker follows."""

    def __init__(self, settings: Settings, known: Stops) -> None:
        self._settings, self._known = settings, known
        self._one_at_a_time = asyncio.Lock()  # each reads or writes by a client of its own

    def shown(self, *, degraded: bool) -> StopsShown:
        """What is stopped, as far as this worker has heard."""
        return StopsShown(degraded, self._known.known)

    async def stop(self, body: bytes, caller: str) -> Stop:
        """Stop what the body says in the caller's name; what is on record then. Problem where it is not taken."""
        asked = _read(body, StopRequest)
        return await self._taken(
            lambda: stopping.stop(self._settings, asked.what, asked.name, by=caller, why=asked.why)
        )

    async def resume(self, body: bytes, caller: str) -> Resumed:
        """Take back what the body says; Problem where nothing such stands, or it is not taken."""
        asked = _read(body, ResumeRequest)
        over, left = await self._taken(
            lambda: stopping.resume(
                self._settings, asked.what, asked.name, by=caller, why=asked.why, whose=asked.whose,
                known=self._known,
            )
        )  # fmt: skip
        return Resumed(over, left)

    async def _taken(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._one_at_a_time:
                return await ask()
        except NothingStands:
            raise Problem("nothing-stands", "no such stop of these people stands; see /v1/stops") from None
        except StopRefused:
            raise Problem("not-a-stop", _SHAPE) from None
        except (TopicsError, KafkaError, OSError):  # TimeoutError is an OSError
            raise Problem("unavailable", "Kafka did not acknowledge it: see /v1/stops, ask again", _ASK_AGAIN) from None


_SHAPE: Final = (
    "`what` is marketing, channel, action or campaign; `name` says which, and is left out for marketing; `why` is for"
    f" whoever finds it stopped, up to {MAX_WHY} characters; all of it printable"
)


def _read(body: bytes, shape: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError:
        raise Problem("not-a-stop", _SHAPE) from None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Problem("bad-request", "the body is no JSON in UTF-8") from None
