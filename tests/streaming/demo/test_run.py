"""The demo as a whole, as its user starts it: a real worker process over an embedded broker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from decisioning.streaming.broker import start_broker
from decisioning.streaming.demo.fact import SHOP, fact
from decisioning.streaming.demo.feeder import Publisher
from decisioning.streaming.settings import Settings, client_options
from decisioning.streaming.topics import plan

DEMO = "import sys; from decisioning.streaming.demo import run_demo; sys.exit(run_demo(plain=True, {}))"


@contextmanager
def demo(options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A demo as a process of its own; ended on the way out."""
    with subprocess.Popen(
        [sys.executable, "-c", DEMO.format(options)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], word: str) -> str:
    """What it printed, up to the first line with a word in it."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if word in line:
            break
    return said


def running(name: str) -> list[int]:
    """The processes whose command line or environment holds a word."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if name.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def test_every_request_is_answered() -> None:
    """Exit code 0: the history is published, each request has its answer or its dead letter, the worker ended well."""
    with demo("seconds=5, days=7") as process:
        said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "unanswered  0" in said
    assert "unreadable  6 dead letters: missing_field 2, no_time 2, not_json 2" in said
    assert "PROBLEM" not in said
    decisions = said[said.index("\ndecisions ") :]
    for outcome in ("act", "suppress", "defer", "recall"):
        counted = re.search(rf"([\d,]+) {outcome}", decisions)
        assert counted is not None, outcome
        assert int(counted[1].replace(",", "")) > 20
    for mark in ("asks", "speaks", "silent"):
        assert re.search(rf"^story   .*  {mark} ", said, re.MULTILINE)


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """130, one line, and neither broker nor worker nor folder is left."""
    with demo("seconds=60", TMPDIR=str(tmp_path), DECISIONING_DEMO_TEST=tmp_path.name) as process:
        lines_until(process, "worker: ready")
        assert len(running(f"DECISIONING_DEMO_TEST={tmp_path.name}")) == 3
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.endswith("stopped; nothing is left running\n")
    assert running(f"DECISIONING_DEMO_TEST={tmp_path.name}") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_keep_leaves_it_running_until_it_is_told_to_end(tmp_path: Path) -> None:
    """After the summary broker and worker stay; SIGTERM ends them."""
    with demo("keep=True, seconds=5, days=2", DECISIONING_DEMO_TEST=tmp_path.name) as process:
        assert "unanswered  0" in lines_until(process, "kept: ")
        assert len(running(f"DECISIONING_DEMO_TEST={tmp_path.name}")) == 3
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert running(f"DECISIONING_DEMO_TEST={tmp_path.name}") == []


def test_a_kafka_with_records_of_others_is_refused() -> None:
    """Invented customers never get among real ones: exit code 3, and what to do about it."""
    names = [row.name for row in plan(Settings(topic_prefix="demo-"))]
    with start_broker(names, partitions=4) as broker:
        publisher = Publisher(
            client_options(Settings(kafka=broker.address)), stamped=False, arrived=lambda one, place: None
        )
        publisher.publish(fact("customer.updated", "u-1", "c-1", 0, {"country": "GB"}, source=SHOP, real=True))
        publisher.flush()
        with demo(f"broker={broker.address!r}", DECISIONING_PARTITIONS="4") as process:
            said, _ = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert "topic customers" in said
    assert "already holds records" in said


def test_a_broker_that_is_not_there_is_one_line() -> None:
    """Exit code 3 and no traceback."""
    begun = time.monotonic()
    with demo("broker='127.0.0.1:9'") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert "127.0.0.1:9" in said
    assert "Traceback" not in said
    assert time.monotonic() - begun < 45
