"""How often a caller may ask: a token bucket a name, so many a second, twice as many at once after a pause."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

STRANGER: Final = ""
"""The one name of all who show no token that we know: they share a limit, and nobody who is known waits for them."""


class Limits:
    """The buckets; names come from the token file, so there are few."""

    def __init__(self, per_second: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate, self._most, self._clock = per_second, 2 * per_second, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """Counts one request of this name: 0 when it may go on, else the seconds after which it may ask again."""
        now = self._clock()
        left, at = self._left.get(name, (self._most, now))
        left = min(self._most, left + (now - at) * self._rate)
        if left < 1:
            self._left[name] = left, now
            return (1 - left) / self._rate
        self._left[name] = left - 1, now
        return 0.0
