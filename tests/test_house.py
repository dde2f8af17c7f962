"""The house rules, checked by a machine: who may import whom, how large a room may be, what has a name and a test."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import decisioning
from decisioning.streaming.configuration import env_example

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "decisioning"
MODULES = sorted(PACKAGE.rglob("*.py"))

# In walking order: a room may import only what stands above it. A folder is one room; its rows have their own order.
CORE = [
    "errors",
    "instant",
    "zones",
    "window",
    "payload",
    "event",
    "catalogue",
    "decision",
    "inbox",
    "reasons",
    "state.order",
    "state.model",
    "state.codec",
    "state.memory",
    "state.orders",
    "state.purchases",
    "state.cases",
    "state.consents",
    "state.people",
    "state.replies",
    "state.fold",
    "state.allowed",
    "state.unite",
    "state",
    "state.merge",
    "shape",
    "suppress.base",
    "syntax",
    "mistakes",
    "condition",
    "vocabulary",
    "facts",
    "actions",
    "suppress.*",
    "suppress",
    "stops",
    "document",
    "language",
    "rulebook",
    "lint",
    "policy",
    "judge",
    "rank",
    "make_good",
    "recall",
    "answers",
    "holds",
    "triggers",
    "moves",
    "engine",
    "replay",
    "audit",
    "cases.model",
    "cases.words",
    "cases.script",
    "cases.trial",
    "cases.report",
    "cases",
    "mutate",
    "explain",
    "context",
    "schemas",
    "guide",
    "",
]
SHELL = [
    "streaming.chassis.*",
    "streaming.settings",
    "streaming.shipped",
    "streaming.reach",
    "streaming.topics",
    "streaming.preflight",
    "streaming.erasure",
    "streaming.adopt",
    "streaming.dead_letter",
    "streaming.past",
    "streaming.asyncapi",
    "streaming.admit",
    "streaming.logs",
    "streaming.metrics",
    "streaming.vitals",
    "streaming.http",
    "streaming.broadcast",
    "streaming.broker",
    "streaming.relay",
    "streaming.store",
    "streaming.channel",
    "streaming.send",
    "streaming.ledger",
    "streaming.importer",
    "streaming.follow",
    "streaming.letters",
    "streaming.acls",
    "streaming.strimzi",
    "streaming.permissions",
    "streaming.configuration",
    "streaming.watch",
    "streaming.labels",
    "streaming.rulebooks",
    "streaming.checkup",
    "streaming.stopping",
    "streaming.letterbox",
    "streaming.operate",
    "streaming.auditor",
    "streaming.worker",
    "streaming.tracing",
    "streaming.api.*",
    "streaming.api",
    "streaming.app",
    "streaming.demo.*",
    "streaming.demo",
    "streaming.bench.stages",
    "streaming.bench.growth",
    "streaming.bench",
    "desk",
    "wire",
    "oncall",
    "__main__",
]
BEHIND_THE_WALL = {
    "faust", "mode", "aiokafka", "aiohttp", "rocksdict", "prometheus_client", "structlog", "confluent_kafka", "uvloop",
    "rich", "opentelemetry",
    "os", "time", "random", "secrets", "logging", "io", "socket", "pathlib", "asyncio", "threading", "subprocess",
    "tempfile", "shutil", "signal", "sqlite3", "urllib", "http", "ctypes", "datetime.now",
}  # fmt: skip
CUSTOMER_WORDS = re.compile(
    r"\b(customers?|consents?|offers?|marketing|rulebooks?|suppress\w*|quiet|cooldown|frequency|campaigns?)\b", re.I
)


def name_of(path: Path) -> str:
    """The module's name below `decisioning`, "" for the package itself."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file names in an import anywhere in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import by the full name"
            module = node.module or ""
            for alias in node.names:
                inner = PACKAGE.joinpath(*module.split(".")[1:], alias.name)
                is_module = module.startswith("decisioning") and (inner.with_suffix(".py").exists() or inner.is_dir())
                yield (f"{module}.{alias.name}" if is_module else module), node.lineno


def room(name: str, order: list[str]) -> int | None:
    """The place of a module in an order: its own row, else its folder's."""
    if name in order:
        return order.index(name)
    folder = name
    while "." in folder:
        folder = folder.rpartition(".")[0]
        if f"{folder}.*" in order:
            return order.index(f"{folder}.*")
    return None


