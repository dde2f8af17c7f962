"""Quantiles."""

from __future__ import annotations

from tests.bench.load import quantile


def test_a_quantile_is_a_value_that_was_measured() -> None:
    """Never beyond the last."""
    ordered = [float(n) for n in range(100)]
    assert quantile(ordered, 0.5) == 50
    assert quantile(ordered, 0.99) == 99
    assert quantile(ordered, 0.999) == 99
