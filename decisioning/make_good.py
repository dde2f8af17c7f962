"""Making good a price drop: who paid more a few days ago hears of a refund, not of a cheaper offer.

Contract.md, section 4, "Make-good" (P5): in place of a refusal whose reason is rule 8's, the difference is given back
for each unit that was kept, of the newest purchase above the offer. What an earlier adjustment gave is not given again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from msgspec.structs import replace

from decisioning.decision import Verdict
from decisioning.judge import Judge
from decisioning.state import State, orders
from decisioning.state.model import About, Order, Said
from decisioning.suppress.recent_purchase import offered_price

PRICE_ADJUSTMENT: Final = "price_adjustment"
REASON: Final = "make_good.price_drop"
_PRICE_DROP: Final = "recent_purchase.price_drop"


class Adjustment(NamedTuple):
    """What is said in place of a refusal: the verdict on the adjustment itself, the money, and what it stands on."""

    verdict: Verdict
    refund: str
    currency: str
    a_unit: str
    about: About

    def said(self, act: str, made: int) -> Said:
        """What the order remembers of it once it was said."""
        return Said(act, made, PRICE_ADJUSTMENT, sku=self.about.sku, refund=self.a_unit)


def adjustment(judge: Judge, state: State, refused: Verdict, asked_at: int | None) -> Adjustment | None:
    """The adjustment in place of a refusal, to be said now or later as its verdict says; None where there is none.

    None for another reason than rule 8's, for a purchase too long ago, with nothing left to give back, and where the
    adjustment itself may not be said at all.
    """
    sku, within = refused.candidate.sku, judge.policy.make_good_within
    known = offered_price(refused.candidate, judge.policy.catalogue)
    if refused.reason != _PRICE_DROP or sku is None or known is None or not within:
        return None
    price, currency = known
    order = _newest(state, sku, Decimal(price), currency)
    if order is None or order.bought_at is None or judge.now >= order.bought_at + within:
        return None
    level = _level(state, order, sku)
    refund = _refund(order, sku, level, Decimal(price))
    if refund <= 0:
        return None
    candidate = replace(
        refused.candidate,
        action=PRICE_ADJUSTMENT,
        class_="service",
        channels=(refused.channel,),
        keeps_quiet=True,
    )
    verdict = judge.verdict(judge.ask(candidate, refused.channel, state.acts, asked_at))
    about = About(order.id, "purchase.completed", sku)
    return Adjustment(verdict, format(refund, "f"), order.currency, format(level - Decimal(price), "f"), about)


def _newest(state: State, sku: str, offered: Decimal, currency: str | None) -> Order | None:
    """The newest standing order with a kept unit of the sku that was paid above the offer, in the same currency."""
    found = [
        order
        for order in state.orders
        if order.stands
        and currency in (None, order.currency)
        and order.kept(sku) > 0
        and any(line.sku == sku and Decimal(line.unit_price) > offered for line in order.lines)
    ]
    return max(found, key=lambda order: (order.bought_at or 0, order.id), default=None)


def _level(state: State, order: Order, sku: str) -> Decimal:
    """What the dearest unit has cost after all that was given back for it."""
    paid = max(Decimal(line.unit_price) for line in order.lines if line.sku == sku)
    given = (said.refund for said in order.said if said.sku == sku and orders.went_out(state, said))
    return paid - sum(Decimal(refund) for refund in given if refund is not None)


def _refund(order: Order, sku: str, level: Decimal, offered: Decimal) -> Decimal:
    """What is left of (paid - offered) for each kept unit; of several prices, what came back was the dearest."""
    left, total = order.kept(sku), Decimal(0)
    for line in sorted((line for line in order.lines if line.sku == sku), key=lambda line: Decimal(line.unit_price)):
        units = min(left, line.quantity)
        left -= units
        total += max(min(level, Decimal(line.unit_price)) - offered, Decimal(0)) * units
    return total
