"""TLS and passwords on a real Kafka: the right ones work; with wrong ones nothing starts, and the reason is said."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.kafka.certificates import Authority
from tests.kafka.cluster import RealKafka
from tests.streaming.live import Live, until
from tests.streaming.test_app import greet, request

pytestmark = pytest.mark.kafka

PASSWORD = "correct-horse-battery"
WRONG = "canary-in-the-coal-mine"
SECONDS = 15.0
"""Within these a worker that may not come in has ended."""


class Secured(NamedTuple):
    """A Kafka that wants TLS and a password, and the settings of a worker that has both."""

    kafka: RealKafka
    settings: dict[str, Any]
    folder: Path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """One broker; its route `expired` shows a certificate of yesterday, its route `elsewhere` one of another host."""
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder / "certificates")
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    others = {"route0": authority.sign(days=-1), "route1": authority.sign("DNS:elsewhere.example")}
    with RealKafka(
        folder, security="SASL_SSL", keystore=authority.sign(), users={"worker": PASSWORD},
        routes=("expired", "elsewhere"),
        config={f"listener.name.{name}.ssl.keystore.location": file for name, file in others.items()},
    ) as kafka:  # fmt: skip
        mine = {"sasl_username": "worker", "sasl_password_file": password, "ssl_ca_file": authority.file}
        yield Secured(kafka, {"security_protocol": "SASL_SSL", **mine}, folder)


def test_the_right_password_works_end_to_end(secured: Secured, tmp_path: Path) -> None:
    """A worker with it reads, remembers and answers over TLS, and tells nobody."""
    with Live(tmp_path, on=secured.kafka, **secured.settings) as live:
        worker = live.worker().ready()
        greet(live, "c-1")
        live.publish("contact-requests", request("c-1", "2026-03-02T11:00:00Z", "r-1"), "c-1")
        live.flush()
        until(lambda: live.distinct() == 1, what="the answer")
        assert PASSWORD not in worker.output
        assert PASSWORD.encode() not in Path(f"/proc/{worker.process.pid}/cmdline").read_bytes()
        assert worker.term() == 0, worker.output


CASES = [
    pytest.param("right", {"sasl_password_file": WRONG}, "password", id="wrong password"),
    pytest.param("right", {"sasl_username": "nobody"}, "password", id="unknown user"),
    pytest.param("expired", {}, "expired", id="expired certificate"),
    pytest.param("elsewhere", {}, "127.0.0.1", id="certificate of another host"),
    pytest.param("right", {"ssl_ca_file": ""}, "SSL_CA_FILE", id="unknown authority"),
    pytest.param("right", {"security_protocol": "PLAINTEXT"}, "SECURITY_PROTOCOL", id="plain text to a TLS listener"),
    pytest.param("inside", {}, "SECURITY_PROTOCOL", id="TLS to a plain listener"),
]


@pytest.mark.parametrize(
    "command",
    [pytest.param(("run",), id="run"), pytest.param(("topics", "list"), id="topics list", marks=pytest.mark.long)],
)
@pytest.mark.parametrize(("way", "changed", "words"), CASES)
def test_whoever_may_not_come_in_is_told_why(
    secured: Secured, tmp_path: Path, way: str, changed: dict[str, Any], words: str, command: tuple[str, ...]
) -> None:
    """Exit code 3 within 15 seconds, one line that names the cause, and no password in it."""
    routes = {name: route.address for name, route in secured.kafka.routes.items()}
    addresses = {"right": secured.kafka.address, "inside": secured.kafka.inside, **routes}
    settings = {**secured.settings, "kafka": addresses[way], "log_format": "text", **changed}
    if "sasl_password_file" in changed:
        settings["sasl_password_file"] = tmp_path / "password"
        settings["sasl_password_file"].write_text(changed["sasl_password_file"])
    if settings["security_protocol"] == "PLAINTEXT":
        settings = {"kafka": settings["kafka"], "log_format": "text"}
    environment = {f"DECISIONING_{name.upper()}": str(content) for name, content in settings.items() if content}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", *command], env=environment | {"PATH": ""}, capture_output=True, text=True,
        timeout=60, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert time.monotonic() - began < SECONDS
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert (done.returncode, len(lines)) == (3, 1), lines
    assert words in lines[0]
    assert not [word for word in (PASSWORD, WRONG) if word in lines[0]]
