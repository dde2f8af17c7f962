"""The metrics: names by convention, zeros from the start, no label that a sender may choose."""

from __future__ import annotations

import re
import time

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from decisioning.streaming.metrics import OTHER, Labels, Metrics, Part, Result, _Row

LABELS = Labels(
    types=("purchase.completed", "contact.requested"),
    decisions=[
        ("act", "marketing", "sms", "allowed.clear"),
        ("act", "marketing", OTHER, "allowed.clear"),
        ("suppress", "marketing", "sms", "consent.missing"),
        ("hold", "", "", "x.y"),
    ],
    codes=("not_json", "too_large"),
    topics=("purchases", "orders"),
    forbidden=("consent",),
)


@pytest.fixture
def metrics() -> Metrics:
    """Metrics over a registry of their own."""
    return Metrics(CollectorRegistry(), LABELS)


def _samples(metrics: Metrics) -> dict[tuple[str, frozenset[str]], float]:
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def _value(metrics: Metrics, name: str, *labels: str) -> float:
    return _samples(metrics)[f"decisioning_{name}", frozenset(labels)]


def test_every_name_follows_the_convention(metrics: Metrics) -> None:
    """Base units, `_total` on counters alone, a meaning for each: what `promtool check metrics` asks for."""
    ours = [
        family
        for family in text_string_to_metric_families(metrics.render().decode())
        if family.name.startswith("decisioning_")
    ]
    assert len(ours) == sum(isinstance(row, _Row) for row in vars(Metrics).values())
    for family in ours:
        assert re.fullmatch(r"[a-z_]+", family.name)
        assert not re.search(r"_(ms|millis|kb|minutes|hours)$", family.name), family.name
        assert family.documentation.endswith("."), family.name
        assert all(sample.name.endswith("_total") for sample in family.samples) or family.type != "counter"


def test_known_labels_stand_at_zero_before_anything_happens(metrics: Metrics) -> None:
    """A rate needs a beginning: every known combination is there from the first scrape."""
    for type_ in (*LABELS.types, OTHER):
        for result in Result:
            assert _value(metrics, "events_total", type_, result.value) == 0
    for labels in LABELS.decisions:
        assert _value(metrics, "decisions_total", *labels) == 0
    assert _value(metrics, "dead_letters_total", "too_large") == 0
    assert _value(metrics, "lag_records", "orders") == 0
    assert _value(metrics, "forbidden_contacts_total", "consent") == 0
    assert {_value(metrics, "audited_contacts_total", one) for one in ("checked", "missed")} == {0}
    assert {_value(metrics, "trouble", part.value) for part in Part} == {0}
    assert _value(metrics, "replayed_records_total") == 0
    assert _value(metrics, "event_seconds_count") == 0
    assert not [name for name, _ in _samples(metrics) if name.endswith("_created")]


def test_each_kind_of_family_says_what_it_is_told(metrics: Metrics) -> None:
    """Counters add, gauges hold the last level, histograms fill their buckets."""
    metrics.events.inc("purchase.completed", Result.APPLIED)
    metrics.events.inc("purchase.completed", Result.APPLIED, by=4)
    metrics.decisions.inc("act", "marketing", "sms", "allowed.clear")
    metrics.lag.set(7, "orders")
    metrics.lag.set(3, "orders")
    metrics.event_seconds.observe(0.004)
    metrics.slice_wait_seconds.observe(0.2)
    assert _value(metrics, "events_total", "purchase.completed", "applied") == 5
    assert _value(metrics, "decisions_total", "act", "marketing", "sms", "allowed.clear") == 1
    assert _value(metrics, "lag_records", "orders") == 3
    assert _value(metrics, "event_seconds_bucket", "0.0025") == 0
    assert _value(metrics, "event_seconds_bucket", "0.005") == 1
    assert _value(metrics, "slice_wait_seconds_sum") == 0.2


def test_a_senders_words_never_become_a_label(metrics: Metrics) -> None:
    """Guarantee 8 and bounded memory: a thousand invented event types are one series."""
    for number in range(1000):
        metrics.events.inc(f"jane.doe.{number}@example.com", Result.SKIPPED)
        metrics.unknown_references.inc(f"invented.{number}")
        metrics.decisions.inc("act", "marketing", f"tel:{number}", "allowed.clear")
    assert _value(metrics, "events_total", OTHER, "skipped") == 1000
    assert _value(metrics, "unknown_references_total", OTHER) == 1000
    assert _value(metrics, "decisions_total", "act", "marketing", OTHER, "allowed.clear") == 1000
    assert b"jane" not in metrics.render()
    assert b"tel:" not in metrics.render()
    assert len(metrics.events._children) == 3 * len(Result)


def test_a_new_reason_of_a_rulebook_is_counted_under_its_name(metrics: Metrics) -> None:
    """Reasons come from the rulebook's author, and a reloaded rulebook may bring new ones."""
    metrics.decisions.inc("suppress", "marketing", "sms", "ineligible.too_young")
    assert _value(metrics, "decisions_total", "suppress", "marketing", "sms", "ineligible.too_young") == 1


def test_what_may_come_can_be_shown_later(metrics: Metrics) -> None:
    """A rulebook that is loaded while we run brings names: zero from now on, and what was counted stays."""
    metrics.decisions.inc("act", "marketing", "sms", "allowed.clear")
    metrics.decisions.expect(
        [("act", "marketing", "sms", "allowed.clear"), ("suppress", "survey", "fax", "ineligible.too_young")]
    )
    metrics.decisions.inc("suppress", "survey", "fax", "ineligible.too_young", by=0)
    assert _value(metrics, "decisions_total", "act", "marketing", "sms", "allowed.clear") == 1
    assert _value(metrics, "decisions_total", "suppress", "survey", "fax", "ineligible.too_young") == 0


def test_rulebooks_are_counted_from_zero(metrics: Metrics) -> None:
    """An alert on a refused rulebook needs a series before the first one."""
    for source in ("file", "topic"):
        assert _value(metrics, "rulebook_error", source) == 0
        for result in ("accepted", "refused"):
            assert _value(metrics, "rulebook_loads_total", source, result) == 0


def test_only_the_rulebook_that_decides_now_is_shown(metrics: Metrics) -> None:
    """After a reload the old version is gone from `rulebook_info`; the build says all its versions."""
    metrics.rulebook.only("retail", "1", "sha256:a")
    metrics.rulebook.only("retail", "2", "sha256:b")
    assert _value(metrics, "rulebook_info", "retail", "2", "sha256:b") == 1
    assert b"sha256:a" not in metrics.render()
    (build,) = [labels for name, labels in _samples(metrics) if name == "decisioning_build_info"]
    assert "" not in build


def test_a_registry_takes_one_set_of_metrics() -> None:
    """Two objects over one registry would count apart; the second is refused."""
    registry = CollectorRegistry()
    Metrics(registry, LABELS)
    with pytest.raises(ValueError, match="Duplicated"):
        Metrics(registry, LABELS)


def test_counting_is_cheap_and_finds_its_child_again(metrics: Metrics) -> None:
    """Children are cached: counting by labels must not cost the several microseconds of a look-up by name."""
    metrics.events.inc("purchase.completed", Result.APPLIED)
    before = metrics.events._children["purchase.completed", Result.APPLIED]
    started = time.perf_counter()
    for _ in range(20_000):
        metrics.events.inc("purchase.completed", Result.APPLIED)
    each = (time.perf_counter() - started) / 20_000
    assert metrics.events._children["purchase.completed", Result.APPLIED] is before
    assert each < 50e-6  # some 1.5 us on an idle machine
