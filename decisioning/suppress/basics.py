"""Rule 6: deliver what was promised before offering more (contract.md, section 4; P10).

An order that memory had to forget while it was still late, or its payment still failed, goes on forbidding.
"""

from __future__ import annotations

from decisioning.instant import format_instant
from decisioning.state import orders
from decisioning.suppress.base import PROMOTIONAL, Ask, Objection, Rule, Suppressor


class Always(Rule):
    """Nothing to set: the order's own events say when it is resolved."""


class BasicsInOrder(Suppressor[Always]):
    """Refuses while a payment failed or an order is late, until it is delivered, cancelled or paid."""

    section = "basics"
    classes = PROMOTIONAL
    reasons = ("hold.basics_unresolved",)
    shape = Always
    depends_on = "customer"

    def check(self, ask: Ask) -> Objection | None:
        """The first order in trouble, in the order in which they were heard of."""
        if "orders" in ask.state.lost:
            return Objection("hold.basics_unresolved", {"forgotten": True}, None)
        for order in ask.state.orders:
            if orders.payment_failed(order):
                failed = format_instant(order.payment_failed_at or 0)
                return Objection("hold.basics_unresolved", {"order_id": order.id, "payment_failed_at": failed}, None)
            if orders.late(order, ask.now):
                because: dict[str, object] = {
                    "order_id": order.id,
                    "promised_at": format_instant(order.told[-1].promised_at),
                }
                if order.postponed:
                    because["postponed"] = True
                return Objection("hold.basics_unresolved", because, None)
        return None
