"""Purchases, returns and cancellations as they are remembered, in whatever order they arrive."""

from __future__ import annotations

import pytest

from decisioning.payload import OrderNamed, PurchaseCompleted, PurchaseReturned
from decisioning.state import State
from decisioning.state.model import MAX_LINES, MAX_ORDERS, Line, Order, Returned
from decisioning.state.orders import cancelled, late
from decisioning.state.purchases import bought, forget_old, returned
from decisioning.state.purchases import kept as kept_units
from tests.builders import (
    CUSTOMER,
    Story,
    at,
    event,
    folded,
    placed,
)
from tests.builders import bought as purchase
from tests.builders import cancelled as cancellation
from tests.builders import returned as sent_back

MONDAY, TUESDAY, WEDNESDAY = "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00"


def kept(story: Story, sku: str = "A") -> dict[str, int]:
    """Units of a sku that each standing order still holds."""
    return {order.id: order.kept(sku) for order in story.state.orders if order.stands}


def only_order(story: Story) -> Order:
    """The one order that is known."""
    [order] = story.state.orders
    return order


def test_lines_of_one_sku_and_price_are_one(story: Story) -> None:
    """Large orders repeat themselves; two prices of one sku stay two lines."""
    lines = [("A", 1, "5.00"), ("A", 2, "5.00"), ("A", 1, "4.00"), ("B", 1, "5.00")]
    told = purchase()
    told.data["lines"] = [{"sku": sku, "quantity": quantity, "unit_price": price} for sku, quantity, price in lines]
    story.at(MONDAY, told)
    found = [(line.sku, line.quantity, line.unit_price) for line in only_order(story).lines]
    assert found == [("A", 3, "5.00"), ("A", 1, "4.00"), ("B", 1, "5.00")]
    assert only_order(story).kept("A") == 4


def test_a_later_purchase_of_the_same_order_replaces_its_lines(story: Story) -> None:
    """Reading 8; the currency and the time are the later one's too."""
    story.at(MONDAY, purchase("A", quantity=2))
    story.at(TUESDAY, purchase("B", currency="EUR"))
    order = only_order(story)
    assert [line.sku for line in order.lines] == ["B"]
    assert (order.currency, order.bought_at) == ("EUR", at(TUESDAY))


def test_an_older_purchase_of_the_same_order_that_arrives_late_is_ignored(story: Story) -> None:
    """Of two facts on one thing the later `time` holds."""
    story.at(TUESDAY, purchase("B"))
    story.at(WEDNESDAY, purchase("A").since(MONDAY))
    assert [line.sku for line in only_order(story).lines] == ["B"]
    assert story.state.bought_at == at(TUESDAY)


def test_of_two_purchases_of_one_order_and_time_both_count(story: Story) -> None:
    """At a tie the stricter: whatever either says was bought, and the greater quantity."""
    story.at(MONDAY, purchase("A", quantity=2), purchase("A", "B", quantity=1))
    assert (only_order(story).kept("A"), only_order(story).kept("B")) == (2, 1)


def test_a_return_gives_back_its_units(story: Story) -> None:
    """Of its order, and of no other."""
    story.at(MONDAY, purchase("A", quantity=3), purchase("A", order="o-2", quantity=3))
    story.at(TUESDAY, sent_back("A", 2))
    story.at(WEDNESDAY, sent_back("A", 1, order="o-2"))
    assert kept(story) == {"o-1": 1, "o-2": 2}


def test_a_return_beyond_what_was_bought_is_clamped(story: Story) -> None:
    """Reading 8: the rest is nobody's; what never was in the order stays out of it."""
    story.at(MONDAY, purchase("A", quantity=2), purchase("A", order="o-2"))
    story.at(TUESDAY, sent_back("A", 5), sent_back("Z", 1))
    assert kept(story) == {"o-1": 0, "o-2": 1}


def test_a_return_of_an_unknown_order_matches_the_newest_purchase_of_that_sku(story: Story) -> None:
    """Section 1; clamped to that one purchase."""
    story.at(MONDAY, purchase("A", quantity=2))
    story.at(TUESDAY, purchase("A", order="o-2", quantity=2))
    story.at(WEDNESDAY, purchase("B", order="o-3"), sent_back("A", 3, order="o-unknown"))
    assert kept(story) == {"o-1": 2, "o-2": 0, "o-3": 0}


def test_a_return_of_an_unknown_order_never_reaches_an_older_purchase(story: Story) -> None:
    """It matches the newest purchase of that sku, even where that is gone: the older one goes on speaking."""
    story.at(MONDAY, purchase("A"), purchase("A", order="o-2"), purchase("A", order="o-3"))
    story.at(TUESDAY, cancellation("o-3"), sent_back("A", order="o-2"))
    story.at(WEDNESDAY, sent_back("A", order="o-unknown"), sent_back("Z", order="o-unknown"))
    assert kept(story) == {"o-1": 1, "o-2": 0}


