"""What became of the orders and what customers asked the support desk: drawn from the seed, for no such data exist."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from decisioning.instant import DAY, HOUR, MINUTE, format_instant
from decisioning.streaming.demo.fact import CARE, CARRIER, Fact, fact
from decisioning.streaming.demo.people import Customer
from decisioning.streaming.demo.sample import Invoice


def followed(customer: Customer) -> Iterator[Fact]:
    """The progress of each of the customer's orders, and their conversations with support, up to the end of history."""
    chance = customer.chance("orders")
    for invoice in customer.invoices:
        if not invoice.returned:
            story = [*_progress(customer, invoice, chance), *_support(customer, invoice, chance)]
            yield from (one for one in story if one.at < customer.until)


def _progress(customer: Customer, invoice: Invoice, chance: Random) -> Iterator[Fact]:
    """Placed with a promise, shipped, in one case of ten late, delivered."""

    def step(kind: str, at: int, label: str, promised: int | None = None) -> Fact:
        data = {"order_id": invoice.number}
        if promised is not None:
            data["promised_at"] = format_instant(promised)
        id_ = f"{invoice.number}-{kind.removeprefix('order.')}"
        return fact(kind, id_, customer.id, at, data, source=CARRIER, label=label)

    promised = invoice.time + chance.randint(3, 5) * DAY
    shipped = invoice.time + chance.randint(12 * 60, 36 * 60) * MINUTE
    delivered = shipped + chance.randint(18 * 60, 48 * 60) * MINUTE
    yield step("order.placed", invoice.time + 2 * MINUTE, "the order is placed", promised)
    yield step("order.shipped", shipped, "the order is shipped")
    if chance.random() < 0.1:
        later = promised + chance.randint(6, 72) * HOUR
        yield step("order.eta_changed", shipped + chance.randint(60, 600) * MINUTE, "the delivery will be late", later)
        delivered = later - chance.randint(1, 5) * HOUR
    yield step("order.delivered", delivered, "the order is delivered")


def _support(customer: Customer, invoice: Invoice, chance: Random) -> Iterator[Fact]:
    """One order in five makes a customer write; one in twelve opens a case, resolved within hours or days."""
    kind = chance.random()
    at = invoice.time + chance.randint(3 * 60, 96 * 60) * MINUTE
    case = f"case-{invoice.number}"
    if kind < 0.2:
        said = {
            "interaction_id": f"talk-{invoice.number}",
            "channel": chance.choice(["email", "phone", "chat"]),
            "topic": chance.choice(["delivery", "invoice", "product"]),
            "sentiment": round(chance.uniform(-1, 0.8), 2),
            "wait_seconds": chance.randint(5, 900),
        }
        yield fact(
            "support.interaction", f"{case}-talk", customer.id, at, said, source=CARE, label="speaks with support"
        )
    if kind < 0.08:
        opened = {
            "case_id": case,
            "severity": chance.choice(["low", "normal", "normal", "high"]),
            "topic": chance.choice(["damaged", "missing", "wrong item"]),
            "order_id": invoice.number,
        }
        yield fact("support.case_opened", f"{case}-opened", customer.id, at + 5 * MINUTE, opened, source=CARE,
                   label="reports a problem with the order")  # fmt: skip
        solved = at + chance.randint(4 * 60, 72 * 60) * MINUTE
        closed = {"case_id": case, "satisfied": chance.random() < 0.8}
        yield fact("support.case_resolved", f"{case}-resolved", customer.id, solved, closed, source=CARE,
                   label="the problem is solved")  # fmt: skip
