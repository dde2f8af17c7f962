"""The doors of `send` and `watch`: what they take, and what is a wrong command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from decisioning.decision import Outcome
from decisioning.payload import Class
from decisioning.wire import ClassName, OutcomeName


def test_the_filters_name_what_there_is() -> None:
    """They are written out, so that `--help` needs no engine."""
    assert [one.value for one in OutcomeName] == [one.value for one in Outcome]
    assert tuple(one.value for one in ClassName) == get_args(Class)


@pytest.mark.parametrize(
    "arguments",
    [
        ["send", "--customer", "c-1"],
        ["send", "--data", "{}"],
        ["send", "missing.jsonl"],
        ["send", str(Path(__file__)), "--type", "customer.erased"],
        ["watch", "--last", "0"],
        ["watch", "--last", "1", "--from-beginning"],
        ["watch", "--outcome", "shout"],
        ["watch", "--class", "advert"],
    ],
)
def test_a_wrong_command_is_usage(arguments: list[str]) -> None:
    """Exit 2, said on stderr in one line."""
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


def test_help_is_quick_to_load() -> None:
    """The doors bring neither Kafka's client nor the engine."""
    code = "import sys, decisioning.wire; print({'aiokafka', 'decisioning.engine', 'msgspec'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"
