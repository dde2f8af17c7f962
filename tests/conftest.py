"""Customers to begin a story with; the words to tell it are in `tests/builders.py`."""

from __future__ import annotations

import pytest

from tests.builders import Story, granted, lives


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
