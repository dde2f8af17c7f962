"""Decisions followed from the shell: filters, the last ones, the end at Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from decisioning.inbox import Received, read
from decisioning.instant import parse_instant
from decisioning.streaming.follow import Wanted, in_a_line, structured
from tests.streaming.live import Live, until

TIME = "2026-03-20T09:00:00Z"


def decided(outcome: str, customer: str = "c-1", id_: str = "d-1", **data: Any) -> Received:
    """A decision as it is read."""
    told = {"outcome": outcome, "reason": "allowed.clear", **data}
    return Received(id_, customer, parse_instant(TIME), told)


ACT = decided("act", action="news", channel="sms", valid_until="2026-03-20T13:00:00Z", **{"class": "marketing"})
REFUSED = decided(
    "suppress", "c-2", action="sale", channel="email", reason="recent_purchase.price_drop", request_id="r-1",
    allowed_from="2026-04-01T10:15:00Z", **{"class": "marketing"},
)  # fmt: skip
HELD = decided("hold", reason="hold.open_issue", scope={"classes": ["marketing", "survey"]}, until=TIME)


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Wanted(), [ACT, REFUSED, HELD]),
        (Wanted(customers=["c-2"]), [REFUSED]),
        (Wanted(outcomes=["act", "hold"]), [ACT, HELD]),
        (Wanted(outcomes=["act"], customers=["c-2"]), []),
        (Wanted(classes=["marketing"]), [ACT, REFUSED]),
        (Wanted(channels=["sms"]), [ACT]),
        (Wanted(reasons=["recent_purchase"]), [REFUSED]),
        (Wanted(reasons=["recent_purchase.price_drop", "hold"]), [REFUSED, HELD]),
        (Wanted(reasons=["recent"]), []),
        (Wanted(actions=["news"]), [ACT]),
    ],
)
def test_of_each_filter_any_of_all_filters_all(wanted: Wanted, taken: list[Received]) -> None:
    """A reason may be only its family."""
    assert [one for one in (ACT, REFUSED, HELD) if wanted.takes(one)] == taken


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (ACT, "act       c-1  news by sms (marketing), allowed.clear, until 2026-03-20T13:00:00Z"),
        (
            REFUSED,
            "suppress  c-2  sale by email (marketing), recent_purchase.price_drop, "
            "allowed from 2026-04-01T10:15:00Z, request r-1",
        ),
        (HELD, f"hold      c-1  nothing of classes marketing survey, hold.open_issue, until {TIME}"),
        (decided("hold", reason="dnc.erased", scope={}), "hold      c-1  nothing at all, dnc.erased"),
        (
            decided("hold", reason="recent_purchase.same_item", scope={"categories": [], "skus": ["EREADER-1"]}),
            "hold      c-1  nothing of skus EREADER-1, recent_purchase.same_item",
        ),
        (decided("recall", recalls="d-0", channel="sms"), "recall    c-1  by sms, allowed.clear, takes back d-0"),
        (decided("release", releases="h-1"), "release   c-1  allowed.clear, ends h-1"),
    ],
)
def test_a_line_for_a_person(one: Received, line: str) -> None:
    """When, what, about whom, why, and until when."""
    assert in_a_line(one) == f"{TIME}  {line}"


def test_a_name_cannot_command_the_terminal() -> None:
    """Ids are whatever somebody wrote: control characters are shown and not obeyed."""
    line = in_a_line(decided("act", "c\x1b[2J\n", action="a\u202eb"))
    assert line.isprintable()
    assert "c\\x1b[2J\\n" in line


def test_a_binary_decision_is_shown_as_a_structured_one() -> None:
    """One shape for whoever reads the lines, and always one line."""
    headers = [("content-type", b"application/json"), ("ce_specversion", b"1.0"), ("ce_id", b"d-1")]
    assert json.loads(structured(b'{"outcome": "act"}', headers)) == {
        "specversion": "1.0", "id": "d-1", "data": {"outcome": "act"},
    }  # fmt: skip
    assert structured(b'{"a":1}', ()) == b'{"a":1}'
    assert b"\n" not in structured(b'{\n "a":1}', ())


# -- on a broker ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A broker with decisions of several customers, and one record that is none."""
    with Live(tmp_path_factory.mktemp("follow"), 4) as running:
        for number in range(300):
            say(running, f"a-{number}", f"c-{number % 7}", "act" if number % 50 else "suppress", at=number)
        running.publish("decisions", b"{}", "c-1", at=1)
        running.flush()
        yield running


