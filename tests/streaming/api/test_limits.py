"""So many a second, twice as many at once."""

from __future__ import annotations

import pytest

from decisioning.streaming.api.limits import Limits


def test_a_bucket_empties_and_fills_again() -> None:
    """Each name has its own; the wait that is named is the one after which it goes on."""
    now = 0.0
    limits = Limits(2, lambda: now)
    assert [limits.take("a") for _ in range(4)] == [0, 0, 0, 0]
    wait = limits.take("a")
    assert wait == pytest.approx(0.5)
    assert limits.take("b") == 0
    now += wait
    assert limits.take("a") == 0
    assert limits.take("a") > 0
    now += 1000
    assert [limits.take("a") for _ in range(5)] == [0, 0, 0, 0, pytest.approx(0.5)]
