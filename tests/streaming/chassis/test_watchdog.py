"""Ends of a process: the right code, one line, nothing personal."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from faust.exceptions import ConsistencyError

from decisioning.streaming.chassis import watchdog
from decisioning.streaming.chassis.header import FormatError
from decisioning.streaming.chassis.lane import GapError
from decisioning.streaming.chassis.store import StoreError


def ended(program: str) -> tuple[int, str]:
    """Exit code and stderr of a program that has imported the watchdog and asyncio."""
    head = "import asyncio, time\nfrom decisioning.streaming.chassis.watchdog import *\n"
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(program)], capture_output=True, text=True, timeout=20
    )
    return done.returncode, done.stderr


def test_a_crash_says_one_line_and_runs_nothing_more() -> None:
    """The process ends at once: no finally, no exit handler, no flush."""
    code, errors = ended("try: crash(72, 'gone')\nfinally: print('more')")
    assert (code, errors) == (72, "crash 72: gone\n")


@pytest.mark.parametrize(
    ("error", "where", "code", "says"),
    [
        (GapError("missing"), "x", watchdog.GAP, "missing"),
        (StoreError("in use"), "x", watchdog.STORE, "in use"),
        (FormatError("newer"), "x", watchdog.STORE, "newer"),
        (ConsistencyError("a\nb"), "x", watchdog.STORE, "ahead of the end of its changelog"),
        (MessageSizeTooLargeError("big"), "x", watchdog.SEND, "Kafka did not take a record"),
        (MessageSizeTooLargeError("big"), watchdog.FETCHING, watchdog.GROUP, "reading from Kafka failed"),
        (MessageSizeTooLargeError("big"), watchdog.CONSUMER_GROUP, watchdog.GROUP, "consumer group is lost"),
        (KafkaConnectionError("no one"), "x", watchdog.UNREACHABLE, "cannot be reached"),
        (TypeError("two\nlines"), "the attic", watchdog.UNKNOWN, "TypeError in the attic: two lines"),
    ],
)
def test_each_error_has_its_code_and_one_line(error: Exception, where: str, code: int, says: str) -> None:
    """What an operator needs: which part is at fault, and what happens next."""
    found, line = watchdog.explain(error, where)
    assert found == code
    assert says in line
    assert "\n" not in line


def test_an_unknown_error_names_its_place() -> None:
    """File and line of where it was raised, for whoever mends it."""
    try:
        dict[str, int]()["c-canary"]
    except KeyError as error:
        _, line = watchdog.explain(error, "here")
    assert "canary" not in line, "what an error quotes may be a person's"
    assert line.startswith("KeyError at test_watchdog.py:")


def test_a_supervised_task_that_fails_ends_the_process() -> None:
    """Not one exception of a task of ours is only logged."""
    code, errors = ended(
        """
        async def fails(): raise RuntimeError("oh")
        async def main():
            supervise(fails(), lambda: "the cellar")
            await asyncio.sleep(10)
        asyncio.run(main())
        """
    )
    assert code == watchdog.UNKNOWN
    assert "in the cellar: oh" in errors


def test_a_cancelled_task_ends_quietly() -> None:
    """The orderly end of a task is no crash."""
    code, errors = ended(
        """
        async def waits(): await asyncio.sleep(10)
        async def main():
            task = supervise(waits(), lambda: "")
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        asyncio.run(main())
        """
    )
    assert (code, errors) == (0, "")


async def test_a_dismissed_task_is_over_and_nothing_is_one_too() -> None:
    """Who stops twice, or never began, stops as well."""
    task = watchdog.supervise(asyncio.sleep(60), lambda: "")
    await watchdog.dismiss(task, None)
    assert task.cancelled()
    await watchdog.dismiss(task)


def test_work_without_progress_ends_the_process() -> None:
    """Also where the whole event loop stands still."""
    code, errors = ended(
        """
        Watchdog(0.2, busy=lambda: True, progress=lambda: 1, where=lambda: "a[0]@7").start()
        while True: pass
        """
    )
    assert code == watchdog.STALL
    assert errors == "crash 75: nothing was finished for 0.2 s though work waits; at hand: a[0]@7\n"


def test_progress_or_idleness_is_no_stall() -> None:
    """Whoever finishes something, or has nothing to do, lives on."""
    code, _ = ended(
        """
        Watchdog(0.1, busy=lambda: True, progress=time.monotonic, where=str).start()
        Watchdog(0.1, busy=lambda: False, progress=lambda: 1, where=str).start()
        time.sleep(0.6)
        """
    )
    assert code == 0


def test_a_line_that_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """What mends itself is said on stderr, as a crash is."""
    watchdog.say("mended")
    assert capsys.readouterr() == ("", "mended\n")


def test_a_process_that_itself_stood_still_is_given_time() -> None:
    """SIGSTOP and SIGCONT, or a machine that slept: what did not move then was not stuck."""
    code, _ = ended(
        """
        import os, subprocess
        beat = [0]
        Watchdog(1.0, busy=lambda: True, progress=lambda: beat[0], where=str).start()
        me = os.getpid()
        subprocess.Popen(["sh", "-c", f"kill -STOP {me}; sleep 2; kill -CONT {me}"])
        end = time.monotonic() + 3.5
        while time.monotonic() < end:
            time.sleep(0.2)
            beat[0] += 1
        """
    )
    assert code == 0
