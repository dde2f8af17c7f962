"""The README's five minutes to a new suppressor, followed to the letter on a copy of the tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SECTION = "## Add a suppressor in five minutes"
REST = "rules/examples/rest.yaml"
BOUND = 120


def steps() -> list[tuple[str, str, str]]:
    """Path, kind and text of each block of the section: the paths are those that the step before it names."""
    text = (ROOT / "README.md").read_text()
    assert SECTION in text
    section = text.partition(SECTION)[2].partition("\n## ")[0]
    found: list[tuple[str, str, str]] = []
    for step in re.split(r"^(?=\*\*\d\. )", section, flags=re.M):
        paths = re.findall(r"`([\w/.]+\.(?:py|yaml))`", step.partition("```")[0])
        blocks = re.findall(r"```(python|yaml|diff)\n(.*?)```", step, re.S)
        for place, (kind, block) in enumerate(blocks):
            found.append((paths[min(place, len(paths) - 1)], kind, block))
    return found


def patched(text: str, diff: str) -> str:
    """A text with the `+` lines of a diff after the lines that stand before them there."""
    before = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line.startswith(" "))
    added = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line.startswith("+"))
    assert text.count(before) == 1, f"{before!r} stands {text.count(before)} times in the file"
    return text.replace(before, before + added)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tree with the new suppressor, and all that is generated written anew."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("decisioning", "rules", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy / name)
    for path, kind, block in steps():
        target = copy / path
        assert target.exists() is (kind == "diff"), f"{path} is {'missing' if kind == 'diff' else 'there already'}"
        target.write_text(patched(target.read_text(), block) if kind == "diff" else block)
    ran(copy, "-m", "decisioning", "schema", "rulebook", "cases", "--write", "rules/schema")
    ran(copy, "-m", "decisioning", "schema", "event", "decision", "asyncapi", "--write", "contract")
    ran(copy, "-m", "decisioning", "tables", "rules/README.md")
    yield copy
    shutil.rmtree(copy)


def ran(copy: Path, *arguments: str) -> str:
    """What a command of the copy says; it must succeed."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, capture_output=True, text=True, timeout=BOUND, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_one_file_one_line_one_reason_and_its_cases() -> None:
    """No other file of the code is touched."""
    changed = {path for path, _, _ in steps() if path.startswith("decisioning/")}
    assert changed == {
        "decisioning/suppress/rest_day.py",
        "decisioning/suppress/__init__.py",
        "decisioning/reasons.py",
    }
    in_order = [block for path, _, block in steps() if path.endswith("__init__.py")]
    assert [len(re.findall(r"^\+", block, re.M)) for block in in_order] == [1, 1]


def test_its_case_holds_and_every_change_of_it_is_noticed(copy: Path) -> None:
    """The rulebook knows the section at once, check and cases speak of it."""
    assert "no faults" in ran(copy, "-m", "decisioning", "check", "rules/examples/rest.yaml")
    assert re.search(r"[1-9]\d* changes, [1-9]\d* noticed, 0 not", ran(copy, "-m", "decisioning", "mutate", REST))


def test_schema_tables_and_metric_labels_follow(copy: Path) -> None:
    """Nobody wrote its name there."""
    assert '"rest_day"' in (copy / "rules" / "schema" / "rulebook.json").read_text()
    page = (copy / "rules" / "README.md").read_text()
    assert "| `rest_day` | Asks to wait until the day of rest is over, or refuses. | marketing |" in page
    assert "| `quiet_hours.rest_day` | It is a day of rest where the customer is. |" in page
    labels = ran(
        copy,
        "-c",
        "from pathlib import Path\n"
        "from decisioning import Catalogue, Policy, rulebook\n"
        "from decisioning.streaming.labels import possible\n"
        f"book = rulebook.parse(Path({REST!r}).read_bytes(), 'r.yaml')\n"
        "for one in possible(Policy(book, Catalogue())): print(*one)\n",
    )
    for outcome in ("defer", "suppress", "recall"):
        assert f"{outcome} marketing quiet_hours.rest_day" in labels.splitlines()


@pytest.mark.long
def test_the_house_is_in_order(copy: Path) -> None:
    """Its own tests, the house rules, the tables and schemas, the reasons: all hold in the copy."""
    house = ["test_every_import_points_up_the_corridor", "test_the_core_knows_no_machine"]
    house += [
        f"{name}[suppress.rest_day]"
        for name in ("test_rooms_are_small_and_named", "test_every_module_has_its_test_file")
    ]
    files = ["suppress/test_rest_day.py", "suppress/test_init.py", "test_reasons.py", "cases/test_init.py"]
    files += [f"test_house.py::{name}" for name in house]
    files += ["test_schemas.py::test_the_files_are_fresh", "test_guide.py::test_the_tables_are_fresh"]
    told = ran(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/{file}" for file in files))
    assert " passed" in told