def test_every_import_points_up_the_corridor() -> None:
    """A room imports only rooms above it, so that nothing has to be understood twice."""
    order, wrong = CORE + SHELL, []
    for path in MODULES:
        here = room(name_of(path), order)
        if name_of(path) in ("streaming", "streaming.chassis", "streaming.demo"):
            continue
        assert here is not None, f"{name_of(path)} has no place in the corridor: add it to CORE or SHELL"
        for module, line in imports(path):
            if module.split(".")[0] != "decisioning":
                continue
            there = room(module.removeprefix("decisioning").lstrip("."), order)
            same_room = there == here and order[here].endswith("*")
            if there is None or not (there < here or same_room):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_the_core_knows_no_machine() -> None:
    """Clock, environment, chance, I/O and loggers are imported only behind the wall."""
    wrong = []
    for path in MODULES:
        name = name_of(path)
        if name.startswith("streaming") or name in ("__main__", "desk", "wire"):
            continue
        for module, line in imports(path):
            if {module, module.split(".")[0]} & BEHIND_THE_WALL:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
        wrong += [
            f"{path.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node.func)}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "print", "input", "datetime.now")
        ]
    assert not wrong, "\n".join(wrong)


def test_the_chassis_knows_no_customer() -> None:
    """Another Faust project could lift the chassis out: it imports nothing of ours and speaks of keys and records."""
    wrong = []
    for path in sorted((PACKAGE / "streaming" / "chassis").glob("*.py")):
        for module, line in imports(path):
            if module.startswith("decisioning") and not module.startswith("decisioning.streaming.chassis"):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
        for number, text in enumerate(path.read_text().splitlines(), 1):
            if CUSTOMER_WORDS.search(text):
                wrong.append(f"{path.relative_to(ROOT)}:{number} says {text.strip()!r}")
    assert not wrong, "\n".join(wrong)


def test_the_shell_decides_nothing() -> None:
    """No consent, cap or quiet hour is named outside the core: the shell moves bytes."""
    words = re.compile(r"\b(consents?|frequency_caps?|cooldown|unsubscribed)\b", re.I)
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((PACKAGE / "streaming").glob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if words.search(line) and not line.lstrip().startswith(('"""', "#", "Topic("))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: name_of(path) or "decisioning")
def test_rooms_are_small_and_named(path: Path) -> None:
    """A file has at most 400 lines, a function at most 60; every public name says what it answers."""
    text = path.read_text()
    assert text.count("\n") <= 400, "more than 400 lines: make it a folder with the same public names"
    tree = ast.parse(text)
    if text.strip():
        assert ast.get_docstring(tree), "the module says nothing about itself"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} has more than 60 lines"
    owners: list[ast.Module | ast.ClassDef] = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    for owner in owners:
        for node in owner.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
                private = isinstance(owner, ast.ClassDef) and owner.name.startswith("_")
                assert private or ast.get_docstring(node), f"{node.name} has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: name_of(path) or "decisioning")
def test_every_module_has_its_test_file(path: Path) -> None:
    """`decisioning/a/b.py` is tested by `tests/a/test_b.py`."""
    if not path.read_text().strip() or name_of(path) in ("", "streaming", "streaming.chassis", "streaming.demo.sample"):
        pytest.skip("a door without a room of its own")
    relative = path.relative_to(PACKAGE)
    stem = "init" if relative.stem == "__init__" else relative.stem.strip("_")
    expected = ROOT / "tests" / relative.parent / f"test_{stem}.py"
    assert expected.exists(), f"{expected.relative_to(ROOT)} is missing"


def test_the_public_names() -> None:
    """What embedders may rely on; a change here is a change of contract."""
    assert sorted(decisioning.__all__) == sorted(
        [
            "Catalogue",
            "Decision",
            "Event",
            "Inbox",
            "Outcome",
            "Policy",
            "Rulebook",
            "State",
            "Step",
            "on_event",
            "on_wake",
            "parse",
        ]
    )


def test_the_environment_example_is_fresh() -> None:
    """`deploy/env.example` is what the settings generate."""
    assert (ROOT / "deploy" / "env.example").read_text() == env_example()


def test_the_readme_example_runs() -> None:
    """The README's Python example runs as it stands and prints what the README says."""
    text = (ROOT / "README.md").read_text()
    found = re.search(r"```python\n(.*?)```\s*prints\s*```text\n(.*?)```", text, re.S)
    assert found, "the README has no python example followed by `prints` and its output"
    done = subprocess.run(
        [sys.executable, "-c", found[1]], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, found[2]), done.stderr
