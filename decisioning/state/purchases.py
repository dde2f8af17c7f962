"""What a customer bought and sent back: the lines behind the purchase suppressors (rules 8 to 11)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from decisioning.event import Event
from decisioning.payload import Line as BoughtLine
from decisioning.payload import PurchaseCompleted, PurchaseReturned
from decisioning.state import memory
from decisioning.state.model import Kept, Line, Order, Returned, State
from decisioning.state.orders import ended, find, promised, put

_WATCHED: Final = 8  # old orders of which we still see whether all of it comes back


def bought(state: State, event: Event, purchase: PurchaseCompleted) -> State:
    """A purchase, which is also an order placed; one with a known order id and a later time replaces its lines (reading
    8), at a tie both sides count."""
    order = find(state, purchase.order_id) or Order(purchase.order_id)
    lines = _lines(purchase.lines)
    if order.bought_at is None or event.time > order.bought_at:
        later = tuple(item for item in order.returned if item.at > event.time)
        order = replace(order, bought_at=event.time, currency=purchase.currency, lines=lines, returned=later, left=None)
        state = replace(state, bought_at=max(state.bought_at or 0, event.time))
    elif event.time == order.bought_at:
        order = replace(order, lines=_stricter(order.lines, lines))
    return put(state, promised(order, event.time, purchase.promised_at, told=True))


def returned(state: State, event: Event, back: PurchaseReturned) -> State:
    """Units came back: to their order, or for an unknown one to the newest purchase of that sku; clamped (reading
    8)."""
    for line in back.lines:
        order = find(state, back.order_id)
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
        if order.left and not order.lines:
            state = put(state, replace(order, left=_less(order.left, line.sku, line.quantity)))
            continue
        quantity = min(line.quantity, order.kept(line.sku))
        if quantity > 0:
            state = put(state, _give_back(order, line.sku, quantity, event.time))
    return state


def kept(state: State) -> tuple[Kept, ...]:
    """Every line of every standing order of which a unit did not come back."""
    found: list[Kept] = []
    for order in state.orders:
        at, currency = order.bought_at, order.currency
        if at is None or not order.lines or not order.stands:
            continue
        lines: Iterable[Line] = order.lines
        if order.returned:
            owned = order.owned
            lines = [line for line in lines if line.sku in owned]
        found += [Kept(line.sku, line.unit_price, currency, at) for line in lines]
    return tuple(found)


def forget_old(state: State, before: int) -> State:
    """Of orders of which all lies at or before the instant `before` keep no lines; no rule looks back further, but a
    return of such an order must not be taken for one of a newer order."""
    fading = [order for order in state.orders if order.lines and ended(order) <= before]
    if not fading:
        return state
    old = [order for order in state.orders if ended(order) <= before and (order.lines or order.left)]
    standing = sorted((order for order in old if order.stands), key=lambda order: (ended(order), order.id))
    watched = {order.id for order in standing[-_WATCHED:]}

    def forgotten(order: Order) -> Order:
        left = _units(order) if order.lines else order.left
        return replace(order, lines=(), returned=(), left=left if not left or order.id in watched else None)

    return replace(state, orders=tuple(forgotten(order) if ended(order) <= before else order for order in state.orders))


def _units(order: Order) -> tuple[tuple[int, int], ...]:
    """What is left of an order's lines: enough to see whether all of it comes back, and no more."""
    kept = ((_fingerprint(sku), order.kept(sku)) for sku in {line.sku for line in order.lines})
    return tuple(sorted((sku, units) for sku, units in kept if units > 0))


def _less(left: tuple[tuple[int, int], ...], sku: str, quantity: int) -> tuple[tuple[int, int], ...]:
    named = _fingerprint(sku)
    less = ((known, units - quantity if known == named else units) for known, units in left)
    return tuple((known, units) for known, units in less if units > 0)


def _fingerprint(sku: str) -> int:
    return memory.name(sku) & 0xFFFFFFFF


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
