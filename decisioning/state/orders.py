"""What a customer bought, sent back and cancelled: the orders behind the purchase suppressors (rules 8 to 11)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from decisioning.event import Event
from decisioning.payload import Line as BoughtLine
from decisioning.payload import PurchaseCompleted, PurchaseReturned
from decisioning.state.model import MAX_LINES, MAX_ORDERS, Kept, Line, Order, Returned, State


def bought(state: State, event: Event, purchase: PurchaseCompleted) -> State:
    """A purchase; one with a known order id and a later time replaces its lines (reading 8), at a tie both sides
    count."""
    before = _find(state, purchase.order_id)
    lines = _lines(purchase.lines)
    if before is None:
        order = Order(purchase.order_id, event.time, purchase.currency, lines)
    elif before.bought_at is None or event.time > before.bought_at:
        later = tuple(item for item in before.returned if item.at > event.time)
        order = replace(before, bought_at=event.time, currency=purchase.currency, lines=lines, returned=later)
    elif event.time == before.bought_at:
        order = replace(before, lines=_stricter(before.lines, lines))
    else:
        return state
    newest = max(state.bought_at or 0, event.time)
    return _bounded(replace(state, orders=_put(state.orders, order), bought_at=newest))


def returned(state: State, event: Event, back: PurchaseReturned) -> State:
    """Units came back: to their order, or for an unknown one to the newest purchase of that sku; clamped (reading
    8)."""
    for line in back.lines:
        order = _find(state, back.order_id)
        if order is None or order.bought_at is None:
            owners = [
                known
                for known in state.orders
                if known.bought_at is not None
                and known.bought_at <= event.time
                and any(bought.sku == line.sku for bought in known.lines)
            ]
            if not owners:
                continue
            order = max(owners, key=lambda known: (known.bought_at or 0, known.id))
        elif event.time < (order.bought_at or 0):
            continue  # a return from before the purchase that now stands belongs to the one it replaced
        quantity = min(line.quantity, order.kept(line.sku))
        if quantity > 0:
            state = replace(state, orders=_put(state.orders, _give_back(order, line.sku, quantity, event.time)))
    return state


def cancelled(state: State, event: Event, order_id: str) -> State:
    """The whole order is off; known even before its purchase arrives."""
    order = _find(state, order_id) or Order(order_id)
    if order.cancelled_at is not None and order.cancelled_at >= event.time:
        return state
    return _bounded(replace(state, orders=_put(state.orders, replace(order, cancelled_at=event.time))))


def kept(state: State) -> tuple[Kept, ...]:
    """Every line of every standing order of which a unit did not come back."""
    return tuple(
        Kept(line.sku, line.unit_price, order.currency, order.bought_at)
        for order in state.orders
        if order.bought_at is not None and order.stands
        for line in order.lines
        if not order.returned or order.kept(line.sku) > 0
    )


def forget_old(state: State, before: int) -> State:
    """Of orders of which all lies at or before the instant `before` keep no more than that they were; no rule looks
    back further, but a return of such an order must not be taken for one of a newer order."""
    if not any(order.lines and _newest(order) <= before for order in state.orders):
        return state
    return replace(
        state,
        orders=tuple(
            replace(order, lines=(), returned=()) if _newest(order) <= before else order for order in state.orders
        ),
    )


def _newest(order: Order) -> int:
    return max(order.bought_at or 0, order.cancelled_at or 0)


def _find(state: State, order_id: str) -> Order | None:
    return next((order for order in state.orders if order.id == order_id), None)


def _put(orders: tuple[Order, ...], order: Order) -> tuple[Order, ...]:
    if any(known.id == order.id for known in orders):
        return tuple(order if known.id == order.id else known for known in orders)
    return (*orders, order)


def _lines(lines: Sequence[BoughtLine]) -> tuple[Line, ...]:
    """Lines of one sku at one price are one line: large orders repeat themselves."""
    found: dict[tuple[str, str], int] = {}
    for line in lines:
        key = (line.sku, line.unit_price)
        found[key] = found.get(key, 0) + line.quantity
    return tuple(Line(sku, quantity, price) for (sku, price), quantity in found.items())


def _stricter(one: tuple[Line, ...], other: tuple[Line, ...]) -> tuple[Line, ...]:
    found = {(line.sku, line.unit_price): line for line in one}
    for line in other:
        key = (line.sku, line.unit_price)
        if key not in found or found[key].quantity < line.quantity:
            found[key] = line
    return tuple(found.values())


def _give_back(order: Order, sku: str, quantity: int, at: int) -> Order:
    before = next((item for item in order.returned if item.sku == sku), None)
    others = tuple(item for item in order.returned if item.sku != sku)
    if before is None:
        return replace(order, returned=(*others, Returned(sku, quantity, at)))
    return replace(order, returned=(*others, Returned(sku, before.quantity + quantity, max(before.at, at))))


def _bounded(state: State) -> State:
    """Within the bounds; what is dropped raises the floor below which every sku counts as bought."""
    orders = sorted(state.orders, key=lambda order: (_newest(order), order.id))
    floor = state.orders_floor
    while len(orders) > MAX_ORDERS or (len(orders) > 1 and sum(len(order.lines) for order in orders) > MAX_LINES):
        floor = max(floor or 0, orders.pop(0).bought_at or 0)
    if len(orders) == 1 and len(orders[0].lines) > MAX_LINES:
        floor = max(floor or 0, orders[0].bought_at or 0)
        orders[0] = replace(orders[0], lines=orders[0].lines[:MAX_LINES])
    return replace(state, orders=tuple(orders), orders_floor=floor)
