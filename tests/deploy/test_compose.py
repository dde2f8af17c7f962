"""The compose file, its parts and the image fit together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from decisioning.streaming.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.kafka.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_every_setting_of_the_worker_exists() -> None:
    """A misspelt variable would be silently ignored by the worker's container."""
    for service in ("worker", "topics"):
        for name in SERVICES[service]["environment"]:
            assert name.startswith(PREFIX)
            assert name.removeprefix(PREFIX).lower() in Settings.model_fields


def test_the_worker_waits_for_a_healthy_broker_and_for_its_topics() -> None:
    """Broker healthy, then topics created to the end, then the worker."""
    assert SERVICES["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert SERVICES["worker"]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}
    assert "healthcheck" in SERVICES["kafka"]
    assert "healthcheck" in SERVICES["worker"]


@pytest.mark.parametrize("service", ["kafka", "prometheus", "grafana"])
def test_images_of_others_are_pinned(service: str) -> None:
    """A tag that moves gives another machine another broker."""
    assert re.search(r":v?\d+\.\d+\.\d+$", SERVICES[service]["image"])


def test_everything_listens_on_loopback_only() -> None:
    """None of it asks for a login."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_is_mounted_exists_and_volumes_are_declared() -> None:
    """A missing file would be mounted as an empty directory."""
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_observability_is_asked_for_and_finds_the_worker() -> None:
    """Prometheus and Grafana start with their profile only; the scrape target is the worker's own port."""
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"prometheus", "grafana"}
    config = YAML(typ="safe").load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    ((target,),) = [job["static_configs"][0]["targets"] for job in config["scrape_configs"]]
    assert target == f"worker:{Settings.model_fields['http_port'].default}"
