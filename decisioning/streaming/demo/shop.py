"""The demo's history: 20 real days of a real shop, with a marketing department, a carrier and a support desk added.

Pure: the same sample and seed give the same events, byte for byte. Real are products' names and prices, purchases and
returns, and the customers' countries; all else is drawn from the seed and says so (`synthetic: true` in its envelope).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import Final, NamedTuple

from decisioning.instant import DAY, HOUR, format_instant
from decisioning.streaming.demo.campaigns import asked
from decisioning.streaming.demo.fact import CRM, SHOP, Fact, fact
from decisioning.streaming.demo.orders import followed
from decisioning.streaming.demo.people import Customer, customers, introduced
from decisioning.streaming.demo.products import CURRENCY, Product, products
from decisioning.streaming.demo.sample import Invoice

LEAD: Final = 2 * DAY
"""How long before its first invoice the history begins."""


class History(NamedTuple):
    """What the feeder publishes: the catalogue first, then `facts` in the order of `at`.

    `protagonist` is the customer whose story the live view tells: the one to whom most different things happen.
    """

    catalogue: Mapping[str, Product]
    described: list[Fact]
    facts: list[Fact]
    protagonist: str

    @property
    def owed(self) -> int:
        """How many answers the requests are owed in all (those that cannot be read get a dead letter instead)."""
        return sum(one.answers for one in self.facts)


def history(of: Iterable[Invoice], seed: int) -> History:
    """All that happens, from two days before the first of the given invoices to four hours after the last."""
    invoices = sorted(of, key=lambda invoice: (invoice.time, invoice.number))
    start, until = invoices[0].time - LEAD, invoices[-1].time + 4 * HOUR
    catalogue = products(invoices, seed)
    described = [
        fact("product.described", f"{one.sku}-described", one.sku, start, one.payload(), source=SHOP)
        for one in catalogue.values()
    ]
    facts: list[Fact] = []
    for customer in customers(invoices, start, until, seed):
        facts += _life(customer, catalogue)
    facts += _rubbish(facts, Random(f"{seed}:rubbish"))
    facts.sort(key=lambda one: one.at)  # stable: what one customer does at one instant stays in its order
    return History(catalogue, described, facts, _protagonist(facts))


def _life(customer: Customer, catalogue: Mapping[str, Product]) -> Iterator[Fact]:
    yield from introduced(customer)
    for invoice in customer.invoices:
        yield _returned(customer, invoice) if invoice.returned else _purchased(customer, invoice)
    yield from followed(customer)
    yield from asked(customer, catalogue)


def _purchased(customer: Customer, invoice: Invoice) -> Fact:
    lines = [{"sku": i.sku, "quantity": i.quantity, "unit_price": i.unit_price} for i in invoice.items]
    data = {"order_id": invoice.number, "currency": CURRENCY, "lines": lines}
    return fact("purchase.completed", f"invoice-{invoice.number}", customer.id, invoice.time, data, source=SHOP,
                label=f"buys {_goods(invoice)}", real=True)  # fmt: skip


def _returned(customer: Customer, invoice: Invoice) -> Fact:
    """A credit note does not say which order it undoes: its own number stands for it, the engine matches by sku."""
    lines = [{"sku": i.sku, "quantity": -i.quantity} for i in invoice.items if i.quantity < 0]
    data = {"order_id": invoice.number, "lines": lines}
    return fact("purchase.returned", f"invoice-{invoice.number}", customer.id, invoice.time, data, source=SHOP,
                label=f"returns {_goods(invoice)}", real=True)  # fmt: skip


def _goods(invoice: Invoice) -> str:
    """The goods of an invoice as people name them: one of them, and how many more there are."""
    skus = {item.sku: " ".join(item.description.lower().split()) for item in invoice.items}
    name = next(iter(skus.values()))
    return name if len(skus) == 1 else f"{name} and {len(skus) - 1} more"


def _rubbish(facts: list[Fact], chance: Random) -> list[Fact]:
    """What every stream carries sooner or later: a few records that cannot be read, among them requests.

    None of them is lost: each ends in `dead-letters`, which is the answer that a broken request gets.
    """
    requests = chance.sample([one for one in facts if one.type == "contact.requested"], k=min(6, len(facts) // 100))
    spoilt = []
    for number, one in enumerate(requests):
        id_ = f"broken-{number}"
        start = f'{{"specversion":"1.0","id":"{id_}","source":"{CRM}","synthetic":true,"type":"contact.requested"'
        envelope = f'{start},"subject":"{one.subject}"'
        time = f',"time":"{format_instant(one.at)}"'
        value = (
            f"{envelope}{time},",  # cut off in the middle
            f"{envelope}}}",  # no time
            f'{envelope}{time},"data":{{"request_id":"{id_}"}}}}',  # no candidates
        )[number % 3]
        spoilt.append(one._replace(value=value.encode(), id=id_, answers=1, data={}, label="an unreadable request"))
    return spoilt


_PARTINGS: Final = {"customer.erased", "customer.life_event", "consent.withdrawn"}
_TELLABLE: Final = 60
"""More happenings than this make no story that can be followed within a minute."""


def _protagonist(facts: list[Fact]) -> str:
    """The customer with the most different things to tell, among those who allow marketing and stay to the end."""
    kinds: dict[str, set[str]] = {}
    count: Counter[str] = Counter()
    for one in facts:
        kinds.setdefault(one.subject, set()).add(str(one.data.get("campaign", one.type)))
        count[one.subject] += 1

    def telling(subject: str) -> tuple[bool, int, str]:
        of = kinds[subject]
        fit = count[subject] <= _TELLABLE and "consent.granted" in of and not of & _PARTINGS
        return fit, len(of), subject

    return max(kinds, key=telling)
