"""The shop's catalogue, made of its stock codes and descriptions.

Real: sku, description, price. Derived: `category` (the kind of thing that the description names last) and `variant_of`
(stock codes that differ in their letters only, as 85123A and 85123B). Invented: substitutes, complements, how long a
kind of thing lasts; the whole event is therefore marked as synthetic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from random import Random
from typing import Final, NamedTuple

from decisioning.streaming.demo.sample import Invoice

CURRENCY: Final = "GBP"

_KINDS: Final = frozenset(
    """
    alarm apron bag ball bank basket bauble bell bin bird birdhouse board book bottle bowl box bracelet bunting
    cabinet cake calendar candle candlestick candleholder card case chain chalkboard charm clock coaster cosy
    cover cup cushion cutlery decoration dish doily doll doormat doorstop drawer earring egg fan flannel flower
    frame game garland glass hanger heater holder hook incense jar jigsaw jug kit knob ladder lamp lantern letter
    light magnet marker mat mirror mould mug napkin necklace notebook ornament pan parasol passport pen pencil
    photo picture pin plate pot purse quilt rack reel ribbon ring rose sack sewing shelf sign sketchbook soap
    stand star sticker stool straw tag tape tidy tile tin tissue torch towel toy tray tree trinket tube umbrella
    vase warmer washbag wrap wreath
    """.split()  # noqa: SIM905 - a hundred quoted words are harder to read and to keep in order
)
_SAME: Final = {
    "boxes": "box",
    "dishes": "dish",
    "doilies": "doily",
    "glasses": "glass",
    "shelves": "shelf",
    "candlestick": "candleholder",
    "bauble": "decoration",
    "ornament": "decoration",
}
_CONSUMED: Final = {
    "candle": 60,
    "incense": 45,
    "napkin": 40,
    "tissue": 30,
    "wrap": 60,
    "soap": 40,
    "card": 90,
    "cake": 40,
    "sticker": 60,
    "ribbon": 60,
    "tape": 60,
    "light": 45,
}
_GOES_WITH: Final = {
    "candle": "holder",
    "cup": "plate",
    "plate": "cutlery",
    "frame": "picture",
    "pencil": "notebook",
    "wrap": "ribbon",
    "card": "sticker",
    "cake": "stand",
    "mug": "coaster",
    "bag": "purse",
}


class Product(NamedTuple):
    """What `product.described` says of one sku, and its `name` for people."""

    sku: str
    name: str
    category: str
    price: str
    variant_of: str | None
    substitutes: tuple[str, ...]
    complements: tuple[str, ...]
    consumable_days: int | None

    def payload(self) -> dict[str, object]:
        """The data of the `product.described` event."""
        found: dict[str, object] = {
            "sku": self.sku,
            "category": self.category,
            "price": self.price,
            "currency": CURRENCY,
            "substitutes": list(self.substitutes),
            "complements": list(self.complements),
        }
        if self.variant_of is not None:
            found["variant_of"] = self.variant_of
        if self.consumable_days is not None:
            found["consumable_days"] = self.consumable_days
        return found


def category(description: str) -> str:
    """The kind of thing a description names: its last word that is one, in the singular; `giftware` where none is."""
    for word in reversed(re.findall(r"[a-z]+", description.lower())):
        single = _SAME.get(word) or (word[:-1] if word.endswith("s") and word[:-1] in _KINDS else word)
        single = _SAME.get(single, single)
        if single in _KINDS:
            return single
    return "giftware"


def products(of: Iterable[Invoice], seed: int) -> dict[str, Product]:
    """Sku -> product for all that the invoices name, in the order of skus; same invoices and seed, same products."""
    names, prices = _seen(of)
    kinds = {sku: category(name) for sku, name in names.items()}
    members: dict[str, list[str]] = {}
    for sku in sorted(names):
        members.setdefault(kinds[sku], []).append(sku)
    heads = _heads(names)
    return {
        sku: Product(
            sku,
            names[sku],
            kinds[sku],
            str(prices[sku]),
            heads.get(sku),
            *_links(sku, kinds[sku], members, Random(f"{seed}:product:{sku}")),
            _CONSUMED.get(kinds[sku]),
        )
        for sku in sorted(names)
    }


def _seen(of: Iterable[Invoice]) -> tuple[dict[str, str], dict[str, Decimal]]:
    """First description and highest price of each sku; the highest is the list price, lower ones are for quantity."""
    names: dict[str, str] = {}
    prices: dict[str, Decimal] = {}
    for invoice in of:
        for item in invoice.items:
            names.setdefault(item.sku, item.description)
            price = Decimal(item.unit_price)
            prices[item.sku] = max(price, prices.get(item.sku, price))
    return names, prices


def _heads(skus: Iterable[str]) -> dict[str, str]:
    """Variant -> the first sku with the same digits, for every sku but that first one."""
    families: dict[str, list[str]] = {}
    for sku in sorted(skus):
        families.setdefault(sku[:5], []).append(sku)
    return {sku: family[0] for family in families.values() for sku in family[1:]}


def _links(
    sku: str, kind: str, members: dict[str, list[str]], chance: Random
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Substitutes (of a neighbouring kind) for one product in five, complements where kinds go together."""
    substitutes: tuple[str, ...] = ()
    if chance.random() < 0.2:
        substitutes = (chance.choice([other for other in members["giftware"] if other != sku]),)
    complements: tuple[str, ...] = ()
    partner = members.get(_GOES_WITH.get(kind, ""))
    if partner:
        complements = tuple(sorted(chance.sample(partner, k=min(2, len(partner)))))
    return substitutes, complements
