"""What the commands of the people on call do: ask, say what was found, give the exit code.

Exit codes: 0 fine, 1 the input is at fault, 2 what was asked makes no sense, 3 a part is unreachable or refuses.
"""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Sequence

from decisioning.stops import What
from decisioning.streaming import checkup, configuration, stopping
from decisioning.streaming.settings import Settings, load

INPUT, USAGE, REFUSED = 1, 2, 3


def stop_now(thing: str, name: str, *, by: str, why: str) -> int:
    """Pull the switch with the settings of this process, and say what is stopped; the exit code."""

    async def pull(settings: Settings) -> str:
        await stopping.stop(settings, What(thing), name, by=by or _login(), why=why)
        return stopping.render((await stopping.stops(settings)).standing)

    return _told(pull)


def resume_now(thing: str, name: str, *, by: str, why: str, whose: Sequence[str] | None) -> int:
    """Let go of the switch, and say what is over and what still stops the same thing; the exit code."""

    async def let_go(settings: Settings) -> str:
        over, left = await stopping.resume(settings, What(thing), name, by=by or _login(), why=why, whose=whose)
        lines = [f"over: {one.thing}, stopped by {one.stopped.by}: {one.stopped.why}" for one in over]
        lines += [f"still stopped: {one.thing}, by {one.stopped.by}: {one.stopped.why}" for one in left]
        return "\n".join(lines)

    return _told(let_go)


def show_stops(*, every: bool, json: bool) -> int:
    """Print what is stopped by hand; with `every` also what is over; the exit code."""

    async def show(settings: Settings) -> str:
        known = await stopping.stops(settings)
        found = known.known if every else known.standing
        if json:
            return stopping.as_json(found).decode()
        return stopping.render(found) if found else "nothing is stopped by hand"

    return _told(show)


def show_config(*, json: bool) -> int:
    """Print the settings of this process; the exit code."""
    rows = configuration.shown(load())
    print(configuration.as_json(rows) if json else configuration.render(rows))
    return 0


def check_config(*, json: bool) -> int:
    """Print what a worker of these settings would meet; 3 where it would refuse, 1 where only its rules are wrong."""
    found = asyncio.run(checkup.checkup(load()))
    print(checkup.as_json(found) if json else checkup.render(found))
    faults = {one.part for one in found if one.verdict is checkup.Verdict.FAULT}
    return 0 if not faults else INPUT if faults == {"rulebook"} else REFUSED


def _told(ask: Callable[[Settings], Awaitable[str]]) -> int:
    """Print what somebody asked for; 2 where the question makes no sense."""

    async def answer() -> str:
        return await ask(settings)

    settings = load()
    try:
        print(asyncio.run(answer()))
    except stopping.StopRefused as error:
        print(error, file=sys.stderr)
        return USAGE
    return 0


def _login() -> str:
    """Who is at the keyboard, as far as the machine knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""  # a container's user may have no name: then `--by` is asked for
