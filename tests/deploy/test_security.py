"""SECURITY.md keeps its word: what it names exists, and every row has a test or a written reason."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| Expected ")]
IMPORTING = """
import importlib, sys

def heard(event, _):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        raise SystemExit(event)

sys.addaudithook(heard)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(sorted(sys.modules.keys() & {"decisioning.streaming.app", "faust", "aiokafka"}))
"""
"""Modules, and their libraries with them, by a process that ends when one speaks to somebody."""
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@cache
def functions_of(path: str) -> frozenset[str]:
    """The tests of a file by name; none where there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    found = ast.walk(ast.parse(file.read_text()))
    return frozenset(one.name for one in found if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_row_has_a_test_or_a_written_reason(row: str) -> None:
    """And every test that is named is there."""
    named = TEST.findall(row)
    assert named or "Reason: " in row
    assert len(named) == row.count("::")
    for path, name in named:
        assert name in functions_of(path), f"{path} has no {name}"


@pytest.mark.parametrize(
    "expected",
    ["TLS 1.2", "Least privilege", "Secrets", "Personal data", "Erasure", "HTTP", "Rules", "no pickle", "forge",
     "data directory", "SBOM", "circuit breaker"],
)  # fmt: skip
def test_no_expectation_is_left_out(expected: str) -> None:
    """Of transport, privilege, secrets, people, erasure, HTTP, rules, reading, integrity, rest, supply, overload."""
    assert expected in TEXT
    assert len(ROWS) > 40


def test_importing_asks_nobody_on_the_network() -> None:
    """No address is looked up and nobody is called before a command is given."""
    files = [file.relative_to(ROOT).with_suffix("") for file in (ROOT / "decisioning").rglob("*.py")]
    modules = [".".join(file.parts).removesuffix(".__init__") for file in files]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING, *modules], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['aiokafka', 'decisioning.streaming.app', 'faust']"
