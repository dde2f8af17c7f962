"""A broker of its own for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.streaming.chassis.harness import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A broker of its own with the toy's topics, a place for stores, and an end to every worker."""
    with Cluster(tmp_path) as running:
        yield running
