"""One order known to two sides (contract.md, section 4, "An identity ...", exact readings 6 and 8)."""

from __future__ import annotations

import pytest

from decisioning.state.model import MAX_SAID, MAX_TOLD, Line, Order, Returned, Said, Told
from decisioning.state.unite import orders_of_both, united

PEN, CUP = Line("PEN", 2, "1.00"), Line("CUP", 1, "5.00")


def both(one: Order, other: Order) -> Order:
    """The two as one, which is the same whichever side is the target."""
    there, back = united(one, other), united(other, one)
    assert (sorted(there.lines, key=repr), sorted(there.returned, key=repr)) == (
        sorted(back.lines, key=repr), sorted(back.returned, key=repr)
    )  # fmt: skip
    assert there.told == back.told
    return there


def test_orders_of_different_ids_stand_side_by_side() -> None:
    """The target's first."""
    ours, theirs = (Order("o-1", 5), Order("o-2", 6)), (Order("o-3", 4), Order("o-2", 9))
    assert [order.id for order in orders_of_both(ours, theirs)] == ["o-1", "o-2", "o-3"]
    assert orders_of_both(ours, theirs)[1].bought_at == 9


def test_the_later_purchase_gives_the_lines() -> None:
    """As a later event of the same order id does; of what came back, only what came after it."""
    early = Order("o", 5, "GBP", (PEN,), (Returned("PEN", 1, 7), Returned("CUP", 1, 12)))
    late = Order("o", 10, "EUR", (CUP,))
    found = both(early, late)
    assert (found.bought_at, found.currency, found.lines) == (10, "EUR", (CUP,))
    assert found.returned == (Returned("CUP", 1, 12),)


def test_a_purchase_that_only_one_side_knows_stands() -> None:
    """The other side may know of its cancellation or delivery."""
    found = both(Order("o", 5, "GBP", (PEN,)), Order("o", cancelled_at=8, delivered_at=7, shipped_at=6))
    assert (found.bought_at, found.lines, found.cancelled_at) == (5, (PEN,), 8)
    assert (found.shipped_at, found.delivered_at, found.stands) == (6, 7, False)


def test_of_two_words_about_what_came_back_the_fewer_units_count() -> None:
    """The stricter; what only one side knows stands."""
    one = Order("o", 5, "GBP", (PEN, CUP), (Returned("PEN", 2, 7),))
    other = Order("o", 5, "GBP", (PEN, CUP), (Returned("PEN", 1, 9), Returned("CUP", 1, 8)))
    found = both(one, other)
    assert (found.kept("PEN"), found.kept("CUP")) == (1, 0)
    assert Returned("PEN", 1, 9) in found.returned


def test_of_two_purchases_of_one_time_every_line_counts() -> None:
    """With the larger number of units; nothing came back that was not bought."""
    found = both(
        Order("o", 5, "GBP", (PEN,), (Returned("CUP", 3, 9),)), Order("o", 5, "GBP", (Line("PEN", 3, "1.00"), CUP))
    )
    assert sorted((line.sku, line.quantity) for line in found.lines) == [("CUP", 1), ("PEN", 3)]
    assert found.kept("CUP") == 0


def test_every_status_has_its_newest_time() -> None:
    """Shipped, delivered, cancelled, payment failed."""
    names = ("shipped_at", "delivered_at", "cancelled_at", "payment_failed_at")
    early, late = (Order("o", shipped_at=at, delivered_at=at, cancelled_at=at, payment_failed_at=at) for at in (5, 9))
    found = both(early, late)
    assert {getattr(found, name) for name in names} == {9}


@pytest.mark.parametrize(("second", "late"), [(30, True), (20, False), (10, False)])
def test_what_both_were_promised_is_read_in_order(second: int, late: bool) -> None:
    """A later promise of the other side is a postponement, as if one customer had heard both."""
    assert both(Order("o", told=(Told(1, 20, True),)), Order("o", told=(Told(2, second, False),))).postponed is late
    assert both(Order("o", postponed=True), Order("o")).postponed


def test_what_was_said_on_either_side_was_said() -> None:
    """So that nothing of an order is said twice; the same act once."""
    word = Said("a-1", 5, "order_status:order.shipped")
    assert both(Order("o", said=(word,)), Order("o", said=(word, Said("a-2", 3, "delay_alert")))).said == (
        Said("a-2", 3, "delay_alert"), word
    )  # fmt: skip


def test_the_bounds_keep_the_newest_and_what_was_last_said() -> None:
    """Of promises, beside the newest, the last that the customer heard."""
    one = Order(
        "o",
        told=tuple(Told(n, 100, n == 0) for n in range(MAX_TOLD)),
        said=tuple(Said(f"{n}", n, "x") for n in range(MAX_SAID)),
    )
    other = Order(
        "o",
        told=tuple(Told(n + 50, 100, False) for n in range(MAX_TOLD)),
        said=tuple(Said(f"b{n}", n, "x") for n in range(MAX_SAID)),
    )
    found = both(one, other)
    assert (len(found.told), len(found.said)) == (MAX_TOLD, MAX_SAID)
    assert found.told[0] == Told(0, 100, True)
    assert found.told[-1].at == 50 + MAX_TOLD - 1
    assert found.said[-1].made == MAX_SAID - 1
