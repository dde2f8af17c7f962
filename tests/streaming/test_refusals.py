"""A worker that must not start says why in one line, and with an exit code that tells whose fault it is."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.streaming.live import Live


def refused(environment: dict[str, str]) -> tuple[int, list[str]]:
    """Exit code and lines of a worker that must not start."""
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", "run"], env=environment, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One broker for workers that do not start; its relay is missing."""
    with Live(tmp_path_factory.mktemp("shared"), without=("relay",)) as running:
        yield running


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        pytest.param({}, 3, "missing topics: relay; run `decisioning topics create`", id="a missing topic"),
        pytest.param({"kafka": "127.0.0.1:1"}, 3, "Kafka at 127.0.0.1:1 cannot be reached", id="no broker"),
        pytest.param({"rulebook": "nowhere.yaml"}, 1, "nowhere.yaml: cannot be read", id="no rulebook"),
        pytest.param({"fetch_wait_ms": "soon"}, 3, "DECISIONING_FETCH_WAIT_MS", id="a bad setting"),
        pytest.param({"session_timeout_ms": 40_000}, 3, "missing topics", id="a long session is fine"),
        pytest.param({"kafka": "user:word@host:1"}, 3, "holds credentials", id="credentials in the address"),
    ],
)
def test_a_worker_that_must_not_start_says_why(shared: Live, settings: dict[str, Any], code: int, words: str) -> None:
    """One clear line and an exit code, no traceback."""
    left, lines = refused(shared.environment(**settings))
    assert left == code
    assert len(lines) == 1
    assert words in lines[0]


def test_a_bad_rulebook_is_refused_with_line_and_column(shared: Live, tmp_path: Path) -> None:
    """Each fault of a rulebook stands on a line of its own with its place; exit code 1."""
    rules = tmp_path / "bad.yaml"
    rules.write_text('rulebook: bad\nversion: "1"\nrespekt: {}\n')
    code, lines = refused(shared.environment(rulebook=rules))
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith(f"{rules}:3:1: ")


def test_wrong_partitions_and_a_taken_port_are_refused(tmp_path: Path) -> None:
    """Topics with another number of partitions than configured would lose state; a port can belong to someone else."""
    with Live(tmp_path) as broker, socket.socket() as other:
        code, lines = refused(broker.environment(partitions=5))
        assert code == 3
        assert lines == ["partitions: 5 expected, but all customer topics have 4; set DECISIONING_PARTITIONS=4"]
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, lines = refused(broker.environment(http_port=other.getsockname()[1]))
    assert code == 3
    assert len(lines) == 1
    assert "DECISIONING_HTTP_PORT" in lines[0]
