"""What the commands of the people on call do: ask, say what was found, give the exit code.

Exit codes: 0 fine, 1 the input is at fault, 2 what was asked makes no sense, 3 a part is unreachable or refuses.
"""

from __future__ import annotations

import asyncio
import getpass
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from decisioning.errors import DecisioningError, Fault
from decisioning.instant import parse_instant
from decisioning.stops import What
from decisioning.streaming import checkup, configuration, letterbox, stopping
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.settings import Settings, load

INPUT, USAGE, REFUSED = 1, 2, 3


class Nonsense(DecisioningError):
    """An option that means nothing; the line says what would."""


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


def list_letters(*, code: str, topic: str, since: str, until: str, every: bool, show: bool, json: bool) -> int:
    """Print the dead letters of a choice; the exit code."""

    async def ask(settings: Settings) -> str:
        choice = _choice(code, topic, since, until)._replace(replayed=every)
        found = await letterbox.letters(settings, choice, contents=show)
        if json:
            return letterbox.as_json(found, show=show)
        return letterbox.render(found, show=show) if found else "no dead letters"

    return _told(ask)


def replay_letters(*, code: str, topic: str, since: str, until: str, yes: bool) -> int:
    """Replay the dead letters of a choice, or say what that would be; the exit code, 1 where some cannot be."""
    refused = 0

    async def ask(settings: Settings) -> str:
        nonlocal refused
        found = await letterbox.letters(settings, _choice(code, topic, since, until), contents=True)
        made = [(letter, letterbox.again(settings, letter, int(time.time() * 1000))) for letter in found]
        outputs = [output for _, output in made if isinstance(output, Output)]
        lines = [f"{letter.place} is not replayed: {why}" for letter, why in made if isinstance(why, str)]
        refused = len(lines)
        if yes:
            lines.append(f"replayed {await letterbox.replay(settings, outputs)}")
        else:
            lines += [f"would be replayed: {letter.place}" for letter, output in made if isinstance(output, Output)]
            lines.append(f"would replay {len(outputs)}; with --yes it is done")
        return "\n".join(lines)

    return _told(ask) or (INPUT if refused else 0)


def _choice(code: str, topic: str, since: str, until: str) -> letterbox.Choice:
    if code and code not in set(Fault):
        raise Nonsense(f"--code: `{code}` is no fault: there are {', '.join(Fault)}")
    return letterbox.Choice(
        Fault(code) if code else None, topic or None, _instant("--since", since), _instant("--until", until)
    )


def _instant(option: str, text: str) -> int | None:
    try:
        return parse_instant(text) if text else None
    except ValueError as error:
        raise Nonsense(f"{option}: {error}") from None


def _told(ask: Callable[[Settings], Awaitable[str]]) -> int:
    """Print what somebody asked for; 2 where the question makes no sense."""

    async def answer() -> str:
        return await ask(chosen)

    chosen = load()
    try:
        print(asyncio.run(answer()))
    except (stopping.StopRefused, Nonsense) as error:
        print(error, file=sys.stderr)
        return USAGE
    return 0


def _login() -> str:
    """Who is at the keyboard, as far as the machine knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""  # a container's user may have no name: then `--by` is asked for
