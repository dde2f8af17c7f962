"""What the demo shows while it runs, and what it says at the end: the common ground of `view` and `plain`."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from decisioning.streaming.demo.story import Told
from decisioning.streaming.demo.tally import Tally

OUTCOMES = ("act", "suppress", "defer", "recall", "hold", "release")


class Progress(NamedTuple):
    """How far the run is: facts published of all, the instant the history has reached, seconds since it began."""

    sent: int
    total: int
    clock: int
    elapsed: float


class Screen(Protocol):
    """Something that shows a run. `view.Live` draws it, `plain.Lines` logs it."""

    def note(self, text: str) -> None:
        """A step of the preparation, in one line."""

    def tell(self, told: Told) -> None:
        """The next line of the protagonist's story."""

    def show(self, tally: Tally, progress: Progress) -> None:
        """The state of things; called several times a second."""

    def close(self) -> None:
        """Nothing follows but the summary."""


class Rates:
    """Events and decisions a second over the last few seconds, from readings of two counters."""

    SPAN = 3.0

    def __init__(self) -> None:
        self._readings: list[tuple[float, int, int]] = []

    def read(self, at: float, events: int, decisions: int) -> tuple[float, float]:
        """The rates at a moment (seconds) at which the counters stand so."""
        self._readings.append((at, events, decisions))
        while len(self._readings) > 2 and self._readings[1][0] <= at - self.SPAN:
            self._readings.pop(0)
        first = self._readings[0]
        span = at - first[0]
        return ((events - first[1]) / span, (decisions - first[2]) / span) if span > 0 else (0.0, 0.0)


def summary(tally: Tally, progress: Progress, problems: list[str]) -> str:
    """The last words of a run: figures, then what went wrong, or that nothing did."""
    rate = progress.sent / progress.elapsed if progress.elapsed else 0.0
    outcomes = ", ".join(f"{tally.outcomes[name]:,} {name}" for name in OUTCOMES if tally.outcomes[name])
    silences = ", ".join(f"{reason} {count:,}" for reason, count in tally.silences.most_common(6))
    letters = ", ".join(f"{code} {count}" for code, count in sorted(tally.dead_letters.items()))
    requests = tally.published["contact.requested"]
    lines = [
        f"events      {tally.published.total():,} published, {requests:,} of them requests; "
        f"{rate:,.0f} a second for {progress.elapsed:.0f} s",
        f"decisions   {tally.decisions:,}: {outcomes or 'none'}; {tally.further:,} further answers at a wake",
        f"silences    {silences or 'none'}",
        f"latency     p50 {tally.latency(0.5):.0f} ms, p99 {tally.latency(0.99):.0f} ms, "
        f"from publishing to seeing the answer",
        f"unreadable  {tally.dead_letters.total()} dead letters{': ' + letters if letters else ''}",
        f"unanswered  {tally.waiting}",
        "Real: products, purchases, returns, countries (UCI Online Retail, Daqing Chen, CC BY 4.0). "
        "All else is synthetic, and marked so.",
    ]
    return "\n".join([*lines, *(f"PROBLEM     {problem}" for problem in problems)])
