"""Makes the toy worker and the harness beside it importable, whatever directory the tests are started from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import Cluster  # noqa: E402 - found only by the line above


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A broker of its own with the toy's topics, a place for stores, and an end to every worker."""
    with Cluster(tmp_path) as running:
        yield running
