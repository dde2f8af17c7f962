"""The dashboards are what the code builds, ask only for what a worker shows, and are answered by a real Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.grafana.build import BOARDS, FOLDER, Board, build
from tests.deploy.prometheus import scraping
from tests.deploy.series import carried, filled, named
from tests.streaming.history import history, products
from tests.streaming.live import Live, until

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARDS: dict[str, dict[str, Any]] = {
    board.uid: json.loads((FOLDER / f"{board.uid}.json").read_text()) for board in BOARDS
}
PANELS = [(uid, panel) for uid, board in DASHBOARDS.items() for panel in board["panels"] if panel["type"] != "row"]
QUERIES = sorted({target["expr"] for _, panel in PANELS for target in panel["targets"]})
EMPTY_IN_PEACE = re.compile(r"> 0\b|rule_errors")
"""Queries that show only what is there: of a worker at peace they may have no line."""


def asked(query: str) -> str:
    """The query as Grafana sends it."""
    return query.replace("$__rate_interval", "1m").replace("$__range", "1h")


@pytest.fixture(scope="module")
def series() -> dict[str, set[str]]:
    """Every series name of a worker -> the labels it carries."""
    return carried()


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_the_committed_dashboard_is_what_the_code_builds(board: Board) -> None:
    """`make generated` writes them; a panel is changed in deploy/grafana/build.py."""
    assert (FOLDER / f"{board.uid}.json").read_text() == build(board)


def test_nothing_else_is_given_to_grafana() -> None:
    """A dashboard that nobody builds would grow old unseen."""
    assert {path.stem for path in FOLDER.iterdir()} == set(DASHBOARDS)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_only_series_and_labels_that_a_worker_has(query: str, series: dict[str, set[str]]) -> None:
    """A renamed metric or label would leave a panel empty, which looks like peace."""
    for name, labels in named(asked(query)):
        assert name in series
        assert labels <= series[name], name


def test_legends_name_labels_that_the_query_keeps(series: dict[str, set[str]]) -> None:
    """`{{outcome}}` in a legend needs `by (outcome)` in its query, or a series that carries it."""
    for _, panel in PANELS:
        for target in panel["targets"]:
            names = {name for name, _ in named(asked(target["expr"]))}
            kept = set(re.findall(r"by \((\w+)\)", target["expr"])) or set.union(*(series[name] for name in names))
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, panel["title"]


def test_every_metric_of_ours_has_a_panel(series: dict[str, set[str]]) -> None:
    """What is worth counting is worth a look."""
    shown = {name for query in QUERIES for name, _ in named(asked(query))}
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series if name.startswith("decisioning_")}
    assert ours - {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} == {
        "decisioning_outbox_records",
        "decisioning_broadcast_records_total",
        "decisioning_rulebook_loads_total",
        "decisioning_commits_total",
    }


def test_every_panel_asks_the_provisioned_source_and_says_what_it_shows() -> None:
    """The datasource's uid is the one that provisioning gives; each panel has an id of its own and a description."""
    sources = YAML(typ="safe").load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    (uid,) = [source["uid"] for source in sources["datasources"]]
    assert {panel["datasource"]["uid"] for _, panel in PANELS} == {uid}
    assert all(panel["description"] for _, panel in PANELS)
    for board in DASHBOARDS.values():
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        for panel in board["panels"]:
            letters = [target["refId"] for target in panel.get("targets", [])]
            assert len(letters) == len(set(letters))


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_panels_do_not_lie_on_each_other(uid: str) -> None:
    """Within the grid of 24 columns, each cell belongs to one panel."""
    places = [panel["gridPos"] for panel in DASHBOARDS[uid]["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A broker, and some of a shop's days to be told."""
    with Live(tmp_path_factory.mktemp("grafana")) as running:
        yield running


def test_every_panel_is_answered_from_a_real_worker(broker: Live, tmp_path: Path) -> None:
    """A worker at work, scraped by a Prometheus: each query is understood, and has data wherever there is some."""
    worker = broker.worker().ready()
    with scraping(worker.port, tmp_path / "prometheus") as server:
        until(lambda: server.query("decisioning_ready == 1"), what="the first scrape")
        broker.tell([*products(), *history(5, 400, 60, broker.partitions)])
        until(lambda: broker.distinct() > 50, what="decisions")
        broker.settle()
        handled = worker.metric("decisioning_events_total")
        until(lambda: filled(server.query("sum (increase(decisioning_events_total[1m])) > 0")), what="a second scrape")
        until(
            lambda: filled(server.query(f"sum (decisioning_events_total) >= {handled}")), what="the scrape after that"
        )
        empty = [query for query in QUERIES if not server.query(asked(query))]
        assert [query for query in empty if not EMPTY_IN_PEACE.search(query)] == []
        assert filled(server.query("sum (decisioning_forbidden_contacts_total) == 0"))
        assert filled(server.query('sum (decisioning_audited_contacts_total{result="checked"}) > 0'))
    assert worker.term() == 0, worker.output
