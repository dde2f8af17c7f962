"""Every check of `deploy/` and of the compose file that needs neither a cluster nor Docker: `make check-deploy`.

Its one argument is the folder with the checking tools' commands. What cannot be checked here is said, with the reason,
and is no failure; exit code 1 where a check fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.deploy.manifests import FOLDER, ROOT, documents

COMPOSE: Final = "docker-compose.kafka.yml"
COMPOSE_GO: Final = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"
STRIMZIS: Final = "kafka.strimzi.io/"
WITH_THE_REST: Final = (
    "tests/test_house.py::test_the_environment_example_is_fresh",
    "tests/streaming/test_asyncapi.py",
)
"""Tests that stand elsewhere and are about what is deployed; those of `tests/deploy` are all run."""


class Check(NamedTuple):
    """One check: what it is about, the command, or why it cannot be made here."""

    about: str
    command: list[str]
    skipped: str = ""


def checks(tools: Path) -> Iterator[Check]:
    """All of them, the quick ones first."""
    schema = [str(tools / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE]
    yield Check("compose file: the Compose Specification's schema", schema)
    yield _loaded(tools)
    standard = [name for name in _manifests() if not _is_strimzis(name)]
    paths = [str(FOLDER / name) for name in standard]
    yield Check("manifests: Kubernetes' schemas, strictly", [str(tools / "kubernetes-validate"), "--strict", *paths])
    missing = "" if (tools / "hadolint").exists() else "hadolint has no binary for this machine"
    yield Check("Dockerfile: hadolint", [str(tools / "hadolint"), "deploy/Dockerfile"], missing)
    elsewhere = [test for test in WITH_THE_REST if (ROOT / test.partition("::")[0]).exists()]
    words = ["-m", "pytest", "--quiet", "--no-header", "-m", "not long", "tests/deploy", *elsewhere]
    yield Check(
        "compose, image, manifests, Strimzi, Prometheus, Grafana, contracts, settings", [sys.executable, *words]
    )


def _manifests() -> list[str]:
    (kustomization,) = documents("kustomization.yaml")
    return list(kustomization["resources"])


def _is_strimzis(name: str) -> bool:
    return any(one["apiVersion"].startswith(STRIMZIS) for one in documents(name))


def _loaded(tools: Path) -> Check:
    """The file as Compose itself loads it: by the plugin if it is here, else by its loader, which Go builds once."""
    about = "compose file: as Compose loads it"
    docker, go, loader = shutil.which("docker"), shutil.which("go"), tools / "cmd"
    if docker is not None and _works([docker, "compose", "version"]):
        command = [docker, "compose", "--file", COMPOSE, "--profile", "pair", "--profile", "observability", "config"]
        return Check(about, [*command, "--quiet"])
    if not loader.exists() and go is not None:
        _works([go, "install", COMPOSE_GO], GOBIN=str(tools.resolve()))
    missing = "" if loader.exists() else "it needs `docker compose`, or Go to build its loader"
    return Check(about, [str(loader), COMPOSE], missing)


def _works(command: list[str], **more: str) -> bool:
    return subprocess.run(command, env={**os.environ, **more}, capture_output=True, check=False).returncode == 0


def main(tools: Path) -> int:
    """Make the checks, one line each; what a failing one said comes below its line."""
    failed = 0
    for check in checks(tools):
        if check.skipped:
            print(f"skipped  {check.about}: {check.skipped}", flush=True)
            continue
        begun = time.monotonic()
        done = subprocess.run(
            check.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        word = "failed " if done.returncode else "ok     "
        last = (done.stdout.strip().splitlines() or [""])[-1] if "pytest" in check.command else ""
        print(f"{word}  {check.about} ({time.monotonic() - begun:.0f} s) {last}".rstrip(), flush=True)
        if done.returncode:
            failed += 1
            print(done.stdout, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
