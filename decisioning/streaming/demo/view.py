"""The demo as a live picture in the terminal: figures on the left, one customer's story on the right."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from decisioning.streaming.demo.screen import OUTCOMES, Progress, Rates
from decisioning.streaming.demo.story import MARKS, Told, clock
from decisioning.streaming.demo.tally import Tally

_EVERY: Final = 0.2  # seconds; drawing costs the reader of decisions some milliseconds each time
_COLOURS: Final = {
    "act": "green", "suppress": "red", "defer": "yellow", "recall": "magenta", "hold": "blue", "release": "cyan",
    "asks": "bold", "happens": "dim",
}  # fmt: skip
_ORIGIN: Final = "a real shop's days; campaigns, consents, support and deliveries are synthetic"
_LEFT: Final = 48
_BAR: Final = 18
_REASONS: Final = 9


class Picture:
    """A `Screen` for people: redrawn five times a second on the alternate screen until `close`."""

    def __init__(self, customer: str, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False, screen=True)
        self._title = f"the story of customer {customer}"
        self._rates = Rates()
        self._drawn = 0.0
        self._story: deque[Told] = deque(maxlen=60)

    def note(self, text: str) -> None:
        """A step of the preparation: the picture only begins with the first event."""
        self._console.print(text, highlight=False)

    def tell(self, told: Told) -> None:
        """The next line of the story appears with the next drawing."""
        self._story.append(told)

    def show(self, tally: Tally, progress: Progress) -> None:
        """Draw, unless it was drawn just now."""
        now = time.monotonic()
        if now - self._drawn >= _EVERY:
            self._drawn = now
            if not self._live.is_started:
                self._live.start()
            self._live.update(self.picture(tally, progress), refresh=True)

    def close(self) -> None:
        """Give the terminal back; the story stays readable above the summary."""
        if self._live.is_started:
            self._live.stop()
            self._console.print(Panel(self._lines(self._story), title=self._title))

    def picture(self, tally: Tally, progress: Progress) -> RenderableType:
        """The whole picture at one moment."""
        layout = Layout()
        layout.split_column(Layout(self._head(tally, progress), size=4), Layout(name="body"))
        layout["body"].split_row(Layout(name="figures", size=_LEFT), Layout(name="story"))
        layout["figures"].split_column(
            Layout(Panel(_outcomes(tally), title="what was decided"), size=len(OUTCOMES) + 2),
            Layout(Panel(_silences(tally), title="why we kept silent")),
        )
        layout["story"].update(Panel(self._lines(self._newest()), title=self._title))
        return layout

    def _head(self, tally: Tally, progress: Progress) -> Panel:
        events, decisions = self._rates.read(progress.elapsed, tally.published.total(), tally.decisions)
        figures = Text.assemble(
            (clock(progress.clock), "bold"),
            f" 2010   {events:,.0f} events/s   {decisions:,.0f} decisions/s   latency ",
            (f"p50 {tally.latency(0.5, recent=True):.0f} ms  p99 {tally.latency(0.99, recent=True):.0f} ms", "bold"),
            f"   {tally.dead_letters.total()} dead letters   {tally.waiting} waiting",
        )
        bar = ProgressBar(total=progress.total, completed=progress.sent)
        return Panel(Group(figures, bar), title="decisioning", subtitle=_ORIGIN)

    def _newest(self) -> list[Told]:
        """As many of the newest lines as fit, the long ones wrapped."""
        room = max(self._console.height - 7, 4)
        width = max(self._console.width - _LEFT - 4 - len("Mon 06 Dec 12:40 ") - len("takes back "), 10)
        found: list[Told] = []
        for told in reversed(self._story):
            room -= len(Text(told.text).wrap(self._console, width))
            if room < 0:
                break
            found.append(told)
        return found[::-1]

    def _lines(self, story: Iterable[Told]) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(no_wrap=True, min_width=len("takes back"))
        table.add_column()
        for told in story:
            colour = _COLOURS.get(told.kind, "")
            table.add_row(told.when, Text(MARKS.get(told.kind, ""), style=colour), Text(told.text, style=colour))
        return table


def _outcomes(tally: Tally) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    most = max(tally.outcomes.values(), default=1)
    for name in OUTCOMES:
        count = tally.outcomes[name]
        bar = "█" * max(round(_BAR * count / most), 1 if count else 0)
        table.add_row(name, Text(f"{count:,}", justify="right"), Text(bar, style=_COLOURS[name]))
    return table


def _silences(tally: Tally) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    for reason, count in tally.silences.most_common(_REASONS):
        table.add_row(reason, Text(f"{count:,}", justify="right"))
    return table
