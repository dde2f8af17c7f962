"""The demo as log lines: for continuous integration, and for terminals that cannot draw."""

from __future__ import annotations

from typing import Final

from decisioning.streaming.demo.screen import Progress, Rates
from decisioning.streaming.demo.story import MARKS, Told, clock
from decisioning.streaming.demo.tally import Tally

_EVERY: Final = 5.0


class Lines:
    """A `Screen` that prints a line when there is something to say, and every five seconds how far things are."""

    def __init__(self) -> None:
        self._rates = Rates()
        self._last = 0.0

    def note(self, text: str) -> None:
        """A step of the preparation."""
        print(text, flush=True)

    def tell(self, told: Told) -> None:
        """A line of the story."""
        print(f"story   {told.when}  {MARKS.get(told.kind, told.kind):<10}  {told.text}", flush=True)

    def show(self, tally: Tally, progress: Progress) -> None:
        """The figures, every five seconds."""
        events, decisions = self._rates.read(progress.elapsed, tally.published.total(), tally.decisions)
        if progress.elapsed - self._last < _EVERY:
            return
        self._last = progress.elapsed
        outcomes = " ".join(f"{name}={count}" for name, count in sorted(tally.outcomes.items()))
        print(
            f"figures {clock(progress.clock)}  {progress.sent}/{progress.total} events  {events:.0f} events/s "
            f"{decisions:.0f} decisions/s  p50 {tally.latency(0.5, recent=True):.0f} ms "
            f"p99 {tally.latency(0.99, recent=True):.0f} ms  {outcomes}",
            flush=True,
        )

    def close(self) -> None:
        """Nothing to put back."""
