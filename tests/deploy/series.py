"""What a query of ours names, and what a worker has: the two sides that dashboards and alerts must agree on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser as promql
from prometheus_client import CollectorRegistry

from decisioning.streaming.metrics import Labels, Metrics

SCRAPED = {"instance", "job"}
"""What Prometheus adds to each series."""


def carried() -> dict[str, set[str]]:
    """Every series name of a worker -> the labels it carries, those of the scrape included."""
    registry = CollectorRegistry()
    known = Labels(["t"], [("act", "marketing", "sms", "allowed.clear")], ["no_time"], ["orders"], ["consent"])
    metrics = Metrics(registry, known)
    metrics.rulebook.only("retail", "1", "sha256:0")
    metrics.rule_errors.inc("too_young")
    metrics.broadcast.inc("products", by=0)
    found = {sample.name: set(sample.labels) | SCRAPED for family in registry.collect() for sample in family.samples}
    return found | {"up": set(SCRAPED)}


def named(query: str) -> Iterator[tuple[str, set[str]]]:
    """Each series that a query selects, with the labels that it selects or groups them by; ValueError: no PromQL."""
    grouped: set[str] = set()
    selected: list[tuple[str, set[str]]] = []

    def note(node: Any) -> bool:
        selector = node.vector_selector if isinstance(node, promql.MatrixSelector) else node
        if isinstance(selector, promql.VectorSelector) and selector.name is not None:
            labels = {matcher.name for matcher in selector.matchers.matchers} - {"__name__"}
            selected.append((selector.name, labels))
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            grouped.update(node.modifier.labels)
        return True

    promql.walk(promql.parse(query), note)
    for name, labels in selected:
        yield name, labels | grouped


def filled(answer: list[dict[str, Any]]) -> bool:
    """Whether a query gave anything."""
    return bool(answer)
