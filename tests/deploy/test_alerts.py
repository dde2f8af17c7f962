"""Alerts: understood by Prometheus, each fires in a case of its own, and each leads to a page of the runbook."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from decisioning.streaming.app import EXIT_INPUT
from decisioning.streaming.chassis.watchdog import (
    FENCED,
    GAP,
    GROUP,
    SEND,
    STALL,
    STORE,
    TOPICS,
    UNKNOWN,
    UNREACHABLE,
)
from decisioning.streaming.settings import PREFIX, Settings
from tests.deploy.prometheus import promtool, scraping
from tests.deploy.series import carried, filled, named
from tests.streaming.live import Live, until

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus"
RUNBOOK = (DEPLOY / "runbook.md").read_text()


def groups(name: str) -> list[dict[str, Any]]:
    """Every rule of a file."""
    return [rule for group in YAML(typ="safe").load((RULES / name).read_text())["groups"] for rule in group["rules"]]


RECORDED, ALERTS = groups("rules.yml"), groups("alerts.yml")
NAMES = [alert["alert"] for alert in ALERTS]
PLAYED = ["alerts_test.yml", "kafka_test.yml"]
CASES = [case for name in PLAYED for case in YAML(typ="safe").load((RULES / name).read_text())["tests"]]


def anchor(heading: str) -> str:
    """The anchor that a heading of Markdown gets."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def section(name: str) -> str:
    """What the runbook says of an alert."""
    found = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", RUNBOOK, re.M | re.S)
    assert found, f"deploy/runbook.md has no `### {name}`"
    return found[1]


@pytest.mark.parametrize("name", ["rules.yml", "alerts.yml"])
def test_promtool_takes_the_rules(name: str) -> None:
    """Syntax, types and templates."""
    done = promtool("check", "rules", RULES / name)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["prometheus.yml", "local.yml"])
def test_promtool_takes_the_configuration(name: str) -> None:
    """The file that the compose file mounts and the one without containers, with the rules and the job they ask for."""
    done = promtool("check", "config", RULES / name)
    assert done.returncode == 0, done.stderr
    read = YAML(typ="safe").load((RULES / name).read_text())
    assert read["rule_files"] == ["rules.yml", "alerts.yml"]
    assert [one["job_name"] for one in read["scrape_configs"]] == ["decisioning"]


@pytest.mark.parametrize("name", PLAYED)
def test_every_case_comes_out_as_written(name: str) -> None:
    """`promtool test rules`: what fires, and that nothing else does."""
    done = promtool("test", "rules", RULES / name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_in_a_case_and_none_in_peace() -> None:
    """An alert that no case has seen fire may never do so."""
    fired: set[str] = set()
    for case in CASES:
        for test in case.get("promql_expr_test", []):
            if "ALERTS" in test["expr"]:
                expected = {re.findall(r'alertname="(\w+)"', one["labels"])[0] for one in test["exp_samples"]}
                assert expected or "peace" in case["name"] or "none" in case["name"]
                fired |= expected
    assert fired == set(NAMES)
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on(alert: dict[str, Any]) -> None:
    """Severity, a summary in one sentence, and the anchor of its own section: symptom, look, act."""
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"].endswith(".")
    page, _, found = alert["annotations"]["runbook_url"].partition("#")
    assert page == "deploy/runbook.md"
    assert found == anchor(alert["alert"])
    for part in ("**Symptom.**", "**Look.**", "**Act.**"):
        assert part in section(alert["alert"])


def test_a_base_is_put_before_every_address_by_the_command_that_the_file_names(tmp_path: Path) -> None:
    """`runbook_url` is relative; whoever types the command of the comment has links that lead somewhere."""
    copy = shutil.copy(RULES / "alerts.yml", tmp_path)
    command = re.search(r"^#   (sed .*)$", Path(copy).read_text(), re.M)
    assert command
    subprocess.run(shlex.split(command[1]), cwd=tmp_path, check=True, timeout=60)
    changed = YAML(typ="safe").load(Path(copy).read_text())
    found = [rule["annotations"]["runbook_url"] for group in changed["groups"] for rule in group["rules"]]
    base = "https://git.example/decisioning/blob/main/"
    assert found == [base + alert["annotations"]["runbook_url"] for alert in ALERTS]


def test_the_runbook_speaks_of_no_alert_that_is_not_there() -> None:
    """Sections are headed by the alert's name."""
    assert set(re.findall(r"^### (Decisioning\w+)$", RUNBOOK, re.M)) == set(NAMES)


@pytest.mark.parametrize("rule", [*RECORDED, *ALERTS], ids=lambda rule: str(rule.get("alert") or rule.get("record")))
def test_a_rule_names_only_series_and_labels_that_a_worker_has(rule: dict[str, Any]) -> None:
    """A renamed metric would leave an alert silent, which looks like peace."""
    series = carried() | {one["record"]: set() for one in RECORDED}
    for name, labels in named(rule["expr"]):
        assert name in series
        assert labels <= series[name]


def test_what_the_runbook_says_to_type_exists() -> None:
    """Whoever follows it at night types what it says: metrics, settings and exit codes are the worker's own."""
    series = carried()
    mentioned = set(re.findall(r"\bdecisioning_[a-z_]+", RUNBOOK))
    assert mentioned <= set(series) | {re.sub(r"_bucket$", "", name) for name in series}
    settings = {name.lower() for name in re.findall(rf"{PREFIX}([A-Z_]+)", RUNBOOK)}
    assert settings <= set(Settings.model_fields)
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", RUNBOOK, re.M)}
    assert codes == {0, EXIT_INPUT, UNREACHABLE, UNKNOWN, GAP, STORE, SEND, STALL, TOPICS, GROUP, FENCED}
    for query in re.findall(r"`((?:sum|rate|topk|changes|deriv)\b[^`]*)`", RUNBOOK):
        assert all(name in series for name, _ in named(query)), query


def test_a_broker_that_stops_becomes_an_alert(tmp_path: Path) -> None:
    """A real worker, a real Prometheus, the real rules: when Kafka goes, an alert fires, though the worker ends."""
    with Live(tmp_path) as broker:
        worker = broker.worker().ready()
        with scraping(worker.port, tmp_path / "prometheus", RULES) as server:
            until(lambda: server.query("decisioning_ready == 1"), what="the first scrape")
            assert not server.query('ALERTS{alertname!="DecisioningNoWorker"}')
            broker.stop_broker()
            fires = 'ALERTS{alertname=~"DecisioningKafkaSilent|DecisioningWorkerDown",alertstate="firing"}'
            until(lambda: filled(server.query(fires)), 60, "an alert")
