"""Where the time of one decision goes: timers put around the engine's functions while a bench runs, and taken away.

The engine knows nothing of it, so that not to measure costs nothing. What is called within another stage counts for the
inner one alone. Timers cost time themselves: use them for shares, and take the sum from a run without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import thread_time_ns as clock
from typing import Any, Final

from decisioning import answers, engine, holds
from decisioning.judge import Judge
from decisioning.state import memory, orders

PARTS: Final[dict[str, tuple[tuple[Any, str], ...]]] = {
    "fold": ((engine, "fold"), (engine, "sweep"), (engine, "names_unknown"), (memory, "is_repeat"), (memory, "see")),
    "suppress": ((Judge, "verdict"), (Judge, "outranked"), (Judge, "valid_until")),
    "rank": ((answers, "by_rank"), (answers, "by_liking")),
    "record": ((answers, "record"), (answers, "postpone"), (memory, "answer"), (orders, "say")),
    "holds": ((holds, "renew"),),
}
"""Stage -> the functions whose time it is, each by its owner and name; what is in none of them is the rest: questions
made of events, decisions made of verdicts."""

REST: Final = "rest"


class Watch:
    """Nanoseconds of this thread by stage, while its timers are installed and something of the engine runs."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys((*PARTS, REST), 0)
        self._stage = REST
        self._since = 0

    @contextmanager
    def installed(self) -> Iterator[Watch]:
        """Timers around every function of `PARTS`, and as they were afterwards."""
        found = [(owner, name, getattr(owner, name), stage) for stage, parts in PARTS.items() for owner, name in parts]
        try:
            for owner, name, function, stage in found:
                setattr(owner, name, self._timed(stage, function))
            yield self
        finally:
            for owner, name, function, _ in found:
                setattr(owner, name, function)

    def rest(self, work: Callable[[], Any]) -> Any:
        """The result of `work`; what none of its stages takes is the rest's."""
        self._stage, self._since = REST, clock()
        found = work()
        self._passed()
        return found

    def _passed(self) -> None:
        """What went by since we last looked is the present stage's."""
        now = clock()
        self.spent[self._stage] += now - self._since
        self._since = now

    def _timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            self._passed()
            outer, self._stage = self._stage, stage
            try:
                return function(*args, **named)
            finally:
                self._passed()
                self._stage = outer

        return timed
