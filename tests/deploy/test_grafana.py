"""The dashboard asks only for what a worker shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Metric
from ruamel.yaml import YAML

from decisioning.streaming.metrics import Labels, Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/decisioning.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
FUNCTIONS = {"sum", "by", "rate", "increase", "topk", "histogram_quantile"}
NOT_A_LABEL = re.compile(r'"[^"]*"|\$\w+|\bdecisioning_\w+')
PROMETHEUS_OWN = {"instance", "job"}


@pytest.fixture(scope="module")
def series() -> dict[str, set[str]]:
    """Every series name of a worker -> the labels it carries."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, Labels(["t"], [("act", "marketing", "sms", "allowed.clear")], ["no_time"], ["orders"]))
    metrics.rulebook.only("retail", "1", "sha256:0")
    metrics.lag.set(0, "orders")
    metrics.rule_errors.inc("too_young")
    families: list[Metric] = list(registry.collect())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_only_series_and_labels_that_a_worker_has(query: str, series: dict[str, set[str]]) -> None:
    """A renamed metric or label would leave a panel empty, which looks like peace."""
    names = set(re.findall(r"\bdecisioning_\w+", query))
    assert names
    assert names <= set(series)
    carried = set.union(*(series[name] for name in names))
    used = set(re.findall(r"[a-z_]{2,}", NOT_A_LABEL.sub("", query))) - FUNCTIONS
    assert used <= carried | PROMETHEUS_OWN


def test_legends_name_labels_that_the_query_keeps(series: dict[str, set[str]]) -> None:
    """`{{outcome}}` in a legend needs `by (outcome)` in its query, or a series that carries it."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            names = re.findall(r"decisioning_\w+", target["expr"])
            kept = set(re.findall(r"by \((\w+)\)", target["expr"])) or set.union(*(series[name] for name in names))
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, panel["title"]


def test_every_panel_asks_the_provisioned_source_and_says_what_it_shows() -> None:
    """The datasource's uid is the one that provisioning gives; each panel has an id of its own and a description."""
    sources = YAML(typ="safe").load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    (uid,) = [source["uid"] for source in sources["datasources"]]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {uid}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["description"] for panel in DASHBOARD["panels"])


def test_panels_do_not_lie_on_each_other() -> None:
    """Within the grid of 24 columns, each cell belongs to one panel."""
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
