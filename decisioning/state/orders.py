"""How a customer's orders fare: promised, shipped, delivered, called off (rule 6, triggers), and what we said of them.

An order may be heard of before its purchase, or without one: it then has no `bought_at`. What was told of it is kept by
the times of the events, so that late news counts where it belongs.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from decisioning.event import Event
from decisioning.instant import instant
from decisioning.payload import OrderEtaChanged, OrderNamed, OrderPromised
from decisioning.state.model import (
    MAX_LINES,
    MAX_ORDERS,
    MAX_SAID,
    MAX_TOLD,
    Order,
    Said,
    State,
    Told,
)

_STATUS: Final = {"order.shipped": "shipped", "order.delivered": "delivered", "order.cancelled": "cancelled"}


def placed(state: State, event: Event, data: OrderPromised) -> State:
    """An order without its purchase, or the same order again, which adds only what it promises."""
    return put(state, promised(_order(state, data.order_id), event.time, data.promised_at, told=True))


def shipped(state: State, event: Event, data: OrderPromised) -> State:
    """An order is on its way."""
    order = _order(state, data.order_id)
    order = replace(order, shipped_at=_newer(order.shipped_at, event.time))
    return put(state, promised(order, event.time, data.promised_at, told=True))


def postponed(state: State, event: Event, data: OrderEtaChanged) -> State:
    """The plan changed; that alone tells the customer nothing."""
    return put(state, promised(_order(state, data.order_id), event.time, data.promised_at, told=False))


def delivered(state: State, event: Event, data: OrderNamed) -> State:
    """An order has arrived."""
    order = _order(state, data.order_id)
    return put(state, replace(order, delivered_at=_newer(order.delivered_at, event.time)))


def unpaid(state: State, event: Event, data: OrderNamed) -> State:
    """The payment for an order failed."""
    order = _order(state, data.order_id)
    return put(state, replace(order, payment_failed_at=_newer(order.payment_failed_at, event.time)))


def cancelled(state: State, event: Event, data: OrderNamed) -> State:
    """The whole order is off; known even before its purchase arrives."""
    order = _order(state, data.order_id)
    if order.cancelled_at is not None and order.cancelled_at >= event.time:
        return state
    return put(state, replace(order, cancelled_at=event.time))


def find(state: State, order_id: str) -> Order | None:
    """The order of that id, or None."""
    return next((order for order in state.orders if order.id == order_id), None)


def put(state: State, order: Order) -> State:
    """The state with this order in the place of the one of its id, within the bounds."""
    if any(known.id == order.id for known in state.orders):
        orders = tuple(order if known.id == order.id else known for known in state.orders)
    else:
        orders = (*state.orders, order)
    return bounded(replace(state, orders=orders))


def say(state: State, order_id: str, said: Said) -> State:
    """Remember what an act told of an order; where that is too much, delays go first and statuses last."""
    order = _order(state, order_id)
    words = (*order.said, said)
    if len(words) > MAX_SAID:
        gone = min(words[:-1], key=lambda one: (one.promised_at is None, one.refund is None, one.made))
        words = tuple(one for one in words if one is not gone)
    return put(state, replace(order, said=words))


def status(order: Order) -> str:
    """How far it is: "placed", "shipped", "delivered" or "cancelled", the last of them in this order that was heard
    of, whatever the times; a cancellation before the purchase is none (exact reading 6)."""
    if order.cancelled_at is not None and (order.bought_at is None or order.cancelled_at >= order.bought_at):
        return "cancelled"
    if order.delivered_at is not None:
        return "delivered"
    return "placed" if order.shipped_at is None else "shipped"


def told(state: State, order: Order) -> int | None:
    """The delivery that the customer was last told, or None: by time of telling, placing, purchase, shipping and the
    delay alerts that count as sent; at a tie the later promise, after which there is less to say."""
    words = [(one.at, one.promised_at) for one in order.told if one.told]
    if any(one.promised_at is not None for one in order.said):
        unsent = {act.id for act in state.acts if not act.counts}
        words += [
            (one.made, one.promised_at) for one in order.said if one.promised_at is not None and one.act not in unsent
        ]
    return max(words)[1] if words else None


def went_out(state: State, said: Said) -> bool:
    """Whether what was said of an order counts as sent: silence does, and so does an act long forgotten."""
    return all(act.counts for act in state.acts if act.id == said.act)


def late(order: Order, now: int) -> bool:
    """Rule 6: its newest promised time passed, or an event gave a later one than the event before; never once it was
    delivered or cancelled (exact reading 6)."""
    if order.delivered_at is not None or order.cancelled_at is not None:
        return False
    return order.postponed or (bool(order.told) and now > order.told[-1].promised_at)


def payment_failed(order: Order) -> bool:
    """Rule 6: no delivery, cancellation or purchase came after the failure (exact reading 6: of one time, it
    counts)."""
    if order.payment_failed_at is None:
        return False
    ends = (order.delivered_at, order.cancelled_at, order.bought_at)
    return all(end is None or end <= order.payment_failed_at for end in ends)


def news(state: State, event: Event) -> bool:
    """Whether an order event, already folded, is the newest word on its order: shipped and delivered where no later
    status is known, a new time where none of a newer event is known and the order is still under way."""
    data = event.data
    if not isinstance(data, OrderPromised | OrderNamed | OrderEtaChanged):
        return False
    order = find(state, data.order_id)
    if order is None:
        return False
    if isinstance(data, OrderEtaChanged):
        return bool(order.told) and event.time >= order.told[-1].at and status(order) in ("placed", "shipped")
    return status(order) == _STATUS.get(event.type)


def bounded(state: State) -> State:
    """Within the bounds. A dropped purchase raises the floor below which every sku counts as bought; orders that still
    forbid, or may come to, go last, and if one must, they forbid for ever."""
    if len(state.orders) <= MAX_ORDERS and sum(len(order.lines) for order in state.orders) <= MAX_LINES:
        return state
    orders, floor, lost = list(state.orders), state.orders_floor, state.lost
    while len(orders) > MAX_ORDERS:
        gone = min(orders, key=lambda order: (_unsettled(order), newest(order), order.id))
        orders.remove(gone)
        if gone.bought_at is not None:
            floor = max(floor or 0, gone.bought_at)
        if _unsettled(gone) and "orders" not in lost:
            lost = (*lost, "orders")
    spare = sum(len(order.lines) for order in orders) - MAX_LINES
    for order in sorted((one for one in orders if one.lines), key=lambda one: (ended(one), one.id)):
        if spare <= 0:
            break
        lines = order.lines[: max(0, len(order.lines) - spare)]
        spare -= len(order.lines) - len(lines)
        floor = max(floor or 0, order.bought_at or 0)
        orders[orders.index(order)] = replace(order, lines=lines)
    return replace(state, orders=tuple(orders), orders_floor=floor, lost=lost)


def promised(order: Order, at: int, delivery: datetime | None, *, told: bool) -> Order:
    """The order with what an event promised, by time; of one time the later promise comes after the earlier, and so it
    is a postponement, the stricter of the two."""
    if delivery is None:
        return order
    entry = Told(at, instant(delivery), told)
    entries = sorted({*order.told, entry}, key=lambda one: (one.at, one.promised_at, one.told))
    moved = any(after.promised_at > one.promised_at for one, after in pairwise(entries))
    while len(entries) > MAX_TOLD:
        last = max((one for one in entries if one.told), key=lambda one: one.at, default=None)
        entries.remove(next(one for one in entries if one is not last))
    return replace(order, told=tuple(entries), postponed=order.postponed or moved)


def _order(state: State, order_id: str) -> Order:
    return find(state, order_id) or Order(order_id)


def _newer(known: int | None, at: int) -> int:
    return at if known is None else max(known, at)


def _unsettled(order: Order) -> bool:
    """Whether rule 6 speaks of it, or will once its promised time passes."""
    return payment_failed(order) or bool(order.told and order.delivered_at is None and order.cancelled_at is None)


def ended(order: Order) -> int:
    """When it was bought or called off, whichever is later: rules 8 to 10 look back no further (0: neither)."""
    bought = order.bought_at or 0
    return bought if order.cancelled_at is None else max(bought, order.cancelled_at)


def newest(order: Order) -> int:
    """The time of the newest event that told of it; 0 where no time of it is remembered."""
    times = (order.shipped_at, order.delivered_at, order.payment_failed_at, *(one.at for one in order.told))
    return max([ended(order), *(at for at in times if at is not None)])
