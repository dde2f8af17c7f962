"""Years of history into a worker: whoever is killed, the memories are those of one run, and nothing is said of it."""

from __future__ import annotations

import json
import os
import pty
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import asdict, replace

from decisioning import holds
from decisioning.engine import on_event, on_wake
from decisioning.errors import EventRejected
from decisioning.event import parse
from decisioning.instant import HOUR, format_instant, parse_instant
from decisioning.payload import TYPES
from decisioning.policy import Policy
from decisioning.state import State, loads
from decisioning.streaming import past
from decisioning.streaming.chassis.header import unpack
from decisioning.streaming.importer import Plain, Source
from tests.streaming.history import history, products
from tests.streaming.live import Live, policy, until
from tests.streaming.records import event
from tests.streaming.test_standing import in_memory, on_topic

EVENTS, CUSTOMERS, PARTITIONS = 6000, 200, 8
_TIMES: Final = re.compile(rb'"(\d{4}-\d\d-\d\dT[^"]*Z)"')
_NOT_HERE: Final = {
    "contact.requested",
    "contact.withdrawn",
    "identity.linked",
    "customer.merged",
}  # moves: test_history
OFFER: Final = {"action": "sale", "class": "marketing", "channels": ["email", "sms"], "sku": "SKU-7", "price": "9.00"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Live]:
    """A broker that holds all that half a year brings about."""
    with Live(tmp_path, PARTITIONS) as running:
        yield running


