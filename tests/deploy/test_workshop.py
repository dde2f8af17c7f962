"""The workshop: targets that explain themselves, and a clear word where Python is too old."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make without what an outer make hands down."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "ARGS")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_make_alone_explains_every_target() -> None:
    """The default target is help, and no target is without a sentence."""
    targets = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert targets is not None
    said = make().stdout
    for target in targets[1].split():
        assert re.search(rf"^  make {target} +\w", said, re.MULTILINE), target


def test_an_old_python_is_refused_in_one_line(tmp_path: Path) -> None:
    """What is needed and how to name another one; nothing is half made."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    old = tmp_path / "python3"
    pretend = "import sys; sys.version_info = (3, 10, 14); exec(sys.argv[1])"
    old.write_text(f"#!/bin/sh\nshift\nexec '{sys.executable}' -c '{pretend}' \"$1\"\n")
    old.chmod(0o755)
    done = make("install", f"PYTHON={old}", folder=tmp_path)
    assert done.returncode == 2
    assert f"no Python 3.11 or newer among: {old}" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_install_runs_again_only_when_the_lock_or_the_project_changed() -> None:
    """The stamp depends on exactly these two files."""
    assert re.search(r"^\$\(READY\): requirements\.lock pyproject\.toml$", MAKEFILE, re.MULTILINE)


def test_everything_that_is_installed_is_checked_by_its_hash() -> None:
    """Every pinned package of the lock has hashes, and no index address stands in it."""
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^[a-z0-9][\w.-]*==\S+.*?(?=^[a-z0-9]|\Z)", lock, re.MULTILINE | re.DOTALL)
    assert len(pins) > 50
    assert all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in lock


def test_ci_runs_every_check() -> None:
    """Lint, types, tests and a plain demo, from a clean checkout, stopping at the first failure."""
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    said = script.read_text()
    assert "set -euo pipefail" in said
    for step in ("step install", "step lint", "step types", "step test", "step demo ARGS=--plain"):
        assert step in said
