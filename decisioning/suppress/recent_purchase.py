"""Rules 8 to 11: what was just bought is not offered again (contract.md, section 4; P1 to P9).

All four speak only from purchases and catalogue; a sku that is in neither is unrelated. Units that came back and orders
that were cancelled no longer speak, except for the cooldown: the customer did just buy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from pydantic import Field

from decisioning.catalogue import Catalogue, Product
from decisioning.decision import Candidate
from decisioning.instant import DAY, HOUR, format_instant
from decisioning.state.model import Kept
from decisioning.state.purchases import kept
from decisioning.suppress.base import PROMOTIONAL, Ask, Duration, Objection, Rule, Suppressor

_NOTHING: Final[frozenset[str]] = frozenset()


class Windows(Rule):
    """How long each reason speaks after a purchase; `consumed` is the share of `consumable_days` after which the same
    need may come back."""

    price_drop: Duration = 30 * DAY
    same_item: Duration = 30 * DAY
    substitute: Duration = 30 * DAY
    cooldown: Duration = 48 * HOUR
    consumed: float = Field(default=0.8, gt=0, le=1)

    @property
    def longest(self) -> int:
        """How far back any of them looks, in microseconds."""
        return max(self.price_drop, self.same_item, self.substitute)


class NotJustBought(Suppressor[Windows]):
    """Refuses a lower price than paid, the same item, a substitute, the same category, and anything in the cooldown."""

    section = "recent_purchase"
    classes = PROMOTIONAL
    reasons = (
        "recent_purchase.price_drop",
        "recent_purchase.same_item",
        "recent_purchase.substitute",
        "recent_purchase.same_category",
        "recent_purchase.cooldown",
    )
    shape = Windows
    depends_on = "candidate"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """The first of the five reasons that holds."""
        if ask.candidate.sku is not None or ask.candidate.category is not None:
            found = self._forgotten(ask) or self._related(ask)
            if found is not None:
                return found
        return self._cooldown(ask)

    def _forgotten(self, ask: Ask) -> Objection | None:
        """Orders beyond the bound of memory: whatever is on offer may be among them."""
        floor = ask.state.orders_floor
        if floor is None or ask.now >= floor + self.rule.longest:
            return None
        return Objection(
            "recent_purchase.same_item", {"forgotten_until": format_instant(floor)}, floor + self.rule.longest
        )

    def _related(self, ask: Ask) -> Objection | None:
        """Rules 8 to 10, in their order; mostly nothing that was bought has to do with what is on offer."""
        offer, catalogue = ask.candidate, ask.catalogue
        product = catalogue.get(offer.sku)
        variants = catalogue.variants(offer.sku) if offer.sku is not None else _NOTHING
        substitutes = catalogue.substitutes(offer.sku) if offer.sku is not None else _NOTHING
        own = catalogue.of_category(offer.category)
        its = catalogue.of_category(product.category if product is not None else None)
        bought = {line.sku for order in ask.state.orders for line in order.lines}
        if all(map(bought.isdisjoint, (variants, substitutes, own, its))):
            return None
        lines = kept(ask.state)
        return (
            self._price_drop(ask, [one for one in lines if one.sku == offer.sku])
            or self._same_item(ask, [one for one in lines if one.sku in variants])
            or self._substitute(ask, [one for one in lines if one.sku in substitutes])
            or self._same_category(ask, [one for one in lines if one.sku in own or one.sku in its])
        )

    def _price_drop(self, ask: Ask, same: Sequence[Kept]) -> Objection | None:
        """Rule 8: the same sku at a lower price than paid, in the currency paid."""
        known = offered_price(ask.candidate, ask.catalogue) if same else None
        if known is None:
            return None
        price, currency = known
        offered = Decimal(price)
        found = [one for one in same if currency in (None, one.currency) and Decimal(one.unit_price) > offered]
        return _objection(
            "recent_purchase.price_drop",
            ask,
            found,
            lambda _: self.rule.price_drop,
            lambda one: {"paid": one.unit_price, "offered": price},
        )

    def _same_item(self, ask: Ask, found: Sequence[Kept]) -> Objection | None:
        """Rule 9: the same sku or a variant of it."""
        return _objection(
            "recent_purchase.same_item", ask, found, lambda one: self._needed_again(ask, one, self.rule.same_item)
        )

    def _substitute(self, ask: Ask, lines: Sequence[Kept]) -> Objection | None:
        """Rule 10: what would replace it, unless the bought product lists it as its complement."""
        found = [one for one in lines if not _complements(ask, one)]
        return _objection(
            "recent_purchase.substitute", ask, found, lambda one: self._needed_again(ask, one, self.rule.substitute)
        )

    def _same_category(self, ask: Ask, lines: Sequence[Kept]) -> Objection | None:
        """Rule 10: the same category, the candidate's own or the catalogue's (exact reading 13)."""
        found = [one for one in lines if not _complements(ask, one)]
        return _objection(
            "recent_purchase.same_category", ask, found, lambda one: self._needed_again(ask, one, self.rule.substitute)
        )

    def _needed_again(self, ask: Ask, one: Kept, window: int) -> int:
        """The window, or the time in which most of the bought thing is used up where that is sooner."""
        return needed_again(ask.catalogue.get(one.sku), window, self.rule.consumed)

    def _cooldown(self, ask: Ask) -> Objection | None:
        """Rule 11: right after a purchase nothing of any kind; a return does not end it."""
        at = ask.state.bought_at
        if at is None or ask.now >= at + self.rule.cooldown:
            return None
        return Objection("recent_purchase.cooldown", {"bought_at": format_instant(at)}, at + self.rule.cooldown)


def needed_again(product: Product | None, window: int, consumed: float) -> int:
    """How long after a purchase the same need is met, in microseconds: the window, or the time in which the share
    `consumed` of the bought thing is used up where that is sooner."""
    if product is None or product.consumable_days is None:
        return window
    return min(window, round(product.consumable_days * DAY * consumed))


def offered_price(candidate: Candidate, catalogue: Catalogue) -> tuple[str, str | None] | None:
    """What a unit is offered for, and in which currency (None: that of the purchase); a missing price is the
    catalogue's. None where nobody knows a price, or only one in another currency."""
    if candidate.price is not None:
        return candidate.price, candidate.currency
    product = catalogue.get(candidate.sku)
    if product is None or candidate.currency not in (None, product.currency):
        return None
    return product.price, product.currency


def _complements(ask: Ask, one: Kept) -> bool:
    product = ask.catalogue.get(one.sku)
    return product is not None and ask.candidate.sku in product.complements


def _objection(
    reason: str,
    ask: Ask,
    found: Sequence[Kept],
    window: Callable[[Kept], int],
    facts: Callable[[Kept], dict[str, object]] = lambda _: {},
) -> Objection | None:
    """The newest purchase that still speaks gives the facts; the last to fall silent gives the end."""
    if not found:
        return None
    speaking = [(one, one.at + window(one)) for one in found]
    speaking = [(one, end) for one, end in speaking if ask.now < end]
    if not speaking:
        return None
    newest, _ = max(speaking, key=lambda pair: (pair[0].at, Decimal(pair[0].unit_price)))
    because = {"sku": newest.sku, "bought_at": format_instant(newest.at), **facts(newest)}
    return Objection(reason, because, max(end for _, end in speaking))
