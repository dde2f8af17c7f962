"""The live picture: everything that matters is on it, the newest line of the story always."""

from __future__ import annotations

import io

from rich.console import Console

from decisioning.streaming.demo.screen import Progress
from decisioning.streaming.demo.story import Told
from decisioning.streaming.demo.tally import Tally
from decisioning.streaming.demo.view import Picture
from tests.streaming.demo.decided import decision

NOW = Progress(5, 10, 1_291_636_800_000_000, 1.0)


def screen(height: int = 30) -> Console:
    """A terminal of 120 columns that writes into memory."""
    return Console(file=io.StringIO(), width=120, height=height, force_terminal=True, legacy_windows=False)


def drawn(picture: Picture, tally: Tally) -> str:
    """What one drawing shows, without colours."""
    console = Console(file=io.StringIO(), width=120, height=30, no_color=True)
    console.print(picture.picture(tally, NOW), height=30)
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


def test_the_picture_shows_figures_reasons_and_story() -> None:
    """Clock, outcomes, top reasons, what is synthetic, and the protagonist's lines with their why."""
    tally = Tally()
    for number in range(3):
        tally.decide(decision("suppress", "consent.missing", id_=f"d-{number}"), 1.0)
    picture = Picture("c-7", screen())
    picture.tell(Told("Mon 06 Dec 12:00", "suppress", "sale by sms: You just bought this."))
    said = drawn(picture, tally)
    for words in ("Mon 06 Dec 12:00", "suppress", "consent.missing", "synthetic", "customer c-7", "You just bought"):
        assert words in said


def test_the_newest_line_is_always_to_be_seen() -> None:
    """Long lines wrap, and still the story ends at the bottom of its panel, not below it."""
    picture = Picture("c-7", screen())
    for number in range(60):
        picture.tell(Told("Mon 06 Dec 12:00", "suppress", f"line {number} " + "and so on " * (number % 20)))
    picture.tell(Told("Mon 06 Dec 12:01", "act", "the last one"))
    said = drawn(picture, Tally())
    assert "the last one" in said
    assert "line 1 " not in said


def test_closing_gives_the_terminal_back_once() -> None:
    """The alternate screen is left, the story stays above the summary, and closing again prints nothing."""
    console = screen()
    picture = Picture("c-7", console)
    picture.tell(Told("Mon 06 Dec 12:00", "happens", "buys a lantern"))
    picture.show(Tally(), NOW)
    picture.close()
    text = console.file
    assert isinstance(text, io.StringIO)
    said = text.getvalue()
    assert said.index("\x1b[?1049h") < said.index("\x1b[?1049l") < said.rindex("buys a lantern")
    picture.close()
    assert text.getvalue() == said
