"""The sample and one history, read once for all tests of the demo."""

from __future__ import annotations

import pytest

from decisioning.streaming.demo.sample import Invoice, invoices
from decisioning.streaming.demo.shop import History, history


@pytest.fixture(scope="session")
def sample() -> list[Invoice]:
    """The shipped sample."""
    return invoices()


@pytest.fixture(scope="session")
def told(sample: list[Invoice]) -> History:
    """The history that `make demo` tells without further words."""
    return history(sample, seed=7)
