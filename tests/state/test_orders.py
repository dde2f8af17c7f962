"""How orders fare, in whatever order the news of them arrives: late, unpaid, their status, what was said of them."""

from __future__ import annotations

from itertools import permutations

import pytest
from msgspec.structs import replace

from decisioning.decision import Candidate
from decisioning.state import State
from decisioning.state.model import MAX_ORDERS, MAX_SAID, MAX_TOLD, Act, Order, Said
from decisioning.state.orders import find, late, news, say, status, told, went_out
from decisioning.state.orders import payment_failed as payment_has_failed
from tests.builders import (
    CUSTOMER,
    Happening,
    at,
    delivered,
    eta_changed,
    event,
    folded,
    payment_failed,
    placed,
    shipped,
)
from tests.builders import bought as purchase
from tests.builders import cancelled as cancellation

MONDAY, TUESDAY, WEDNESDAY = "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00"


def told_of(*told: tuple[str, Happening], state: State | None = None) -> Order:
    """The one order after these events, in this order of arrival."""
    [order] = folded(*told, state=state).orders
    return order


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(MONDAY, placed())], "placed"),
        ([(MONDAY, purchase("A"))], "placed"),
        ([(MONDAY, payment_failed())], "placed"),
        ([(MONDAY, shipped()), (TUESDAY, placed())], "shipped"),
        ([(TUESDAY, shipped()), (MONDAY, delivered())], "delivered"),
        ([(TUESDAY, delivered()), (WEDNESDAY, cancellation())], "cancelled"),
        ([(WEDNESDAY, delivered()), (TUESDAY, cancellation())], "cancelled"),
        ([(MONDAY, purchase("A")), (MONDAY, cancellation())], "cancelled"),
        ([(MONDAY, cancellation()), (TUESDAY, purchase("A"))], "placed"),
    ],
)
def test_the_last_status_that_was_heard_of_is_the_orders(told: list[tuple[str, Happening]], expected: str) -> None:
    """Whatever the times, and in whatever order they arrive: cancelled is the last of all (reading 6)."""
    for order in permutations(told):
        assert status(told_of(*order)) == expected


@pytest.mark.parametrize(
    ("told", "now", "expected"),
    [
        ([(MONDAY, placed(promised="2026-03-09"))], "2026-03-09", False),
        ([(MONDAY, placed(promised="2026-03-09"))], "2026-03-09 00:00:00.000001", True),
        ([(MONDAY, purchase("A", promised_at="2026-03-09T00:00:00Z"))], "2026-03-10", True),
        ([(MONDAY, shipped(promised="2026-03-09"))], "2026-03-10", True),
        ([(MONDAY, shipped())], "2027-03-10", False),
        ([(MONDAY, placed(promised="2026-03-09")), (TUESDAY, eta_changed("2026-03-08"))], "2026-03-08", False),
        ([(MONDAY, placed(promised="2026-03-09")), (TUESDAY, eta_changed("2026-03-08"))], "2026-03-08 12:00", True),
        ([(MONDAY, placed(promised="2026-03-09")), (TUESDAY, eta_changed("2026-03-10"))], TUESDAY, True),
        ([(MONDAY, placed(promised="2026-03-09")), (TUESDAY, placed(promised="2026-03-09"))], TUESDAY, False),
        ([(MONDAY, placed(promised="2026-03-09")), (MONDAY, eta_changed("2026-03-10"))], MONDAY, True),
        (
            [
                (MONDAY, placed(promised="2026-03-08")),
                (TUESDAY, eta_changed("2026-03-10")),
                (WEDNESDAY, shipped(promised="2026-03-07")),
            ],
            WEDNESDAY,
            True,
        ),
        ([(MONDAY, placed(promised="2026-03-03")), (WEDNESDAY, delivered())], "2026-03-05", False),
        ([(MONDAY, placed(promised="2026-03-03")), (MONDAY, cancellation())], "2026-03-05", False),
    ],
)
def test_an_order_is_late_when_its_newest_promise_passed_or_moved_back(
    told: list[tuple[str, Happening]], now: str, expected: bool
) -> None:
    """Rule 6, in whatever order the news arrives; a promise of this very instant has not passed (ages compare with >),
    and once delivered or cancelled it is never late again (reading 6)."""
    for order in permutations(told):
        assert late(told_of(*order), at(now)) is expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(TUESDAY, payment_failed())], True),
        ([(TUESDAY, payment_failed()), (TUESDAY, purchase("A"))], True),
        ([(TUESDAY, payment_failed()), (TUESDAY, delivered()), (TUESDAY, cancellation())], True),
        ([(TUESDAY, payment_failed()), (WEDNESDAY, purchase("A"))], False),
        ([(TUESDAY, payment_failed()), (WEDNESDAY, delivered())], False),
        ([(TUESDAY, payment_failed()), (WEDNESDAY, cancellation())], False),
        ([(TUESDAY, payment_failed()), (WEDNESDAY, shipped())], True),
        ([(TUESDAY, payment_failed()), (WEDNESDAY, placed())], True),
        ([(MONDAY, payment_failed()), (TUESDAY, delivered()), (WEDNESDAY, payment_failed())], True),
        ([(MONDAY, purchase("A")), (TUESDAY, placed())], False),
    ],
)
def test_a_failed_payment_counts_until_a_delivery_cancellation_or_purchase(
    told: list[tuple[str, Happening]], expected: bool
) -> None:
    """One of the same or a later time counts again (reading 6), in whatever order the news arrives."""
    for order in permutations(told):
        assert payment_has_failed(told_of(*order)) is expected


