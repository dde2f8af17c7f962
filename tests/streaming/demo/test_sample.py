"""The shipped sample: small, attributed, read as the data set means it."""

from __future__ import annotations

from importlib.resources import files

from decisioning.instant import format_instant
from decisioning.streaming.demo.sample import Invoice, read

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def test_the_sample_is_small_and_says_whose_it_is() -> None:
    """It ships inside the package, under 400 kB, with the licence's attribution beside it."""
    folder = files("decisioning.streaming.demo").joinpath("shop_days")
    assert len(folder.joinpath("online-retail.csv.gz").read_bytes()) < 400_000
    said = folder.joinpath("ATTRIBUTION").read_text()
    for word in ("Online Retail", "Daqing Chen", "CC BY 4.0", "What was changed"):
        assert word in said


def test_the_sample_holds_20_days_of_purchases_and_returns(sample: list[Invoice]) -> None:
    """1,691 invoices of goods, 297 of them credit notes, in the order of time."""
    assert len(sample) == 1691
    assert sum(invoice.returned for invoice in sample) == 297
    assert [one.time for one in sample] == sorted(one.time for one in sample)
    assert len({format_instant(one.time)[:10] for one in sample}) == 20


def test_an_invoice_gathers_its_lines_and_leaves_out_what_is_no_goods() -> None:
    """Postage is no purchase, a stock code is upper case, the invoice's time is that of its first line."""
    lines = [
        HEADER,
        "9,85123a,HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom",
        "9,POST,POSTAGE,1,2010-12-01 08:26:00,18.0,17850,United Kingdom",
        "9,71053,LANTERN,2,2010-12-01 08:27:00,3.39,17850,United Kingdom",
        "10,M,Manual,1,2010-12-01 09:00:00,1.0,17850,United Kingdom",
    ]
    (invoice,) = read(lines)
    assert (invoice.number, invoice.customer, invoice.returned) == ("9", "17850", False)
    assert [(item.sku, item.quantity, item.unit_price) for item in invoice.items] == [
        ("85123A", 6, "2.55"),
        ("71053", 2, "3.39"),
    ]
    assert format_instant(invoice.time) == "2010-12-01T08:26:00Z"


def test_times_are_the_shops_own_clock() -> None:
    """In summer London is an hour ahead of UTC: a local time is read as one."""
    (invoice,) = read([HEADER, "C9,71053,LANTERN,-2,2011-07-01 08:26:00,3.39,1,EIRE"])
    assert format_instant(invoice.time) == "2011-07-01T07:26:00Z"
    assert invoice.returned
