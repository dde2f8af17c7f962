"""Two memories of one order become one: the purchase that stands, what came back of it, and where its delivery is.

Both sides heard of the same order, each from events of its own; together they say what one customer would have heard
(contract.md, section 4, "An identity ...", and exact readings 6 and 8).
"""

from __future__ import annotations

from itertools import pairwise

from msgspec.structs import replace

from decisioning.state.model import MAX_SAID, MAX_TOLD, Line, Order, Returned, Told


def orders_of_both(ours: tuple[Order, ...], theirs: tuple[Order, ...]) -> tuple[Order, ...]:
    """The orders of both sides by id, ours first, unbounded; `united` where both know one."""
    known = {order.id: order for order in ours}
    for order in theirs:
        known[order.id] = united(known[order.id], order) if order.id in known else order
    return tuple(known.values())


def united(one: Order, other: Order) -> Order:
    """One order of both: the later purchase's lines, every status at its newest time, all that was promised and
    said."""
    told = tuple(sorted({*one.told, *other.told}, key=lambda each: (each.at, each.promised_at, each.told)))
    said = {(each.act, each.what): each for each in (*one.said, *other.said)}
    return replace(
        _purchase(one, other),
        cancelled_at=_newest(one.cancelled_at, other.cancelled_at),
        told=_bounded(told),
        postponed=one.postponed or other.postponed or any(a.promised_at < b.promised_at for a, b in pairwise(told)),
        shipped_at=_newest(one.shipped_at, other.shipped_at),
        delivered_at=_newest(one.delivered_at, other.delivered_at),
        payment_failed_at=_newest(one.payment_failed_at, other.payment_failed_at),
        said=tuple(sorted(said.values(), key=lambda each: (each.made, each.act, each.what))[-MAX_SAID:]),
    )


def _purchase(one: Order, other: Order) -> Order:
    if one.bought_at is None or (other.bought_at is not None and other.bought_at > one.bought_at):
        one, other = other, one
    if one.bought_at is None or other.bought_at is None:
        return one
    if one.bought_at > other.bought_at:
        returned = tuple(item for item in other.returned if item.at > one.bought_at)
        return _clamped(replace(one, returned=_back(one.returned, returned)))
    return _clamped(replace(one, lines=_lines(one.lines, other.lines), returned=_back(one.returned, other.returned)))


def _lines(one: tuple[Line, ...], other: tuple[Line, ...]) -> tuple[Line, ...]:
    """Two words of one time about what was bought: every line of both, the larger number of units."""
    found = {(line.sku, line.unit_price): line for line in one}
    for line in other:
        known = found.get((line.sku, line.unit_price))
        if known is None or known.quantity < line.quantity:
            found[line.sku, line.unit_price] = line
    return tuple(found.values())


def _back(one: tuple[Returned, ...], other: tuple[Returned, ...]) -> tuple[Returned, ...]:
    """What came back: of two words about one sku the fewer units, which is the stricter; the later time."""
    found = {item.sku: item for item in one}
    for item in other:
        known = found.get(item.sku)
        quantity = item.quantity if known is None else min(known.quantity, item.quantity)
        found[item.sku] = Returned(item.sku, quantity, max(item.at, known.at if known is not None else 0))
    return tuple(found.values())


def _clamped(order: Order) -> Order:
    """No more units came back than were bought (exact reading 8)."""
    bought: dict[str, int] = {}
    for line in order.lines:
        bought[line.sku] = bought.get(line.sku, 0) + line.quantity
    returned = (replace(item, quantity=min(item.quantity, bought.get(item.sku, 0))) for item in order.returned)
    return replace(order, returned=tuple(item for item in returned if item.quantity))


def _bounded(told: tuple[Told, ...]) -> tuple[Told, ...]:
    """The newest words, and the last that was said to the customer."""
    last = [each for each in told if each.told][-1:]
    kept = told[-MAX_TOLD:]
    return kept if not last or last[0] in kept else (*last, *kept[1:])


def _newest(one: int | None, other: int | None) -> int | None:
    return max((at for at in (one, other) if at is not None), default=None)