def test_promises_of_an_order_are_bounded_and_the_last_word_to_the_customer_stays() -> None:
    """A long row of plans: the newest of them, that the order was postponed, and what was last said."""
    moves = [(f"2026-03-02 11:{number:02}", eta_changed(f"2026-03-{30 - number:02}")) for number in range(20)]
    order = told_of((MONDAY, placed(promised="2026-03-09")), *moves)
    assert len(order.told) == MAX_TOLD
    assert order.told[-1].promised_at == at("2026-03-11")
    assert order.postponed
    assert told(State(CUSTOMER), order) == at("2026-03-09")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], None),
        ([(MONDAY, placed())], None),
        ([(MONDAY, eta_changed("2026-03-09"))], None),
        ([(MONDAY, placed(promised="2026-03-09"))], "2026-03-09"),
        ([(MONDAY, placed(promised="2026-03-09")), (TUESDAY, shipped(promised="2026-03-08"))], "2026-03-08"),
        ([(MONDAY, placed(promised="2026-03-09")), (TUESDAY, eta_changed("2026-03-12"))], "2026-03-09"),
        ([(MONDAY, placed(promised="2026-03-09")), (MONDAY, shipped(promised="2026-03-10"))], "2026-03-10"),
    ],
)
def test_what_the_customer_was_last_told_of_the_delivery(
    words: list[tuple[str, Happening]], expected: str | None
) -> None:
    """Placing, purchase and shipping tell; a change of plan does not."""
    for order in permutations(words):
        state = folded((MONDAY, delivered()), *order)
        assert told(state, state.orders[0]) == (None if expected is None else at(expected))


@pytest.mark.parametrize(
    ("undone", "expected"), [(None, "2026-03-12"), (TUESDAY, "2026-03-09"), ("gone", "2026-03-12")]
)
def test_a_delay_alert_tells_unless_it_never_went_out(undone: str | None, expected: str) -> None:
    """Silence counts as sent, and so does an act that memory dropped."""
    state = folded((MONDAY, placed(promised="2026-03-09")))
    state = say(state, "o-1", Said("a-1", at(TUESDAY), "delay_alert", at("2026-03-12")))
    if undone != "gone":
        offer = Candidate(0, "delay_alert", "service", ("sms",), 0)
        act = Act("a-1", at(TUESDAY), 0, offer, "sms", undone_at=None if undone is None else at(undone))
        state = replace(state, acts=(act,))
    assert told(state, state.orders[0]) == at(expected)
    assert went_out(state, state.orders[0].said[0]) is (expected == "2026-03-12")


def test_what_was_said_of_an_order_is_bounded() -> None:
    """Delays go first, the oldest before the newer; what speaks once is remembered last of all."""
    state = say(State(CUSTOMER), "o-1", Said("s", 0, "order_status:order.shipped"))
    state = say(state, "o-1", Said("p", 0, "price_adjustment", sku="A", refund="1.00"))
    for number in range(MAX_SAID):
        state = say(state, "o-1", Said(f"d-{number}", number, "delay_alert", number))
    said = state.orders[0].said
    assert len(said) == MAX_SAID
    assert [one.act for one in said[:3]] == ["s", "p", "d-2"]


@pytest.mark.parametrize(
    ("before", "happening", "expected"),
    [
        ([], shipped(), True),
        ([(WEDNESDAY, delivered())], shipped(), False),
        ([(MONDAY, delivered())], shipped(), False),
        ([(WEDNESDAY, shipped())], delivered(), True),
        ([(MONDAY, cancellation())], delivered(), False),
        ([(WEDNESDAY, cancellation())], shipped(), False),
        ([(TUESDAY, purchase("A")), (TUESDAY, cancellation())], shipped(), False),
        ([(MONDAY, cancellation()), (TUESDAY, purchase("A"))], shipped(), True),
        ([], eta_changed("2026-03-09"), True),
        ([(TUESDAY, placed(promised="2026-03-09"))], eta_changed("2026-03-12"), True),
        ([(WEDNESDAY, eta_changed("2026-03-10"))], eta_changed("2026-03-12"), False),
        ([(WEDNESDAY, shipped(promised="2026-03-10"))], eta_changed("2026-03-12"), False),
        ([(MONDAY, delivered())], eta_changed("2026-03-12"), False),
        ([(WEDNESDAY, cancellation())], eta_changed("2026-03-12"), False),
        ([], placed(), False),
        ([], purchase("A"), False),
    ],
)
def test_news_is_the_newest_word_on_an_order(
    before: list[tuple[str, Happening]], happening: Happening, expected: bool
) -> None:
    """Never after a later status, nor out of order (contract.md, "Shipped triggers")."""
    state = folded(*before, (TUESDAY, happening))
    assert news(state, event(happening.type, TUESDAY, happening.data)) is expected
    assert not news(State(CUSTOMER), event(happening.type, TUESDAY, happening.data)), "an order that nobody knows"


def test_orders_that_forbid_are_forgotten_last() -> None:
    """Settled ones go first, however new; one that is unsettled and must go forbids for ever."""
    told = [(f"2026-03-02 {10 + number // 60}:{number % 60:02}", payment_failed(f"f-{number}")) for number in range(60)]
    told += [(f"2026-03-03 10:{number:02}", purchase("A", order=f"b-{number}")) for number in range(10)]
    state = folded(*told)
    assert {order.id for order in state.orders} >= {f"f-{number}" for number in range(60)}
    assert len(state.orders) == MAX_ORDERS
    assert state.lost == ()
    more = [(f"2026-03-04 10:{number:02}", placed(f"p-{number}", promised="2026-03-09")) for number in range(4)]
    state = folded(*more, state=state)
    assert state.lost == ()
    state = folded(("2026-03-04 11:00", placed("p-9", promised="2026-03-09")), state=state)
    assert state.lost == ("orders",)
    assert find(state, "f-0") is None
