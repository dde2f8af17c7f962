"""Events from the shell: on the right topic, under the right key, and only those that a worker would take."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from decisioning.errors import EventRejected, Fault
from decisioning.event import parse
from decisioning.instant import format_instant, parse_instant
from decisioning.payload import TYPES
from decisioning.streaming.broker import start_broker
from decisioning.streaming.send import SOURCE, Post, compose, letter
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import TopicsError, partition_of
from tests.streaming.live import Live, until
from tests.streaming.records import event

NOW = parse_instant("2026-03-02T10:00:00Z")
GRANT = ("--type", "consent.granted", "--customer", "c-42", "--data", '{"purpose": "marketing"}')


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A broker with every topic and no worker."""
    with Live(tmp_path_factory.mktemp("send"), 4) as running:
        yield running


def send(live: Live, *arguments: str, stdin: bytes = b"") -> tuple[int, str, list[str]]:
    """Exit code, standard output, and the lines of standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", "send", *arguments], env=live.environment(clock="wall"), input=stdin,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), done.stderr.decode().splitlines()


def is_there(live: Live, line: bytes) -> bool:
    """Whether it is on its topic."""
    return line in [one.value for one in live.read("support")]


def test_what_is_typed_becomes_an_event() -> None:
    """Source, id and time are filled in where nobody gave them."""
    told = parse(compose({"type": "consent.granted", "subject": "c-42"}, '{"purpose": "survey"}', NOW))
    assert (told.source, told.type, told.subject, told.time) == (SOURCE, "consent.granted", "c-42", NOW)
    again = compose({"type": "consent.granted", "id": "e-1", "time": "2026-03-01T09:00:00Z"}, None, NOW)
    assert json.loads(again)["id"] == "e-1"
    assert json.loads(again)["time"] == "2026-03-01T09:00:00Z"
    assert len({parse(compose({"type": "shop.closed"}, None, NOW)).id for _ in range(3)}) == 3


def test_each_type_has_its_topic() -> None:
    """As the table of types says; products are keyed by their sku."""
    told = letter(Settings(), event("customer.erased", of="tel:+44"), NOW)
    assert (told.topic, told.key) == ("customers", b"tel:+44")
    described = {"sku": "S-1", "category": "x", "price": "1.00", "currency": "EUR"}
    product = compose({"type": "product.described"}, json.dumps(described), NOW)
    assert letter(Settings(), product, NOW)[:2] == ("products", b"S-1")


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"{", Fault.NOT_JSON),
        (b"{}", Fault.NOT_AN_EVENT),
        (event("consent.granted", purpose="fun"), Fault.WRONG_TYPE),
        (event("consent.granted"), Fault.MISSING_FIELD),
        (event("consent.granted", "2026-03-02T10:05:01Z", purpose="survey"), Fault.FUTURE_TIME),
        (event("consent.grant", purpose="survey"), Fault.WRONG_TYPE),
    ],
)
def test_what_a_worker_would_not_take_is_not_sent(value: bytes, fault: Fault) -> None:
    """The same faults as in a dead letter; a type without a topic is one of them."""
    with pytest.raises(EventRejected) as caught:
        letter(Settings(), value, NOW)
    assert caught.value.fault is fault


def test_a_misspelt_type_is_named() -> None:
    """With the one that is meant, or with all of them."""
    with pytest.raises(EventRejected, match=r"did you mean `consent\.granted`"):
        letter(Settings(), event("consent.grant"), NOW)
    with pytest.raises(EventRejected, match=", ".join(list(TYPES)[:3])):
        letter(Settings(), event("zzz"), NOW)


def test_one_event_is_said_where_it_is(live: Live) -> None:
    """On the partition that Java's clients would choose, as a structured CloudEvent."""
    code, out, err = send(live, *GRANT, "--id", "one")
    assert (code, err) == (0, [])
    [record] = [one for one in live.read("customers") if b'"one"' in (one.value or b"")]
    assert out == f"consent.granted one is at customers[{record.partition}]@{record.offset}\n"
    assert (record.key, record.partition) == (b"c-42", partition_of(b"c-42", live.partitions))
    assert dict(record.headers)["content-type"].startswith(b"application/cloudevents+json")
    assert parse(record.value, record.headers).source == SOURCE


def test_a_file_is_sent_in_its_order_and_bad_lines_are_named(live: Live, tmp_path: Path) -> None:
    """Byte for byte; the rest goes out; exit 1."""
    lines = [event("order.placed", of="c-7", id_=f"f-{n}", order_id=f"o-{n}") for n in range(500)]
    whole = [*lines[:3], b"", b"rubbish", *lines[3:], event("purchase.returned", order_id="o-1")]
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(whole))
    code, out, err = send(live, str(path))
    assert (code, out) == (1, "sent 500 events: orders 500\n")
    assert [line.split(":")[0] for line in err] == ["line 5", "line 503"]
    assert [one.value for one in live.read("orders") if one.key == b"c-7"] == lines


def test_check_needs_no_broker(live: Live, tmp_path: Path) -> None:
    """It reads as a worker would and sends nothing."""
    before = len(live.read("customers"))
    good = event("customer.updated", name="x")
    assert send(live, "--check", stdin=good + b"\n" + good) == (0, "checked 2 events: customers 2\n", [])
    code, out, _ = send(live, "--check", *GRANT)
    assert (code, parse(out.encode()).type) == (0, "consent.granted")
    assert len(live.read("customers")) == before


def test_what_is_followed_goes_out_as_it_comes(live: Live) -> None:
    """`tail -f events.jsonl | decisioning send` waits for no end of input."""
    process = subprocess.Popen(
        [sys.executable, "-m", "decisioning", "send"], env=live.environment(), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    for number in range(2):
        line = event("support.promise_kept", of="c-8", id_=f"p-{number}", promise_id="p")
        process.stdin.write(line + b"\n")
        process.stdin.flush()
        until(partial(is_there, live, line), what="the line on its topic")
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, b"sent 2 events: support 2\n")


def test_a_topic_that_is_missing_is_named(tmp_path: Path) -> None:
    """With the command that makes it."""
    with Live(tmp_path, 2, without=["orders"]) as live, Post(live.settings) as post:
        one = letter(live.settings, event("order.placed", order_id="o"), parse_instant(format_instant(NOW)))
        with pytest.raises(TopicsError, match=r"missing topics: orders; run `decisioning topics create`"):
            post.send([one])


def test_a_broker_that_goes_away_is_not_waited_for_for_ever() -> None:
    """What was not acknowledged is said not to be, and may be sent again whole."""
    with start_broker(["orders"], 1) as broker:
        settings = Settings(kafka=broker.address)
        one = letter(settings, event("order.placed", order_id="o"), NOW)
        with Post(settings, patience=1.0) as post:
            assert post.send([one]) == [(0, 0)]
            broker.down()
            with pytest.raises(TopicsError, match="did not acknowledge within 1 s: send all of it again"):
                post.send([one])


def test_nobody_to_send_to_is_exit_3(live: Live) -> None:
    """One line that says what to do."""
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", "send", *GRANT], env=live.environment(kafka="127.0.0.1:1"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert "nobody listens there" in done.stderr
    assert len(done.stderr.splitlines()) == 1
