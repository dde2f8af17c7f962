"""The demo as log lines."""

from __future__ import annotations

import pytest

from decisioning.streaming.demo.plain import Lines
from decisioning.streaming.demo.screen import Progress
from decisioning.streaming.demo.story import Told
from decisioning.streaming.demo.tally import Tally


def test_lines_are_for_logs(capsys: pytest.CaptureFixture[str]) -> None:
    """A note, a line of the story, the figures every five seconds and not more often; no control characters."""
    lines = Lines()
    lines.note("broker: embedded")
    lines.tell(Told("Mon 06 Dec 12:00", "suppress", "sale by sms: You just bought this."))
    for elapsed in (0.0, 1.0, 5.0, 6.0, 10.0):
        lines.show(Tally(), Progress(1, 2, 1_291_636_800_000_000, elapsed))
    lines.close()
    said = capsys.readouterr().out
    story = "story   Mon 06 Dec 12:00  silent      sale by sms: You just bought this.\n"
    assert said.startswith("broker: embedded\n" + story)
    assert said.count("figures Mon 06 Dec 12:00  1/2 events") == 2
    assert "\x1b" not in said