def test_a_return_from_before_a_purchase_is_not_of_it(story: Story) -> None:
    """An unknown order's return that arrives late cannot be of what was bought after it."""
    story.at(WEDNESDAY, purchase("A"))
    story.at(WEDNESDAY, sent_back("A", order="o-unknown").since(TUESDAY))
    assert kept(story) == {"o-1": 1}


def test_a_return_of_an_order_that_memory_dropped_is_of_no_newer_one(story: Story) -> None:
    """An old order that is swept was known: its return must not eat the units of a new purchase of the same sku."""
    story.at("2026-02-01 10:00", purchase("A", order="o-old"))
    story.at("2026-03-04 09:00", purchase("A", order="o-new"))
    story.at(WEDNESDAY, sent_back("A", order="o-old"))
    assert kept(story)["o-new"] == 1


def test_a_late_return_from_before_the_order_was_replaced_is_of_the_old_lines(story: Story) -> None:
    """It arrives after the new lines, and is not theirs."""
    story.at(MONDAY, purchase("A"))
    story.at(WEDNESDAY, purchase("A"), sent_back("A").since(TUESDAY))
    assert kept(story) == {"o-1": 1}
    story.at(WEDNESDAY, sent_back("A"))
    assert kept(story) == {"o-1": 0}, "at the purchase's own time it counts"


def test_returns_of_the_replaced_lines_do_not_count_for_the_new_ones(story: Story) -> None:
    """What came back before the order was replaced was of the old lines."""
    story.at(MONDAY, purchase("A"))
    story.at(TUESDAY, sent_back("A"))
    story.at(WEDNESDAY, purchase("A"))
    assert kept(story) == {"o-1": 1}


@pytest.mark.parametrize(
    ("time", "stands"), [("2026-03-02 10:00:00", False), ("2026-03-02 09:59:59.999999", True), (TUESDAY, False)]
)
def test_a_cancellation_at_the_purchases_own_time_counts_as_after_it(story: Story, time: str, stands: bool) -> None:
    """Reading 6; an earlier one belongs to what was before."""
    story.at(MONDAY, purchase("A"))
    story.at(TUESDAY, cancellation().since(time))
    assert only_order(story).stands is stands


def test_a_cancellation_may_arrive_before_its_purchase(story: Story) -> None:
    """It is remembered by the order's id."""
    story.at(TUESDAY, cancellation())
    assert not only_order(story).stands
    story.at(WEDNESDAY, purchase("A").since(MONDAY))
    assert not only_order(story).stands
    story.at(WEDNESDAY, cancellation().since(MONDAY))
    assert only_order(story).cancelled_at == at(TUESDAY), "the later fact holds"


def test_a_purchase_after_its_cancellation_stands(story: Story) -> None:
    """Placed again under the same id."""
    story.at(MONDAY, cancellation())
    story.at(TUESDAY, purchase("A"))
    assert only_order(story).stands


def test_the_newest_purchase_is_remembered_by_itself(story: Story) -> None:
    """The cooldown outlives returns and cancellations."""
    story.at(TUESDAY, purchase("A"))
    story.at(WEDNESDAY, purchase("B", order="o-2").since(MONDAY), cancellation(), sent_back("A"))
    assert story.state.bought_at == at(TUESDAY)


def test_of_what_no_rule_can_see_only_the_name_is_kept() -> None:
    """Lines go when all that happened lies at or before the given instant; the id stays, for returns that come late."""
    line = (Line("A", 1, "1.00"),)
    old, off = Order("o-1", 10, "GBP", line, (Returned("A", 1, 11),)), Order("o-2", 10, "GBP", line, (), 20)
    state = State(CUSTOMER, orders=(old, off))
    assert forget_old(state, 9) is state
    assert forget_old(state, 10).orders == (Order("o-1", 10, "GBP", left=()), off)
    emptied = forget_old(state, 20)
    assert emptied.orders == (Order("o-1", 10, "GBP", left=()), Order("o-2", 10, "GBP", (), (), 20))
    assert forget_old(emptied, 30) is emptied


OLD = "2026-01-02 10:00"


def test_of_an_old_order_we_still_see_whether_all_of_it_comes_back() -> None:
    """Each sku by itself and clamped; a sku that the order never held is not of it."""
    state = forget_old(folded((OLD, purchase("A", "B", quantity=2)), (OLD, sent_back("A"))), at(MONDAY))
    assert (state.orders[0].lines, state.orders[0].came_back) == ((), False)
    state = folded((MONDAY, sent_back("Z", 9)), (MONDAY, sent_back("B", 9)), state=state)
    assert not state.orders[0].came_back, "one A is still there"
    state = folded((MONDAY, sent_back("A")), state=state)
    assert state.orders[0].came_back
    assert folded((MONDAY, sent_back("A")), state=state).orders == state.orders
    again = folded((TUESDAY, purchase("A")), state=state)
    assert (again.orders[0].kept("A"), again.orders[0].came_back) == (1, False)


