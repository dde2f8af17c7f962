"""The compose file, its parts and the image fit together, and what its containers run does run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.settings import PREFIX, Settings
from tests.kafka.guard import Guard
from tests.kafka.node import Node, PortTaken, free_ports
from tests.streaming.live import WorkerProcess

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.kafka.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ["topics", "worker", "second"]
WORKERS = ["worker", "second"]
STALL_SECONDS: Any = next(field.default for field in fields(ChassisConfig) if field.name == "stall_seconds")
POM = (ROOT / "tests/kafka/pom.xml").read_text()


def settings_of(service: str) -> dict[str, str]:
    """What its container's environment is where whoever starts it sets nothing."""
    given = SERVICES[service]["environment"]
    return {name: re.sub(r"\$\{\w+:-(\w*)\}", r"\1", str(text)) for name, text in given.items()}


@pytest.mark.parametrize("service", OURS)
def test_every_setting_of_ours_exists_and_is_valid(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable would be silently ignored by the worker's container, a wrong one would end it."""
    for name, text in settings_of(service).items():
        assert name.startswith(PREFIX)
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields
        monkeypatch.setenv(name, text)
    assert Settings().kafka == "kafka:19092"


@pytest.mark.parametrize("service", OURS)
def test_every_command_of_ours_is_one(service: str) -> None:
    """By our own command line: a verb or option that it lacks is refused before `--help` is."""
    command = [sys.executable, "-m", "decisioning", *SERVICES[service]["command"], "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Example:" in done.stdout


def test_the_worker_waits_for_a_healthy_broker_and_for_its_topics() -> None:
    """Broker healthy, then topics created to the end, then the workers."""
    assert SERVICES["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert "healthcheck" in SERVICES["kafka"]
    for name in WORKERS:
        assert SERVICES[name]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}
        assert "/readyz" in SERVICES[name]["healthcheck"]["test"][-1]
        compile(SERVICES[name]["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_a_worker_is_given_the_time_to_end_in_order() -> None:
    """What it has begun, and then its goodbyes; whoever does not get on is ended by its own watchdog meanwhile."""
    for name in WORKERS:
        grace = re.fullmatch(r"(\d+)s", SERVICES[name]["stop_grace_period"])
        assert grace is not None
        assert int(grace[1]) >= 2 * STALL_SECONDS


def test_no_two_workers_share_a_name_a_port_or_a_store() -> None:
    """A store has one writer, and a name in the group one bearer."""
    names = [SERVICES[name]["environment"][f"{PREFIX}INSTANCE"] for name in WORKERS]
    ports = [SERVICES[name]["ports"][0] for name in WORKERS]
    stores = [next(one for one in SERVICES[name]["volumes"] if one.endswith(":/data")) for name in WORKERS]
    for of_each in (names, ports, stores):
        assert len(set(of_each)) == len(WORKERS)


@pytest.mark.parametrize("service", OURS)
def test_ours_may_write_to_nothing_but_their_data(service: str) -> None:
    """As the image is meant to run: no capability, nothing gained by a program that is set-uid, a root read-only."""
    described = SERVICES[service]
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in described


def test_the_broker_is_the_one_of_the_tests() -> None:
    """What is promised of Kafka 4.1.0 is promised of this one."""
    found = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([\d.]+)</version>", POM)
    assert found is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{found[1]}"


class Here:
    """The compose file's broker as a process of this machine: what its image makes of the environment is its
    configuration, and only addresses and folders are others."""

    def __init__(self, folder: Path) -> None:
        inside, outside, controller = free_ports(3)
        self._places = {"kafka:9093": f"127.0.0.1:{controller}", "kafka:19092": f"127.0.0.1:{inside}",
                        "localhost:9092": f"127.0.0.1:{outside}", "//:19092": f"//127.0.0.1:{inside}",
                        "//:9092": f"//127.0.0.1:{outside}", "//:9093": f"//127.0.0.1:{controller}"}  # fmt: skip
        # apache/kafka's own reading: the prefix goes, and what is left is a property's name in capitals.
        given = {name.removeprefix("KAFKA_"): str(text) for name, text in SERVICES["kafka"]["environment"].items()}
        properties = {name.lower().replace("_", "."): self.of(text) for name, text in given.items()}
        self._guard = Guard()
        self.broker = Node(folder, 1, properties, self._guard)
        self.broker.format({})
        self.broker.begin()

    def of(self, text: str) -> str:
        """A text of the compose file with this machine's addresses in it."""
        for there, here in self._places.items():
            text = text.replace(there, here)
        return text

    def close(self) -> None:
        """End it."""
        self.broker.kill()
        self._guard.close()


def started(folder: Path) -> Here:
    """One that serves; once more on other ports where somebody took one of them meanwhile."""
    for attempt in range(3):
        here = Here(folder / f"kafka-{attempt}")
        try:
            here.broker.wait()
        except PortTaken:
            here.close()
        except BaseException:
            here.close()
            raise
        else:
            return here
    raise AssertionError("three times somebody took a port of ours")


@pytest.mark.kafka
def test_what_the_containers_run_runs(tmp_path: Path) -> None:
    """The broker takes its environment, the topics are created on it, a worker gets ready and ends at SIGTERM."""
    here = started(tmp_path)
    environment = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {name: here.of(text) for name, text in settings_of("worker").items()}
    environment |= {f"{PREFIX}DATA_DIR": str(tmp_path / "data"), f"{PREFIX}HTTP_HOST": "127.0.0.1"}
    environment[f"{PREFIX}HTTP_PORT"] = "0"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "decisioning", *SERVICES["topics"]["command"]],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "(missing)" not in done.stdout
        worker = WorkerProcess(environment, tmp_path / "log", ("-m", "decisioning", *SERVICES["worker"]["command"]))
        try:
            assert worker.ready().page("/readyz")[0] == 200
            assert worker.term(90) == 0, worker.output
        finally:
            worker.kill()
    finally:
        here.close()


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


def test_observability_and_the_second_worker_are_asked_for() -> None:
    """They start with their profile only."""
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"second": ["pair"], "prometheus": ["observability"], "grafana": ["observability"]}


def test_prometheus_finds_every_worker() -> None:
    """By its service's name and the port that it listens on inside its container."""
    config = YAML(typ="safe").load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert found["names"] == WORKERS
    assert found["port"] == Settings.model_fields["http_port"].default
    assert all(SERVICES[name]["ports"][0].endswith(f":{found['port']}") for name in WORKERS)
