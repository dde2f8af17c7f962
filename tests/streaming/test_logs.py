"""Log lines: one chain for all, JSON that machines read, no customer and no payload in clear."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from decisioning.streaming import logs
from decisioning.streaming.chassis import watchdog
from tests.streaming.live import Live, until
from tests.streaming.records import event

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
IDS = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"}
CANARY = "c-canary-ada"


class Said:
    """What goes to stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.text = ""

    def getvalue(self) -> str:
        """All of it until now."""
        self.text += self._capsys.readouterr().err
        return self.text


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Iterator[Said]:
    """What goes to stderr; the logging of the test run itself is put back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, [(name, logging.getLogger(name).propagate) for name in logs._LOUD]
    yield Said(capsys)
    root.handlers[:], root.level = before[:2]
    for name, propagate in before[2]:
        logging.getLogger(name).propagate = propagate
    watchdog.speak(lambda level, line: line)
    structlog.reset_defaults()


def lines(written: Said) -> list[dict[str, Any]]:
    """Every line, read as JSON."""
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_ours_and_others_and_last_words_pass_one_chain(said: Said) -> None:
    """Time, level, who and what come first in each line, whoever says it and however."""
    logs.configure("json", "k")
    structlog.stdlib.get_logger("ours").warning("dead letter", code="not_json", offset=5)
    logging.getLogger("aiokafka.conn").warning("broker %s is gone", 1)
    watchdog.say("ready")
    found = lines(said)
    assert [list(line)[:4] for line in found] == [["timestamp", "level", "logger", "message"]] * 3
    assert [(line["level"], line["logger"], line["message"]) for line in found] == [
        ("warning", "ours", "dead letter"),
        ("warning", "aiokafka.conn", "broker 1 is gone"),
        ("info", "decisioning", "ready"),
    ]
    assert found[0]["code"] == "not_json"
    assert all(line["timestamp"].endswith("Z") for line in found)


def test_a_trace_is_copied_and_nothing_made_up(said: Said) -> None:
    """`traceparent` becomes the two ids that trace tools look for; what is none is left out."""
    logs.configure("json", "k")
    for given in (TRACE, "rubbish", None):
        structlog.stdlib.get_logger("ours").info("decision", traceparent=given)
    first, *others = lines(said)
    assert IDS.items() <= first.items()
    for line in others:
        assert not line.keys() & {"trace_id", "span_id", "traceparent"}
    assert logs.trace_of([("x", b"y"), ("traceparent", TRACE.encode())]) == TRACE
    assert logs.trace_of([("ce_traceparent", TRACE.encode())]) == TRACE
    assert logs.trace_of([]) is None


def test_a_customer_is_a_keyed_hash_whatever_it_was_called(said: Said) -> None:
    """Alike for one customer and one key, other for another key; text and bytes are the same customer."""
    logs.configure("json", "k")
    log = structlog.stdlib.get_logger("ours")
    log.info("one", customer=CANARY)
    log.info("two", key=CANARY.encode())
    log.info("three", subject="c-2")
    first, second, third = lines(said)
    assert first["customer"] == second["customer"] != third["customer"]
    assert len(first["customer"]) == 16
    assert CANARY not in said.getvalue()
    assert logs.Hidden("k").of(CANARY) == first["customer"] != logs.Hidden("other").of(CANARY)


def test_an_error_says_its_kind_and_place_only(said: Said) -> None:
    """Its words may quote what was being read; so may a value that is no plain one."""
    logs.configure("json", "k")
    try:
        int(CANARY)
    except ValueError as error:
        logging.getLogger("faust").exception("failed")
        structlog.stdlib.get_logger("ours").error("failed", exc_info=error)
    structlog.stdlib.get_logger("ours").info("state", what=Path(CANARY))
    found = lines(said)
    assert all(line["error"].startswith("ValueError at test_logs.py:") for line in found[:2])
    assert found[2]["what"] == "PosixPath"
    assert CANARY not in said.getvalue()


def test_at_a_terminal_a_line_is_what_it_says(said: Said) -> None:
    """Text for people: our own lines, plain; aiokafka's second opinion stays away."""
    logs.configure("text", None)
    watchdog.say("ready")
    structlog.stdlib.get_logger("ours").warning("dead letter", code="not_json", customer=CANARY)
    logging.getLogger("aiokafka.conn").error("refused")
    ready, letter = said.getvalue().splitlines()
    assert ready == "ready"
    assert letter.startswith("dead letter code=not_json customer=")
    assert CANARY not in letter