def say(live: Live, id_: str, customer: str, outcome: str = "act", at: int | None = None) -> None:
    """A decision on its topic."""
    told = {"specversion": "1.0", "id": id_, "source": "/decisioning", "type": f"decision.{outcome}", "time": TIME,
            "subject": customer, "data": {"outcome": outcome, "reason": "allowed.clear", "action": id_}}  # fmt: skip
    live.publish("decisions", json.dumps(told).encode(), customer, at=None if at is None else 1_772_445_600_000 + at)


def watched(live: Live, *arguments: str) -> list[str]:
    """The ids that `watch` shows of what is there."""
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", "watch", "--no-follow", "--json", *arguments], env=live.environment(),
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [read(line).id for line in done.stdout.splitlines()]


def test_all_or_the_last_of_what_is_there(live: Live) -> None:
    """The last ones by time over all partitions, however few of them match."""
    everything = watched(live, "--from-beginning")
    assert sorted(everything) == sorted(f"a-{number}" for number in range(300))
    assert watched(live, "--last", "3") == ["a-297", "a-298", "a-299"]
    assert watched(live, "--last", "2", "--outcome", "suppress") == ["a-200", "a-250"]
    rare = [f"a-{number}" for number in range(0, 300, 50)]  # the first of them far behind what is looked at first
    assert watched(live, "--last", "7", "--outcome", "suppress") == rare
    assert watched(live, "--last", "1000", "--customer", "c-3") == [f"a-{n}" for n in range(3, 300, 7)]
    both = watched(live, "--from-beginning", "--customer", "c-3", "--customer", "c-4", "--outcome", "suppress")
    assert sorted(both) == ["a-150", "a-200"]
    assert watched(live) == []


class Watching:
    """`decisioning watch` as a process that goes on."""

    def __init__(self, live: Live, folder: Path, *arguments: str) -> None:
        self._out, self._err = folder / "out.txt", folder / "err.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "decisioning", "watch", *arguments], env=live.environment(), stdout=out,
                stderr=err,
            )  # fmt: skip
        until(lambda: "Ctrl-C" in self._err.read_text(), what="following")

    @property
    def lines(self) -> list[str]:
        """What it showed."""
        return self._out.read_text().splitlines()

    def showed(self, count: int) -> bool:
        """Whether it showed so many decisions."""
        return len(self.lines) >= count


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_from_now_on_until_it_is_told_to_end(live: Live, tmp_path: Path, number: signal.Signals) -> None:
    """What comes after its start is shown at once; Ctrl-C is no failure and leaves no traceback."""
    watching = Watching(live, tmp_path, "--customer", "c-new")
    try:
        for turn in range(2):
            say(live, f"n-{number}-{turn}", "c-new")
            live.flush()
            until(partial(watching.showed, turn + 1), what="the decision shown")
        assert [line.split()[3].rstrip(",") for line in watching.lines] == [f"n-{number}-0", f"n-{number}-1"]
        watching.process.send_signal(number)
        assert watching.process.wait(30) == 0
        assert len((tmp_path / "err.txt").read_text().splitlines()) == 1
    finally:
        watching.process.kill()
        watching.process.wait()


def test_whoever_reads_it_may_leave(live: Live) -> None:
    """`decisioning watch … | head -1` ends without a word."""
    process = subprocess.Popen(
        [sys.executable, "-m", "decisioning", "watch", "--no-follow", "--from-beginning", "--json"],
        env=live.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()


def test_nothing_to_follow_is_exit_3(live: Live) -> None:
    """No Kafka there."""
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", "watch"], env=live.environment(kafka="127.0.0.1:1"), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1)
