"""What is built installs and runs in an empty environment, far from the repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from decisioning.streaming.settings import PREFIX
from tests.test_main import HELLO, request

ROOT = Path(__file__).parents[2]
BOUND = 240


def build(folder: Path, *targets: str) -> list[Path]:
    """Build from the repository, in no environment of its own: hatchling is in the lock."""
    wanted = [word for target in targets for word in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), *wanted]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=BOUND)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once."""
    (built,) = build(tmp_path_factory.mktemp("wheel"), "wheel")
    return built


class Installed:
    """An empty environment with the wheel and what it asks for in it, and a folder to work in with nothing in it."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self._bin, self.folder = folder / "venv" / "bin", folder / "work"
        self.folder.mkdir()
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, timeout=BOUND)
        pins = folder / "constraints.txt"
        pins.write_text(
            "\n".join(re.findall(r"^([a-z0-9][\w.-]*==\S+)", (ROOT / "requirements.lock").read_text(), re.M))
        )
        pip = ["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "-c", str(pins)]
        done = self.run("python", *pip, str(wheel))
        if done.returncode and not os.environ.get("CI") and "onnection" in done.stderr:
            pytest.skip("no package index can be reached")
        assert done.returncode == 0, done.stderr

    def run(self, command: str, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        """A command of the environment, which hears nothing of this repository."""
        ours = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
        clean = {name: value for name, value in os.environ.items() if name not in ours and not name.startswith(PREFIX)}
        return subprocess.run(
            [self._bin / command, *arguments], cwd=self.folder, env=clean | settings, input=stdin, capture_output=True,
            text=True, check=False, timeout=BOUND,
        )  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    """The wheel in an environment of its own."""
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


def test_the_wheel_carries_rules_data_and_licences(wheel: Path) -> None:
    """All of `rules/`, the demo's data beside the words that its licence asks for, the mark that we are typed."""
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        metadata = opened.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    rules = {f"decisioning/{path.relative_to(ROOT)}" for path in (ROOT / "rules").rglob("*") if path.is_file()}
    assert "decisioning/rules/retail.yaml" in rules
    assert rules <= names
    data = "decisioning/streaming/demo/shop_days"
    assert {f"{data}/ATTRIBUTION", f"{data}/online-retail.csv.gz", "decisioning/py.typed"} <= names
    licences = {name.rpartition("/")[2] for name in names if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "ATTRIBUTION"}
    assert "License-Expression: Apache-2.0 AND CC-BY-4.0" in metadata
    assert not [name for name in names if name.startswith("tests/") or "__pycache__" in name]


def test_the_same_source_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Byte for byte, so that anybody can check what was published."""
    (again,) = build(tmp_path, "wheel")
    assert again.read_bytes() == wheel.read_bytes()


def test_the_sdist_is_enough_for_the_tests_and_for_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """Every file that git knows is in it, and the wheel built from it is the same one."""
    (sdist,) = build(tmp_path / "built", "sdist")
    with tarfile.open(sdist) as opened:
        opened.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.name.startswith("decisioning-"))
    known = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    for name in filter(None, known.stdout.split("\0")):
        assert name == ".gitignore" or (source / name).read_bytes() == (ROOT / name).read_bytes()
    for needed in ("Makefile", "requirements.lock", "rules/retail.yaml", "tests/test_main.py", "deploy/Dockerfile"):
        assert (source / needed).exists()
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path / "from-sdist"), "-t", "wheel"]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=BOUND)
    (again,) = (tmp_path / "from-sdist").iterdir()
    assert again.read_bytes() == wheel.read_bytes()


@pytest.mark.long
def test_it_decides_and_checks_without_a_repository(installed: Installed) -> None:
    """The default policy came with it; a rulebook of one's own begins as a copy that passes its cases."""
    answered = installed.run("decisioning", "decide", stdin=(HELLO + request("2026-03-02 10:15", "e-3")).decode())
    assert (answered.returncode, answered.stderr) == (0, "")
    assert '"decision.act"' in answered.stdout
    assert installed.run("decisioning", "rulebook", "new", "ours").returncode == 0
    tried = installed.run("decisioning", "test", "ours/retail.yaml")
    assert tried.returncode == 0, tried.stdout + tried.stderr
    where = installed.run("python", "-c", "import decisioning; print(decisioning.__file__)").stdout
    assert str(ROOT) not in where


@pytest.mark.long
def test_a_worker_says_in_one_line_that_there_is_no_broker(installed: Installed) -> None:
    """Nothing that it needs is missing: it comes as far as Kafka, which is not there."""
    assert "until SIGTERM" in installed.run("decisioning", "run", "--help").stdout
    done = installed.run("decisioning", "run", DECISIONING_KAFKA="127.0.0.1:9")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_the_demo_runs_from_it(installed: Installed) -> None:
    """`pip install decisioning && decisioning demo`: broker, worker and the shop's days."""
    done = installed.run("decisioning", "demo", "--plain", "--days", "2", "--seconds", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unanswered  0" in done.stdout
    assert list(installed.folder.glob("data")) == []
