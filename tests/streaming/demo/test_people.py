"""Customers: who they are, what they allow, and how they part."""

from __future__ import annotations

from collections import Counter

from decisioning.streaming.demo.people import COUNTRIES, customers, introduced
from decisioning.streaming.demo.sample import Invoice
from decisioning.streaming.demo.shop import LEAD, History
from decisioning.zones import zone, zones_of_country


def test_every_country_of_the_sample_has_a_code_and_a_zone_of_its_own(sample: list[Invoice]) -> None:
    """The table covers the sample, and each zone is one that tzdata lists for that country."""
    assert {invoice.country for invoice in sample} <= set(COUNTRIES)
    for code, name in COUNTRIES.values():
        assert zone(name).name == name
        assert name in zones_of_country(code)


def test_customers_are_known_before_they_buy(sample: list[Invoice]) -> None:
    """Each is introduced before their first invoice, and only within the history."""
    start, until = sample[0].time - LEAD, sample[-1].time
    for customer in customers(sample, start, until, 7):
        assert start <= customer.since < customer.invoices[0].time


def test_another_customers_story_does_not_depend_on_this_one(sample: list[Invoice]) -> None:
    """Each customer has a random stream of their own: leaving one out changes no other."""
    start, until = sample[0].time, sample[-1].time
    everyone = customers(sample, start, until, 7)
    first = everyone[0].invoices[0].customer
    others = customers([one for one in sample if one.customer != first], start, until, 7)
    assert [list(introduced(one)) for one in others] == [list(introduced(one)) for one in everyone[1:]]


def test_some_allow_marketing_some_never_did_some_take_it_back(told: History) -> None:
    """Grants by every channel and by some, grants that end, withdrawals, erasures, preferences of each kind."""
    kinds = Counter(one.type for one in told.facts)
    grants = [one.data for one in told.facts if one.type == "consent.granted"]
    assert 0.7 < len(grants) / kinds["customer.updated"] < 0.9
    assert any("channels" not in data for data in grants)
    assert any("expires_at" in data for data in grants)
    assert kinds["consent.withdrawn"] > 10
    assert kinds["customer.erased"] > 3
    told_us = [set(one.data) for one in told.facts if one.type == "customer.preference_set"]
    assert {frozenset(data) for data in told_us} == {
        frozenset({name}) for name in ("channels", "contact_windows", "max_marketing_per_week", "topics_off")
    }


def test_of_a_few_nobody_knows_where_they_live(told: History) -> None:
    """Some customers are never introduced and some give a country only: what is not known must matter."""
    updates = [one.data for one in told.facts if one.type == "customer.updated"]
    assert any("time_zone" not in data for data in updates)
    assert len({one.subject for one in told.facts}) > len(updates)
