"""The real shop days that the demo replays: invoices of the UCI Online Retail data set, as read from the package.

What was taken and changed, and by whom the data were collected, stands in `shop_days/ATTRIBUTION` (CC BY 4.0).
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from decisioning.instant import DAY, instant

SHOP_ZONE: Final = ZoneInfo("Europe/London")
"""The shop's own time zone: its invoices carry local times without an offset."""


class Item(NamedTuple):
    """One line of an invoice: `quantity` units (negative where they came back) at `unit_price` pounds each."""

    sku: str
    description: str
    quantity: int
    unit_price: str


class Invoice(NamedTuple):
    """One invoice at an instant; `returned` invoices are the shop's credit notes (their numbers begin with C)."""

    number: str
    time: int
    customer: str
    country: str
    items: tuple[Item, ...]

    @property
    def returned(self) -> bool:
        """Whether this is a credit note: goods that came back."""
        return self.number.startswith("C")


def invoices(days: int | None = None) -> list[Invoice]:
    """Every invoice of the sample, or of its first `days`, in the order of time, goods only: no postage, discounts and
    fees."""
    packed = files("decisioning.streaming.demo").joinpath("shop_days/online-retail.csv.gz").read_bytes()
    found = read(gzip.decompress(packed).decode().splitlines())
    return found if days is None else [one for one in found if one.time < found[0].time + days * DAY]


def read(lines: Iterable[str]) -> list[Invoice]:
    """The invoices of CSV lines with the data set's own header; those without any goods are left out."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(lines):
        if row["StockCode"][:5].isdigit():  # POST, M, D, C2 and BANK CHARGES are no goods
            rows.setdefault(row["InvoiceNo"], []).append(row)
    found = [_invoice(number, of) for number, of in rows.items()]
    return sorted(found, key=lambda invoice: (invoice.time, invoice.number))


def _invoice(number: str, rows: list[dict[str, str]]) -> Invoice:
    first = rows[0]
    items = tuple(
        Item(row["StockCode"].upper(), row["Description"], int(row["Quantity"]), row["UnitPrice"]) for row in rows
    )
    return Invoice(number, _instant(first["InvoiceDate"]), first["CustomerID"], first["Country"], items)


def _instant(local: str) -> int:
    """The instant of a local time of the shop; the sample lies in December, where no local time is ambiguous."""
    return instant(datetime.fromisoformat(local).replace(tzinfo=SHOP_ZONE).astimezone(UTC))
