"""Prometheus and its `promtool`, as Debian packages them: found, or fetched once into a folder that git ignores.

    python -m tests.deploy.prometheus       # where they are, fetched if need be

Nothing is installed and nobody needs to be root: the package is downloaded and unpacked. Where there is neither a
Prometheus nor Debian's tools, the tests that need one are skipped and say so.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from tests.streaming.live import until

HOME: Final = Path(__file__).parents[2] / ".prometheus"
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@cache
def tool(name: str) -> Path | None:
    """Where `prometheus` or `promtool` is; None: it is not here and cannot be had."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    unpacked = HOME / "usr" / "bin" / name
    if not unpacked.exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        HOME.mkdir(exist_ok=True)
        with (HOME / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes may start at once
            if not unpacked.exists():
                _fetch()
    return unpacked if unpacked.exists() else None


def needed(name: str) -> Path:
    """The same; the test is skipped where it is not to be had."""
    found = tool(name)
    if found is None:
        pytest.skip(f"there is no `{name}`, and no apt-get and dpkg-deb that could fetch Debian's package prometheus")
    return found


def promtool(*arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool; what it said."""
    command = [str(one) for one in (needed("promtool"), *arguments)]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60)


def _fetch() -> None:
    with_packages = {"cwd": HOME, "capture_output": True, "check": False, "timeout": 300}
    subprocess.run(["apt-get", "download", "prometheus"], **with_packages)  # type: ignore[call-overload]
    for package in HOME.glob("prometheus_*.deb"):
        subprocess.run(["dpkg-deb", "-x", package.name, "."], **with_packages)  # type: ignore[call-overload]
        package.unlink()


class Prometheus:
    """A server that scrapes one worker every second."""

    def __init__(self, port: int) -> None:
        self._at = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API; AssertionError with its own words where it refuses."""
        try:
            with _DIRECT.open(f"{self._at}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        assert found["status"] == "success", found
        return found["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now."""
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def answers(self) -> bool:
        """Whether it takes queries; while it starts it refuses them."""
        try:
            with _DIRECT.open(f"{self._at}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def scraping(worker: int, folder: Path, rules: Path | None = None) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the worker at this port, with the rule files of a directory if one is given."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [] if rules is None else [str(rules / "rules.yml"), str(rules / "alerts.yml")],
        "scrape_configs": [{"job_name": "decisioning", "static_configs": [{"targets": [f"127.0.0.1:{worker}"]}]}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                needed("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            server = Prometheus(port)
            until(server.answers, what="a Prometheus")
            yield server
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    places = [tool("prometheus"), tool("promtool")]
    print(*places, sep="\n")
    sys.exit(None in places)