def run(live: Live, *arguments: str, folder: Path, stdin: bytes = b"", **more: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `decisioning import`."""
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", "import", *arguments],
        env=live.environment(clock="wall", **more) | _HERE, input=stdin, capture_output=True, timeout=120, check=False,
        cwd=folder,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), done.stderr.decode()


_HERE: Final = {"PYTHONPATH": str(Path(__file__).parents[2])}


def half_a_year(now: int) -> list[bytes]:
    """Products, then half a year of a shop up to an hour ago.

    An erasure is that of somebody of whom nothing else is told: what it empties depends on which of two topics came
    first, and the memories here are to be compared.
    """
    facts = [fact for fact in history(11, EVENTS, CUSTOMERS, PARTITIONS, days=180.0) if fact.value is not None]
    ahead = now - HOUR - max(fact.at for fact in facts)

    def later(found: re.Match[bytes]) -> bytes:
        return f'"{format_instant(parse_instant(found[1].decode()) + ahead)}"'.encode()

    lines = [fact.value or b"" for fact in products()]
    for fact in facts:
        line = _TIMES.sub(later, fact.value or b"")
        try:
            told = parse(line)
        except EventRejected:
            continue
        if told.type == "customer.erased":
            line = line.replace(b'"subject":"', b'"subject":"gone-')
        if told.type in TYPES and told.type not in _NOT_HERE:
            lines.append(line)
    return lines


def folded(rules: Policy, lines: list[bytes], now: int) -> dict[str, State]:
    """What one run of the pure engine remembers of each customer, one event after the other, its holds said."""
    states = dict[str, State]()
    for line in lines:
        told = parse(line)
        rules.catalogue.fold(told)
        if told.type != "product.described":
            step = on_event(rules, states.get(told.subject), told, now, say_at=now)
            assert all(one.reason == "dnc.erased" for one in step.outputs)
            states[told.subject] = step.state
    return {name: on_wake(rules, state, now + 1).state for name, state in states.items()}


def content(state: State) -> dict[str, Any]:
    """A memory without when it was made and in which order things were put beside each other.

    Nor which eight of the forgotten orders are watched for returns: a purchase and the cancellation of another come by
    two topics, in either order within a millisecond.
    """
    holds_ = sorted(
        str((one.reason, one.scope, one.until, sorted(one.facts), sorted(one.items))) for one in state.holds
    )
    plain = replace(state, now=0, seen=tuple((mark, 0) for mark, _ in state.seen), holds=())
    plain = replace(plain, orders=tuple(replace(order, left=None) for order in state.orders))
    told = {name: sorted(map(str, one)) if isinstance(one, tuple) else one for name, one in asdict(plain).items()}
    return told | {"holds": holds_}


def remembered(live: Live) -> dict[str, State]:
    """What the stores of the stopped worker hold."""
    found = {}
    for states in live.stored("w").values():
        for key, raw in states.items():
            header, body = unpack(raw)
            if not header.forgotten:
                found[key.decode()] = loads(body)
    return found


def standing(states: dict[str, State]) -> set[tuple[bytes, str, str | None]]:
    """Key, reason and end of every hold that stands."""
    return {
        (f"{name}|{scope}".encode(), one.reason, None if one.until is None else format_instant(one.until))
        for name, state in states.items()
        for scope, one in holds.standing(state.holds).items()
    }


def published(live: Live) -> set[tuple[bytes, str, str | None]]:
    """The same, as somebody who joins now reads the topic of holds."""
    stands = {one[0] for one in on_topic(live).values()}
    said = [(one.key or b"", json.loads(one.value)["data"]) for one in live.read("holds") if one.value is not None]
    return {(key, data["reason"], data.get("until")) for key, data in said if data["hold"] in stands}


def killed_amid(live: Live, whole: bytes, folder: Path) -> None:
    """An import that is killed after a checkpoint, while it waits for the second half of its input."""
    importing = subprocess.Popen(
        [sys.executable, "-m", "decisioning", "import", "--rate", "0", "--holds-after", "20s"],
        env=live.environment(clock="wall") | _HERE, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    assert importing.stdin is not None
    importing.stdin.write(whole[: len(whole) // 2])
    checkpoint = folder / "history.import.json"
    until(lambda: checkpoint.exists() and json.loads(checkpoint.read_bytes())["bytes"], what="a checkpoint")
    importing.kill()
    importing.wait()
    importing.stdin.close()
    assert 0 < json.loads(checkpoint.read_bytes())["bytes"] < len(whole) // 2


def test_half_a_year_with_kills_is_one_run(broker: Live, tmp_path: Path) -> None:
    """kill -9 of the import and of the worker amid it; then states, holds and the next answers are those of the pure
    engine, and nothing but holds was said."""
    now, rules = time.time_ns() // 1000, policy()
    lines = half_a_year(now)
    whole = b"\n".join(lines) + b"\n"
    worker = broker.worker(clock="wall").ready()
    killed_amid(broker, whole, tmp_path)
    until(lambda: len(broker.read("state-changelog")) > 50, what="the first memories")
    worker.kill()
    worker = broker.worker(clock="wall")
    code, out, err = run(broker, "--holds-after", "20s", stdin=whole, folder=tmp_path)
    assert (code, out.split(" events")[0]) == (0, f"imported {len(lines):,} lines, {len(lines):,}"), err
    assert "lines were imported before: going on after them" in err
    worker.kill()
    worker = broker.worker(clock="wall").ready()
    expected = folded(rules, lines, now)
    stands = standing(expected)
    assert len(stands) > 50
    until(lambda: published(broker) == stands, 90, "the holds that stand")
    broker.settle()
    assert worker.term() == 0, worker.output
    found = remembered(broker)
    assert found.keys() == expected.keys()
    for name, state in expected.items():
        assert content(found[name]) == content(state)
    assert on_topic(broker) == in_memory(broker)
    assert {one["type"] for one in broker.said()} == {"decision.hold"}
    broker.worker(clock="wall").ready()
    requests = [asks(name) for name in sorted(expected)]
    for name, request in zip(sorted(expected), requests, strict=True):
        broker.publish("contact-requests", request, name)
    broker.flush()
    demanded = {}
    for request in requests:
        told = parse(request)
        step = on_event(rules, expected[told.subject], told, told.time)
        demanded[told.subject] = [(one.outcome.value, one.reason) for one in step.outputs]
    until(lambda: len(answers(broker)) == len(demanded), 60, "an answer to each")
    assert answers(broker) == demanded
    reasons = {reason for [(_, reason)] in demanded.values()}
    assert {"consent.missing", "consent.withdrawn", "recent_purchase.same_category", "dnc.erased"} <= reasons


def asks(name: str) -> bytes:
    """An offer to a customer, now."""
    time_ = format_instant(time.time_ns() // 1000)
    return event("contact.requested", time_, of=name, id_=f"ask-{name}", request_id=f"r-{name}", candidates=[OFFER])


def answers(live: Live) -> dict[str, list[tuple[str, str]]]:
    """Outcome and reason of what was answered to each."""
    told = [one for one in live.said() if one["data"].get("request_id")]
    return {one["subject"]: [(one["data"]["outcome"], one["data"]["reason"])] for one in told}


@pytest.fixture(scope="module")
def quiet_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A broker with every topic and no worker."""
    with Live(tmp_path_factory.mktemp("import"), 4) as running:
        yield running


def grant(number: int) -> bytes:
    """One good line."""
    return event("consent.granted", "2025-03-02T10:00:00Z", of="c-9", id_=f"g-{number}", purpose="marketing")


REQUEST: Final = event("contact.requested", id_="r", request_id="r", candidates=[OFFER])
MIXED: Final = b"\n".join([grant(1), b"", b'{"name": "Ada"', grant(2), REQUEST, event("consent.grant"), grant(3), b""])


def mine(live: Live) -> list[bytes | None]:
    """What came of c-9's history, and that it is marked."""
    found = [one for one in live.read("customers") if one.key == b"c-9"]
    assert all(past.quiet_of(one.headers) is not None for one in found)
    return [one.value for one in found]


def test_what_is_refused_is_said_kept_and_exit_1(quiet_broker: Live, tmp_path: Path) -> None:
    """Bad lines and requests: line, fault and remedy; the lines for repair, for their owner alone; the rest goes out,
    and going on says nothing twice."""
    code, out, err = run(quiet_broker, stdin=MIXED, folder=tmp_path)
    assert code == 1
    assert [line.split(":")[:2] for line in err.splitlines()] == [
        ["line 3", " not_json"],
        ["line 5", " wrong_type"],
        ["line 6", " wrong_type"],
    ]
    assert "nothing is asked about the past" in err
    assert "did you mean `consent.granted`" in err
    assert "Ada" not in err
    assert out.splitlines()[:2] == [
        "imported 6 lines, 3 events: customers 3",
        "refused 3: history.refused.jsonl holds them for repair, history.refused.txt says why",
    ]
    kept = tmp_path / "history.refused.jsonl"
    assert kept.read_bytes().splitlines() == [MIXED.splitlines()[place] for place in (2, 4, 5)]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert (tmp_path / "history.refused.txt").read_text() == err
    assert mine(quiet_broker) == [grant(1), grant(2), grant(3)]
    code, out, err = run(quiet_broker, stdin=MIXED + grant(4), folder=tmp_path)
    assert (code, err) == (1, "7 lines were imported before: going on after them\n")
    assert out.startswith("imported 7 lines, 4 events")
    assert mine(quiet_broker) == [grant(number) for number in (1, 2, 3, 4)]


def test_another_input_is_not_taken_for_the_same(quiet_broker: Live, tmp_path: Path) -> None:
    """Shorter or other bytes before the checkpoint: nothing is sent, and the line says what to do; --again does."""
    before = len(quiet_broker.read("orders"))
    order = event("order.placed", "2025-03-02T10:00:00Z", order_id="o-1")
    assert run(quiet_broker, "--name", "a", stdin=order + b"\n" + order, folder=tmp_path)[0] == 0
    for other in (order, order.replace(b"o-1", b"o-2") + b"\n" + order):
        code, _, err = run(quiet_broker, "--name", "a", stdin=other, folder=tmp_path)
        assert (code, "--again" in err, len(err.splitlines())) == (1, True, 1)
    assert len(quiet_broker.read("orders")) == before + 2
    assert run(quiet_broker, "--name", "a", "--again", stdin=order, folder=tmp_path)[0] == 0
    assert len(quiet_broker.read("orders")) == before + 3


def test_check_reads_all_and_leaves_nothing(quiet_broker: Live, tmp_path: Path) -> None:
    """No broker, no file."""
    code, out, err = run(quiet_broker, "--check", stdin=MIXED, folder=tmp_path, kafka="127.0.0.1:1")
    assert (code, out) == (1, "checked 6 lines, 3 events: customers 3\nrefused 3\n")
    assert len(err.splitlines()) == 3
    code, out, err = run(quiet_broker, "--check", stdin=b"\n", folder=tmp_path, kafka="127.0.0.1:1")
    assert (code, out, err) == (0, "checked 0 lines, 0 events\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_line_without_an_end_is_not_held(quiet_broker: Live, tmp_path: Path) -> None:
    """One JSON array of years on one line is refused by its length, and the next line is read."""
    whole = b"[" + b" " * 3_000_000 + b"]\n" + grant(7)
    code, out, err = run(quiet_broker, "--name", "long", stdin=whole, folder=tmp_path)
    assert (code, out.splitlines()[0]) == (1, "imported 2 lines, 1 event: customers 1")
    assert err.startswith("line 1: too_large")
    assert (tmp_path / "long.refused.jsonl").read_bytes() == b""
    assert json.loads((tmp_path / "long.import.json").read_bytes())["bytes"] == len(whole)


def test_a_broker_that_is_not_there_is_exit_3(quiet_broker: Live, tmp_path: Path) -> None:
    """One line; nothing counts as imported."""
    code, out, err = run(quiet_broker, stdin=grant(1), folder=tmp_path, kafka="127.0.0.1:1")
    assert (code, out, len(err.splitlines())) == (3, "", 1)
    assert not (tmp_path / "history.import.json").exists()


def test_a_place_where_we_may_not_write_is_said_before_anything_is_sent(quiet_broker: Live, tmp_path: Path) -> None:
    """One line that says what to do; exit 3."""
    before = len(quiet_broker.read("customers"))
    code, out, err = run(quiet_broker, "--name", str(tmp_path / "no" / "h"), stdin=grant(8), folder=tmp_path)
    assert (code, out, len(err.splitlines())) == (3, "", 1)
    assert "--name" in err
    assert len(quiet_broker.read("customers")) == before


def test_a_terminal_has_a_bar(quiet_broker: Live, tmp_path: Path) -> None:
    """On standard error, and gone at the end; elsewhere there are plain lines."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "decisioning", "import", "--check"],
        env=quiet_broker.environment(clock="wall") | _HERE | {"TERM": "xterm", "COLUMNS": "100"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs, cwd=tmp_path,
    )  # fmt: skip
    os.close(theirs)
    out, _ = done.communicate(grant(1) + b"\n", timeout=60)
    drawn = b""
    while got := _drained(ours):
        drawn += got
    os.close(ours)
    assert b"1 sent, 0 refused" in drawn
    assert out == b"checked 1 line, 1 event: customers 1\n"


def _drained(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # whoever wrote there has ended
        return b""


def test_plain_lines_come_now_and_then(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Line, share, counts and pace."""
    path = tmp_path / "h"
    path.write_bytes(grant(1) + b"\n" + grant(2))
    with path.open("rb") as file:
        source = Source(file, 1000)
        assert [[line.number for line in batch] for batch in source.batches()] == [[1, 2]]
        shows = Plain(every=0.0)
        shows.at(source, 1, 1)
        Plain().at(source, 1, 1)
    assert re.fullmatch(r"line 2 \(100 %\): 1 sent, 1 refused, [\d,]+/s\n", capsys.readouterr().err)
