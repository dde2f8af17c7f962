"""The image's recipe: hashes for all that is installed, nobody in particular, nothing written but the data."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from decisioning.streaming.broker import start_broker
from decisioning.streaming.settings import PREFIX, Settings
from decisioning.streaming.topics import plan
from tests.builders import RETAIL
from tests.streaming.live import until

ROOT = Path(__file__).parents[2]
RECIPE = re.sub(r"^#.*\n", "", (ROOT / "deploy/Dockerfile").read_text(), flags=re.M).replace("\\\n", "")
LAST = RECIPE[RECIPE.rindex("\nFROM ") :]
AS_PROCESS_1 = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]


def pins(name: str) -> dict[str, str]:
    """Package -> version, with its marker, as a lock file has it."""
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==(.*?) ?\\?$", (ROOT / name).read_text(), re.M))


def test_it_runs_as_nobody_in_particular_and_hears_the_signal_to_end() -> None:
    """By number, so that Kubernetes can see that it is not root; its data folder is its own."""
    assert re.search(r"^USER 10001:10001$", LAST, re.M)
    assert re.search(r"^STOPSIGNAL SIGTERM$", LAST, re.M)
    assert re.search(r"install --directory --mode 0700 --owner 10001 --group 10001 /data", LAST)
    assert re.search(r'^ENTRYPOINT \["decisioning"\]$', LAST, re.M), "a shell between would keep the signal to itself"


def test_its_base_is_named_once_to_the_patch_level_and_is_glibc() -> None:
    """Both stages stand on the same Python, or the environment copied from one would not run in the other."""
    (base,) = re.findall(r"^ARG PYTHON=(\S+)$", RECIPE, re.M)
    assert re.fullmatch(r"python:3\.13\.\d+-slim-[a-z]+", base)
    assert re.findall(r"^FROM (\S+)", RECIPE, re.M) == ["${PYTHON}", "${PYTHON}"]


def test_whatever_is_installed_is_checked_by_its_hash() -> None:
    """Each install names a lock with hashes, or our own wheel and no index; nothing is compiled on the way."""
    installs = re.findall(r"pip (?:--python \S+ )?install (.+?)(?=&&|$)", RECIPE, re.M)
    assert len(installs) == 3
    for install in installs:
        lock = re.search(r"--require-hashes --requirement (\S+)", install)
        assert lock is not None or "--no-deps --no-index" in install
        if lock is not None:
            assert (ROOT / lock[1]).read_text().count("--hash=sha256:") >= len(pins(lock[1]))
    assert "PIP_ONLY_BINARY=:all:" in RECIPE


def test_the_lock_files_agree() -> None:
    """The image runs the versions that the tests ran: `make lock` writes the three together."""
    everything, image = pins("requirements.lock"), pins("deploy/requirements.lock")
    assert image
    assert image.items() <= everything.items()
    assert pins("deploy/build.lock").items() <= everything.items()
    assert not {"pytest", "mypy", "hatchling", "pip"} & image.keys()


def test_every_source_exists_and_reaches_the_builder() -> None:
    """A COPY of what is not there, or is ignored, fails in front of whoever builds it."""
    kept = [
        line[1:] for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", RECIPE, re.M):
        for source in sources.split():
            assert (ROOT / source).exists()
            assert any(Path(source).match(pattern) or source == pattern for pattern in kept), source


def test_each_setting_that_it_makes_exists() -> None:
    """And the rulebook is named, so that a missing mount is an error (streaming/shipped.py)."""
    made = dict(re.findall(rf"\b{PREFIX}(\w+)=(\S+)", LAST))
    assert {name.lower() for name in made} <= Settings.model_fields.keys()
    assert made == {"DATA_DIR": "/data", "RULEBOOK": "/app/rules/retail.yaml"}
    assert re.search(r"^COPY rules /app/rules$", LAST, re.M)
    assert re.search(r"^VOLUME /data$", LAST, re.M)


def test_its_health_check_is_python_and_asks_where_the_worker_listens() -> None:
    """The slim base has neither curl nor wget."""
    found = re.search(r'HEALTHCHECK .* CMD \["python", "-c", "(.+)"\]', LAST)
    assert found is not None
    compile(found[1], "healthcheck", "exec")
    assert str(Settings.model_fields["http_port"].default) in found[1]
    assert "/healthz" in found[1]


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*AS_PROCESS_1, "true"], check=False).returncode != 0,
    reason="this machine lets nobody make a process namespace",
)
def test_process_1_ends_at_sigterm_while_it_starts(tmp_path: Path) -> None:
    """In a container nothing ends process 1 but what it listens to; here it waits for a topic that has no leader."""
    names = [row.name for row in plan(Settings())]
    with start_broker(names, partitions=4) as broker:
        broker.delay(60_000)
        environment = {**os.environ, f"{PREFIX}KAFKA": broker.address, f"{PREFIX}RULEBOOK": str(RETAIL)}
        worker = subprocess.Popen(
            [*AS_PROCESS_1, sys.executable, "-m", "decisioning", "run"], env=environment, cwd=tmp_path
        )
        try:
            (inner,) = until(lambda: _children(worker.pid), what="the worker")
            until(lambda: _catches_sigterm(inner), what="listening to SIGTERM")
            os.kill(inner, signal.SIGTERM)
            assert worker.wait(10) == 128 + signal.SIGTERM
        finally:
            worker.kill()
            worker.wait()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _catches_sigterm(pid: int) -> bool:
    caught = re.search(r"^SigCgt:\s+(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.M)
    return caught is not None and bool(int(caught[1], 16) & 1 << (signal.SIGTERM - 1))
