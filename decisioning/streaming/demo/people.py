"""The customers of the demo: who they are is real, what they allow and prefer is drawn from the seed.

Each customer has a random stream of their own, so that a change in one story leaves all others as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final, NamedTuple

from decisioning.instant import DAY, MINUTE, format_instant
from decisioning.streaming.demo.fact import CRM, SHOP, Fact, fact
from decisioning.streaming.demo.sample import Invoice
from decisioning.zones import Zone, zone

COUNTRIES: Final[dict[str, tuple[str, str]]] = {
    "United Kingdom": ("GB", "Europe/London"), "Germany": ("DE", "Europe/Berlin"), "France": ("FR", "Europe/Paris"),
    "EIRE": ("IE", "Europe/Dublin"), "Norway": ("NO", "Europe/Oslo"), "Portugal": ("PT", "Europe/Lisbon"),
    "Belgium": ("BE", "Europe/Brussels"), "Cyprus": ("CY", "Asia/Nicosia"), "Spain": ("ES", "Europe/Madrid"),
    "Netherlands": ("NL", "Europe/Amsterdam"), "Japan": ("JP", "Asia/Tokyo"), "Switzerland": ("CH", "Europe/Zurich"),
    "Italy": ("IT", "Europe/Rome"), "Australia": ("AU", "Australia/Melbourne"), "Lithuania": ("LT", "Europe/Vilnius"),
    "Iceland": ("IS", "Atlantic/Reykjavik"), "Sweden": ("SE", "Europe/Stockholm"),
    "Denmark": ("DK", "Europe/Copenhagen"),
    "Channel Islands": ("JE", "Europe/Jersey"), "Finland": ("FI", "Europe/Helsinki"),
    "Austria": ("AT", "Europe/Vienna"),
    "Poland": ("PL", "Europe/Warsaw"), "Israel": ("IL", "Asia/Jerusalem"),
}  # fmt: skip
"""The data set's name of a country -> its ISO 3166 code and the time zone of its largest city."""

_EMAIL: Final = ("email",)
_EMAIL_SMS: Final = ("email", "sms")
_CONSENTS: Final[tuple[tuple[float, tuple[str, ...] | None], ...]] = (
    (0.40, ()),  # all channels
    (0.27, _EMAIL),
    (0.13, _EMAIL_SMS),
    (0.20, None),  # never asked, so never allowed
)


class Customer(NamedTuple):
    """One customer of the shop: `since` is when the shop first knew them, `until` where the history ends (instants).

    `consent` names the channels marketing may use: empty for all of them, None for no consent at all.
    """

    id: str
    zone: Zone
    country: str
    since: int
    until: int
    invoices: tuple[Invoice, ...]
    consent: tuple[str, ...] | None
    seed: str

    def chance(self, story: str) -> Random:
        """The customer's own random stream for one part of their story."""
        return Random(f"{self.seed}:{self.id}:{story}")


def customers(of: Iterable[Invoice], start: int, until: int, seed: int) -> list[Customer]:
    """Everyone whom the invoices name, in the order of their numbers, known since some time before they came."""
    theirs: dict[str, list[Invoice]] = {}
    for invoice in of:
        theirs.setdefault(invoice.customer, []).append(invoice)
    return [_customer(number, tuple(theirs[number]), start, until, seed) for number in sorted(theirs)]


def _customer(number: str, invoices: tuple[Invoice, ...], start: int, until: int, seed: int) -> Customer:
    chance = Random(f"{seed}:c-{number}:who")
    code, zone_name = COUNTRIES.get(invoices[0].country, ("", "Europe/London"))
    first = start // MINUTE
    since = chance.randrange(first, max(first + 1, invoices[0].time // MINUTE - 60)) * MINUTE
    consent = chance.choices([kind for _, kind in _CONSENTS], [share for share, _ in _CONSENTS])[0]
    return Customer(f"c-{number}", zone(zone_name), code, since, until, invoices, consent, str(seed))


def introduced(customer: Customer) -> Iterator[Fact]:
    """What the shop learns about a customer: country and zone (unknown for a few), consents, preferences, farewells."""
    chance = customer.chance("facts")
    known = chance.random()
    if known < 0.97:  # of the others nobody can say whether it is night: marketing stays silent
        data = {"country": customer.country} if customer.country else {}
        if known < 0.85:
            data["time_zone"] = customer.zone.name
        if data:
            yield fact("customer.updated", f"{customer.id}-updated", customer.id, customer.since, data, source=SHOP,
                       label="becomes known to the shop", real=True)  # fmt: skip
    if customer.consent is not None:
        yield from _consents(customer, customer.consent, chance)
    yield from _preferences(customer, chance)
    yield from _farewell(customer, chance)


def _consents(customer: Customer, channels: tuple[str, ...], chance: Random) -> Iterator[Fact]:
    """A grant soon after the customer became known; a few end by themselves, a few are withdrawn."""
    granted = customer.since + chance.randint(1, 15) * MINUTE
    data: dict[str, object] = {"purpose": "marketing"}
    if channels:
        data["channels"] = list(channels)
    fate = chance.random()
    if fate < 0.05:
        data["expires_at"] = format_instant(granted + chance.randint(4, 12) * DAY)
    over = " and ".join(channels) if channels else "every channel"
    yield fact("consent.granted", f"{customer.id}-consent-1", customer.id, granted, data, source=CRM,
               label=f"allows marketing by {over}")  # fmt: skip
    withdrawn = granted + chance.randint(2 * 24 * 60, 16 * 24 * 60) * MINUTE
    if 0.05 <= fate < 0.11 and withdrawn < customer.until:
        yield fact("consent.withdrawn", f"{customer.id}-consent-2", customer.id, withdrawn, {"purpose": "marketing"},
                   source=CRM, label="withdraws consent to marketing")  # fmt: skip


def _preferences(customer: Customer, chance: Random) -> Iterator[Fact]:
    """One customer in four has told the shop what suits them."""
    at = customer.since + chance.randint(20, 600) * MINUTE
    which = chance.random()
    data: dict[str, object]
    if which < 0.10:
        data, label = {"channels": chance.sample(["email", "push", "sms"], k=3)}, "says which channels they like best"
    elif which < 0.16:
        evening = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "16:00", "to": "20:00"}
        weekend = {"days": ["sat", "sun"], "from": "10:00", "to": "18:00"}
        data, label = {"contact_windows": [evening, weekend]}, "asks to be contacted late in the day only"
    elif which < 0.22:
        data, label = {"max_marketing_per_week": 1}, "asks for one message a week at most"
    elif which < 0.26:
        data, label = {"topics_off": ["vouchers"]}, "wants no vouchers"
    else:
        return
    if at < customer.until:
        yield fact(
            "customer.preference_set", f"{customer.id}-preferences", customer.id, at, data, source=CRM, label=label
        )


def _farewell(customer: Customer, chance: Random) -> Iterator[Fact]:
    """One customer in a hundred asks to be forgotten, one in three hundred has died: from then on there is silence."""
    fate = chance.random()
    at = customer.since + chance.randint(3 * 24 * 60, 15 * 24 * 60) * MINUTE
    if at >= customer.until:
        return
    if fate < 0.010:
        yield fact("customer.erased", f"{customer.id}-erased", customer.id, at, {"reason": "asked for it"}, source=CRM,
                   label="asks to be forgotten")  # fmt: skip
    elif fate < 0.013 and at > customer.invoices[-1].time:
        yield fact("customer.life_event", f"{customer.id}-deceased", customer.id, at, {"kind": "deceased"}, source=CRM,
                   label="has died")  # fmt: skip
