"""Customers to begin a story with; the words to tell it are in `tests/builders.py`."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

from tests.builders import Story, granted, lives
from tests.kafka.jars import what_is_missing
from tests.streaming.live import Live

# Modules that start processes or live through many histories, the longest first. Several workers share the tests, each
# beginning with its part of the list: dealt out like cards, no long one is left to run alone at the end.
LONG = (
    "streaming/test_app.py", "faults/test_play.py", "streaming/test_kill.py", "streaming/test_swap.py",
    "streaming/chassis/test_faults.py", "streaming/demo/test_run.py", "streaming/chassis/test_transport.py",
    "kafka/test_examples.py", "kafka/test_worker.py", "kafka/test_transport.py", "properties/test_respect.py",
    "test_main.py", "streaming/test_letters.py", "streaming/test_refusals.py", "test_five_minutes.py",
    "streaming/test_identities.py", "streaming/test_verifier.py", "properties/test_rulebooks.py", "test_window.py",
    "streaming/test_bench.py",
)  # fmt: skip
HANDS = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --broker kafka tests/streaming`: the tests end to end, all on a real Kafka."""
    parser.addoption("--broker", choices=("mock", "kafka"), default="mock", help="what `Live` runs on")


def pytest_configure(config: pytest.Config) -> None:
    """Hand the choice on."""
    Live.broker = config.getoption("--broker")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What needs a real Kafka is skipped where none can run, but in CI that is a failure."""
    mock = item.get_closest_marker("mock")
    if mock and Live.broker != "mock":
        pytest.skip(mock.args[0])
    missing = what_is_missing() if item.get_closest_marker("kafka") else None
    if missing and os.environ.get("CI"):
        pytest.fail(f"{missing}; with CI set that is no reason to skip")
    if missing:
        pytest.skip(missing)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the modules out, long ones first, in as many hands as `make test` has workers."""
    modules: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    here = Path(__file__).parent
    for item in items:
        modules[item.path.relative_to(here).as_posix()].append(item)
    order = sorted(modules, key=lambda name: LONG.index(name) if name in LONG else len(LONG))
    items[:] = [item for hand in range(HANDS) for name in order[hand::HANDS] for item in modules[name]]


@pytest.fixture
def stranger() -> Story:
    """A story about someone of whom nothing is known."""
    return Story()


@pytest.fixture
def story() -> Story:
    """A story about someone in UTC who agreed to marketing and surveys on every channel, early in 2026."""
    told = Story()
    told.at("2026-01-05 09:00", lives(time_zone="UTC"), granted("marketing"), granted("survey"))
    return told
