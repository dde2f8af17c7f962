"""What an order says of itself."""

from __future__ import annotations

import pytest

from decisioning.state.order import Line, Order, Returned


@pytest.mark.parametrize(
    ("bought", "cancelled", "stands"),
    [(None, None, False), (None, 5, False), (5, None, True), (5, 4, True), (5, 5, False)],
)
def test_an_order_stands_when_bought_and_not_cancelled_since(
    bought: int | None, cancelled: int | None, stands: bool
) -> None:
    """A cancellation at the purchase's own time counts as after it (reading 6)."""
    assert Order("o", bought_at=bought, cancelled_at=cancelled).stands is stands


def test_an_order_knows_what_is_kept_of_it() -> None:
    """Units over all lines of a sku, less what came back."""
    order = Order(
        "o", 1, "GBP", (Line("A", 2, "1.00"), Line("A", 1, "2.00"), Line("B", 1, "1.00")), (Returned("A", 1, 2),)
    )
    assert (order.kept("A"), order.kept("B"), order.kept("C")) == (2, 1, 0)


def test_an_order_knows_that_all_of_it_came_back() -> None:
    """From its lines, or from the units that were kept when its lines were forgotten; of nothing, nothing came back."""
    lines = (Line("A", 1, "1.00"), Line("B", 2, "1.00"))
    assert not Order("o", 1, "GBP", lines, (Returned("A", 1, 2),)).came_back
    assert Order("o", 1, "GBP", lines, (Returned("A", 1, 2), Returned("B", 2, 2))).came_back
    assert [Order("o", 1, left=left).came_back for left in (None, (), ((7, 1),))] == [False, True, False]
