"""The core knows no clock, environment, chance, I/O or logger: same inputs, same bytes, in any process."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from decisioning.decision import dumps
from decisioning.instant import format_instant
from decisioning.state import dumps as dumps_state
from tests.builders import (
    RETAIL,
    Story,
    asked,
    bought,
    erased,
    granted,
    lives,
    offer,
    prefers,
    product,
    returned,
    window,
    withdrawn,
)

PACKAGE = Path(__file__).parent.parent / "decisioning"
CORE = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if "streaming" not in path.relative_to(PACKAGE).parts
    and path.name not in ("__main__.py", "desk.py", "wire.py", "oncall.py")
)

# What a pure module may use: values, types, texts and arithmetic, nothing that could look outside.
ALLOWED = {
    *["__future__", "abc", "collections", "collections.abc", "enum", "functools", "itertools", "typing"],
    *["base64", "binascii", "bisect", "decimal", "difflib", "hashlib", "heapq", "math", "re"],
    "datetime",  # dates and offsets; its readings of the clock are refused below
    "uuid",  # version 5 only, a hash; versions 1 and 4 are refused below
    *["msgspec", "msgspec.structs", "pydantic"],
    *[
        "ruamel.yaml",
        "ruamel.yaml.constructor",
        "ruamel.yaml.error",
        "ruamel.yaml.events",
    ],  # parses a text that it is given
}
# Where one module needs more than all may: the tables of a pinned dependency are as constant as code.
ALSO = {
    "__init__.py": {"importlib"},  # opens its own rooms when they are asked for
    "zones.py": {"importlib", "importlib.resources", "zoneinfo"},
    "condition.py": {"cel_expr_python"},  # evaluates a text over values that it is given; zones and loops are bound
    "suppress/ineligible.py": {"pydantic_core", "pydantic.json_schema"},
    "state/codec.py": {"zstandard"},  # bytes in, bytes out; no level of it asks for threads
    "vocabulary.py": {"types"},
    "suppress/blackout.py": {"holidays"},  # calendars computed from rules, asked for when a rulebook names a country
}
BUILT_IN = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint", "id", "hash"}
MAY_CALL = {"judge.py": {"id"}}  # a key of what one judge remembers within one step; it reaches no output and no order
READS_THE_CLOCK = {"now", "utcnow", "today", "uuid1", "uuid4"}


def imported(tree: ast.AST) -> set[str]:
    """Every module outside the package that is named in an import anywhere in a file."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def called(tree: ast.AST) -> tuple[set[str], set[str]]:
    """What a file calls by a bare name, and what it calls as somebody's method."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    bare = {function.id for function in calls if isinstance(function, ast.Name)}
    return bare, {function.attr for function in calls if isinstance(function, ast.Attribute)}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_of_the_core_imports_nothing_that_could_look_outside(path: Path) -> None:
    """Only what is listed; within the package only the core, so that nothing comes in by a detour."""
    outside = set()
    for name in imported(ast.parse(path.read_text())):
        if name.split(".")[0] == "decisioning":
            assert "streaming" not in name
            assert "__main__" not in name
        else:
            outside.add(name)
    assert outside <= ALLOWED | ALSO.get(path.relative_to(PACKAGE).as_posix(), set())


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_of_the_core_reads_no_clock_no_chance_and_no_file(path: Path) -> None:
    """Nor the order that a hash of this process gives: `hash` and `id` differ from run to run."""
    bare, methods = called(ast.parse(path.read_text()))
    assert bare & (BUILT_IN | READS_THE_CLOCK) <= MAY_CALL.get(path.name, set())
    assert not methods & READS_THE_CLOCK


def test_importing_the_core_brings_in_nothing_of_the_shell() -> None:
    """What an embedder imports needs no Kafka, no Faust, no RocksDB and no event loop."""
    shell = [
        "faust",
        "mode",
        "aiokafka",
        "rocksdict",
        "prometheus_client",
        "confluent_kafka",
        "uvloop",
        "typer",
        "rich",
    ]
    code = f"import sys, decisioning, decisioning.replay; print([name for name in {shell} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


CHANNELS = ["sms", "email", "push", "letter", "call", "app", "chat", "fax"]  # more than the customer likes or refuses


def history() -> bytes:
    """A page of events that touches every list and set that a decision or a memory is made of."""
    story = Story()
    skus = ["A", "B", "C", "D", "E", "F"]
    for sku in skus:
        others = [other for other in skus if other != sku]
        story.at("2026-03-01 09:00", product(sku, f"k-{sku}", substitutes=others[:3], complements=others[3:]))
    story.at(
        "2026-03-01 09:00", lives(name="Ada", country="PT"), granted(), granted("survey", on=["sms", "push", "email"])
    )
    story.at("2026-03-01 09:01", prefers(channels=["push", "sms"], needs=["x", "y", "z"], topics_off=["t", "s", "r"]))
    story.at("2026-03-01 09:02", prefers(contact_windows=[window("mon tue wed thu fri sat sun", "07:00", "23:00")]))
    story.at("2026-03-02 10:15", bought(*skus, quantity=2), returned("A"), returned("B", 2))
    for day in range(3, 9):
        offers = [offer(f"a-{sku}", sku=sku, on=CHANNELS, value=day) for sku in skus]
        help_ = offer("help", kind="service", on=["sms", "email"])
        story.at(f"2026-03-{day:02} 10:15", asked(*offers, offer("q", kind="survey"), help_), asked(*offers))
        story.at(f"2026-03-{day:02} 23:15", asked(offer("late", on=CHANNELS)), withdrawn(on=[f"x-{day}", "sms"]))
    story.at("2026-03-09 10:15", asked(offer("last", kind="service")), erased(), bought("A", order="o-2"))
    return b"".join(as_line(one.type, one.time, one.id, one.subject, one.data) for one in story.events)


def as_line(type_: str, time: int, id_: str, subject: str, data: object) -> bytes:
    """One event as it stands in a file."""
    envelope = {"specversion": "1.0", "id": id_, "source": "/shop", "type": type_, "time": format_instant(time)}
    return msgspec.json.encode({**envelope, "subject": subject, "data": data}) + b"\n"


IN_A_PROCESS = """
import sys
from decisioning import decision, event, policy, catalogue, replay, rulebook, state
run = replay.Replay(policy.Policy(rulebook.parse(open(sys.argv[1], "rb").read(), "r"), catalogue.Catalogue()))
out = sys.stdout.buffer
for line in sys.stdin.buffer:
    for told in run.feed(event.parse(line)):
        out.write(decision.dumps(told) + b"\\n")
    for subject in sorted(run.states):
        out.write(state.dumps(run.states[subject]) + b"\\n")
for told in run.finish():
    out.write(decision.dumps(told) + b"\\n")
"""


def test_same_inputs_same_bytes_in_another_process_with_another_hash_seed() -> None:
    """Decisions and memories after every event: nothing depends on the order of a set or on the process."""
    events = history()
    outputs = []
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo" if seed == "1" else "UTC"}
        command = [sys.executable, "-c", IN_A_PROCESS, str(RETAIL)]
        outputs.append(
            subprocess.run(command, input=events, env=environment, capture_output=True, timeout=60, check=True).stdout
        )
    assert len(outputs[0].splitlines()) > 60
    assert outputs[0] == outputs[1] == outputs[2]


def test_the_engine_changes_nothing_that_it_is_given(story: Story) -> None:
    """A state handed in is the same afterwards, so that a step can be thrown away and asked for again."""
    before = dumps_state(story.state)
    kept = story.state
    first = [dumps(one) for one in story.at("2026-03-02 10:15", asked().named("e-x"))]
    assert dumps_state(kept) == before
    story.run.states[kept.subject] = kept
    assert [dumps(one) for one in story.at("2026-03-02 10:15", asked(request="r-4").named("e-x"))] == first
    assert json.loads(first[0])["type"] == "decision.act"