def test_so_we_see_it_of_the_newest_old_orders_alone() -> None:
    """What all came back is remembered of each; of the others the newest eight are watched."""
    told = [(f"2026-01-02 10:{number:02}", purchase("A", order=f"o-{number:02}")) for number in range(12)]
    state = folded(*told, ("2026-01-03 10:00", sent_back("A", order="o-00")))
    orders = {order.id: order for order in forget_old(state, at(MONDAY)).orders}
    assert [id_ for id_, order in orders.items() if order.left] == [f"o-{number:02}" for number in range(4, 12)]
    assert [id_ for id_, order in orders.items() if order.came_back] == ["o-00"]


def many_lines(order: str, when: str, first: int, count: int) -> tuple[State, int]:
    """What is left of an order of so many different skus, and how many lines."""
    state = State(CUSTOMER)
    told = purchase(*[f"S-{number}" for number in range(first, first + count)], order=order)
    happened = event(told.type, when, told.data)
    assert isinstance(happened.data, PurchaseCompleted)
    state = bought(state, happened, happened.data)
    return state, sum(len(one.lines) for one in state.orders)


def test_lines_are_bounded_and_what_is_dropped_is_taken_for_bought() -> None:
    """One huge order keeps the bound's number of lines and raises the floor to its time."""
    state, lines = many_lines("o-1", MONDAY, 0, MAX_LINES + 1)
    assert lines == MAX_LINES
    assert state.orders_floor == at(MONDAY)
    assert many_lines("o-1", MONDAY, 0, MAX_LINES)[0].orders_floor is None


def test_lines_stay_bounded_when_an_order_is_told_twice_at_one_time() -> None:
    """Ties join their lines, and the joined lines have the same bound."""
    state, _ = many_lines("o-1", MONDAY, 0, MAX_LINES + 1)
    told = purchase(*[f"T-{number}" for number in range(500)])
    again = event(told.type, MONDAY, told.data)
    assert isinstance(again.data, PurchaseCompleted)
    state = bought(state, again, again.data)
    assert sum(len(one.lines) for one in state.orders) == MAX_LINES


def test_orders_are_bounded_the_oldest_go_first() -> None:
    """The floor is the newest purchase that was dropped."""
    state = State(CUSTOMER)
    for number in range(MAX_ORDERS + 2):
        told = purchase("A", order=f"o-{number}")
        happened = event(told.type, f"2026-03-02 10:{number % 60:02}:{number // 60:02}", told.data)
        assert isinstance(happened.data, PurchaseCompleted)
        state = bought(state, happened, happened.data)
    assert len(state.orders) == MAX_ORDERS
    assert state.orders_floor == at("2026-03-02 10:00:01")
    assert {"o-0", "o-60"}.isdisjoint(order.id for order in state.orders)


def test_a_forgotten_cancellation_leaves_the_strict_side() -> None:
    """Cancellations of unknown orders are bounded as well; without one the purchase speaks."""
    state = State(CUSTOMER)
    for number in range(MAX_ORDERS + 10):
        off = event("order.cancelled", MONDAY, {"order_id": f"o-{number}"})
        assert isinstance(off.data, OrderNamed)
        state = cancelled(state, off, off.data)
    assert len(state.orders) == MAX_ORDERS


def test_a_return_changes_a_state_only_where_units_come_back() -> None:
    """A return of nothing known leaves the very same state."""
    told = sent_back("A")
    happened = event(told.type, MONDAY, told.data)
    assert isinstance(happened.data, PurchaseReturned)
    for state in (State(CUSTOMER), State(CUSTOMER, orders=(Order("o-1", at(MONDAY), "GBP", (Line("Z", 1, "1.00"),)),))):
        assert returned(state, happened, happened.data) is state


def test_a_purchase_is_an_order_placed_and_placing_it_again_adds_nothing_twice() -> None:
    """Nor does an older purchase that arrives late change more than what was promised."""
    state = folded((TUESDAY, purchase("A", promised_at="2026-03-09T00:00:00Z")))
    again = folded((WEDNESDAY, placed(promised="2026-03-09")), state=state)
    assert len(again.orders) == 1
    assert (again.orders[0].lines, again.bought_at) == (state.orders[0].lines, state.bought_at)
    assert not late(again.orders[0], at(WEDNESDAY))
    older = folded((MONDAY, purchase("B", promised_at="2026-03-08T00:00:00Z")), state=state)
    assert (older.orders[0].lines, older.bought_at) == (state.orders[0].lines, state.bought_at)
    assert older.orders[0].postponed


def test_an_order_placed_is_no_purchase() -> None:
    """Nothing was bought that a rule could speak of."""
    state = folded((MONDAY, placed(promised="2026-03-09")))
    assert (state.bought_at, kept_units(state), state.orders[0].bought_at) == (None, (), None)