def test_auto_is_json_unless_a_person_looks(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container has no terminal."""
    logs.configure("auto", None)
    watchdog.say("ready")
    assert lines(said)[0]["message"] == "ready"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    logs.configure("auto", None)
    watchdog.say("steady")
    assert said.getvalue().splitlines()[-1] == "steady"


def test_a_flood_of_bad_records_is_no_flood_of_lines(said: Said) -> None:
    """Ten a second, and then how many there were beside them."""
    logs.configure("json", "k")
    now = [0.0]
    sparing = logs.Sparing("ours", clock=lambda: now[0])
    for number in range(1000):
        sparing.warning("dead letter", offset=number)
    now[0] = 1.5
    sparing.warning("dead letter", offset=1000)
    found = lines(said)
    assert [line.get("offset") for line in found] == [*range(10), None, 1000]
    assert found[10]["count"] == 990


def test_a_flood_of_aiokafkas_is_no_flood_of_lines(said: Said) -> None:
    """Of each kind one in ten seconds, and then how many there were beside it; ours are all said."""
    logs.configure("json", "k")
    now = [0.0]
    (handler,) = logging.getLogger().handlers
    handler.filters[:] = [logs.Rationed("aiokafka", clock=lambda: now[0])]
    theirs, ours = logging.getLogger("aiokafka.conn"), logging.getLogger("aiokafkas")
    for number in range(200):
        theirs.error("no node %s", number)
        ours.error("unlike")
    theirs.warning("no node %s", 0)
    now[0] = 9.9
    theirs.error("no node %s", 200)
    now[0] = 10.0
    ours.error("again")
    theirs.error("no node %s", 201)
    found = lines(said)
    assert [line["message"] for line in found if line["message"] != "unlike"] == [
        "no node 0", "no node 0", "more lines like these were left out", "again", "no node 201",
    ]  # fmt: skip
    assert len(found) == 200 + 5
    assert (found[-3]["of"], found[-3]["count"]) == ("aiokafka.conn", 200)


def test_a_configured_process_rations_aiokafka(said: Said) -> None:
    """And nobody else."""
    logs.configure("json", "k")
    for name in ("aiokafka.conn", "faust", "decisioning.streaming.letters"):
        for _ in range(3):
            logging.getLogger(name).error("gone")
    assert [line["logger"] for line in lines(said)] == [
        "aiokafka.conn", *["faust"] * 3, *["decisioning.streaming.letters"] * 3,
    ]  # fmt: skip


def test_a_dying_process_speaks_json_too() -> None:
    """The last line of a crash passes the chain without a logger: whoever holds its lock cannot keep it back."""
    program = (
        "import logging\n"
        "from decisioning.streaming import logs\n"
        "from decisioning.streaming.chassis.watchdog import crash\n"
        "logs.configure('json', None)\n"
        "logging.getLogger().handlers[0].acquire()\n"
        "import threading\n"
        "threading.Thread(target=crash, args=(75, 'nothing was finished')).start()\n"
        "threading.Event().wait(20)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    line = json.loads(ended.stderr)
    assert (ended.returncode, line["level"], line["message"]) == (75, "critical", "crash 75: nothing was finished")


def test_a_worker_says_every_line_as_json_and_no_customer(tmp_path: Path) -> None:
    """From the address to the end: decisions with their trace, dead letters with theirs, the customer as a hash."""
    with Live(tmp_path) as broker:
        worker = broker.worker(log_format="json", log_decisions="true", log_key="k")
        until(lambda: worker.page("/readyz")[0] == 200, what="/readyz")
        offer = {"action": "sale", "class": "marketing", "channels": ["email"]}
        asked = json.loads(event("contact.requested", of=CANARY, request_id="r-1", candidates=[offer]))
        broker.publish("contact-requests", json.dumps({**asked, "traceparent": TRACE}).encode(), CANARY)
        broker.publish("customers", b'{"half": "' + CANARY.encode(), CANARY, headers=[("traceparent", TRACE.encode())])
        broker.flush()
        until(lambda: broker.distinct() == 1 and broker.read("dead-letters"), what="an answer and a dead letter")
        assert worker.term() == 0, worker.output
        found = {line["message"]: line for line in map(json.loads, worker.output.splitlines())}
    assert IDS.items() <= found["decision"].items()
    assert found["decision"]["customer"] == logs.Hidden("k").of(CANARY)
    assert (found["decision"]["outcome"], found["decision"]["reason"]) == ("suppress", "consent.missing")
    assert IDS.items() <= found["dead letter"].items()
    assert (found["dead letter"]["code"], found["dead letter"]["topic"]) == ("not_json", "customers")
    assert CANARY not in worker.output
    assert "ready" in found
    assert "[^" not in worker.output, "Faust's services tell of themselves"
