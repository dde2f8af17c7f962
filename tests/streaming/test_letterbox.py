"""Dead letters for people: found by what they are, shown without personal data, and replayed once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from decisioning.errors import EventRejected, Fault
from decisioning.instant import format_instant
from decisioning.streaming import letterbox, operate, relay
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.dead_letter import Stage, dead_letter
from decisioning.streaming.letterbox import REPLAYED, Choice, Letter, TooMany, again, letters, replay
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import partition_of
from tests.streaming.live import Live, until
from tests.streaming.records import Rec, event
from tests.streaming.test_app import greet, request

CANARY = b"Anna-Canary"
PARTITIONS = 4


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """A broker with every topic; workers only where a test starts one."""
    with Live(tmp_path, PARTITIONS) as running:
        yield running


def refused(
    number: int, *, topic: str = "orders", code: Fault = Fault.NOT_JSON, at: int = 1000, stage: Stage = Stage.EVENT,
    key: bytes | None = CANARY, value: bytes | None = b"rub" + CANARY, headers: tuple[tuple[str, bytes], ...] = (),
    bound: int = 1000,
) -> Output:  # fmt: skip
    """The letter of a record at offset `number` of partition 1."""
    came = Rec(topic, 1, number, at, key, value, headers)
    return dead_letter(came, EventRejected(code, "it is rubbish"), topic="dead-letters", bound=bound, stage=stage)


def post(live: Live, *made: Output) -> None:
    """These letters are on the topic."""
    for one in made:
        live.publish(one.topic, one.value, one.key, at=one.timestamp, headers=one.headers, partition=one.partition)
    live.flush()


def found(live: Live, choice: Choice = Choice(), *, contents: bool = True) -> list[Letter]:  # noqa: B008  # a value
    """The letters of a choice."""
    return asyncio.run(letters(live.settings, choice, contents=contents))


def places(live: Live, **choice: Any) -> list[str]:
    """Where the letters of a choice came from."""
    return [letter.place for letter in found(live, Choice(**choice))]


def test_letters_are_found_by_what_they_are(live: Live) -> None:
    """Each once, by time, narrowed by code, topic and time; what others put there is left alone."""
    post(live, refused(3, at=3000), refused(3, at=3000), refused(2, at=1000, topic="support"))
    post(live, refused(4, at=2000, code=Fault.NO_TIME))
    live.publish("dead-letters", b"somebody else's", b"k")
    live.flush()
    assert places(live) == ["support[1]@2", "orders[1]@4", "orders[1]@3"]
    assert places(live, code=Fault.NO_TIME) == ["orders[1]@4"]
    assert places(live, topic="support") == ["support[1]@2"]
    assert places(live, since=2_000_000, until=3_000_000) == ["orders[1]@4"]


def test_nothing_personal_is_shown_unless_it_is_asked_for(live: Live) -> None:
    """Neither key nor value nor headers, in words or as JSON; with `show` all of them."""
    post(live, refused(3, headers=(("ce_subject", CANARY), ("ce_subject", b"2"))))
    plain = found(live, contents=False)
    assert (plain[0].key, plain[0].value, plain[0].headers) == (None, None, ())
    for letter in (found(live), plain):
        assert CANARY.decode() not in letterbox.render(letter, show=False) + letterbox.as_json(letter, show=False)
    [row] = [json.loads(line) for line in letterbox.as_json(found(live), show=True).splitlines()]
    assert (row["key"], row["value"]) == ("Anna-Canary", "rubAnna-Canary")
    assert row["headers"] == [["ce_subject", "Anna-Canary"], ["ce_subject", "2"]]
    text = letterbox.render(found(live), show=True).splitlines()
    assert text[0] == "      1  not_json from orders"
    assert text[1] == "1970-01-01T00:00:01Z  orders[1]@3  not_json: it is rubbish"
    assert "    key: Anna-Canary" in text


def letter_of(output: Output) -> Letter:
    """A letter as it is read back."""
    letter = letterbox._read(Rec("dead-letters", 0, 0, output.timestamp or 0, output.key, output.value, output.headers))
    assert letter is not None
    return letter


def test_a_replay_is_the_record_as_it_was_and_says_so() -> None:
    """Bytes and the sender's headers; the place of a keyed record by its key, else its old one; the time is now."""
    settings = Settings(partitions=PARTITIONS)
    sent = (("__streams.errors.exception", b"the sender's"), ("traceparent", b"00-1"))
    output = again(settings, letter_of(refused(3, headers=sent)), 9000)
    assert output == Output(
        "orders", CANARY, b"rub" + CANARY, (*sent, (REPLAYED, b"orders[1]@3")), partition_of(CANARY, PARTITIONS), 9000
    )
    keyless = again(settings, letter_of(refused(3, key=None)), 9000)
    assert isinstance(keyless, Output)
    assert keyless.partition == 1
    twice = again(settings, letter_of(refused(5, headers=((REPLAYED, b"orders[1]@3"),))), 9000)
    assert isinstance(twice, Output)
    assert twice.headers == ((REPLAYED, b"orders[1]@5"),)


def test_an_event_of_the_relay_begins_its_way_anew() -> None:
    """With no hops behind it: workers that disagreed about its place may agree now."""
    sent = ((relay.KIND, relay.EVENT), (relay.HOPS, b"3"), (relay.MOVES, b"0"), ("x", b"1"))
    output = again(Settings(), letter_of(refused(3, topic="relay", stage=Stage.RELAY, headers=sent)), 9000)
    assert isinstance(output, Output)
    assert output.headers[:4] == ((relay.KIND, b"event"), (relay.HOPS, b"0"), (relay.MOVES, b"0"), ("x", b"1"))


@pytest.mark.parametrize(
    ("letter", "why"),
    [
        (refused(3, value=b"x" * 1001), "value of 1001 bytes did not fit into the letter"),
        (refused(3, value=None, code=Fault.TOMBSTONE), "it has no value"),
        (refused(3, topic="products", stage=Stage.BROADCAST), "publish what is true now"),
        (refused(3, topic="relay", stage=Stage.RELAY), "a message of a worker to itself"),
        (refused(3, topic="gone"), "none of our source topics"),
    ],
)
def test_what_cannot_be_replayed_says_why(letter: Output, why: str) -> None:
    """And what to do instead, where there is anything."""
    said = again(Settings(), letter_of(letter), 0)
    assert isinstance(said, str)
    assert why in said


def test_letters_are_replayed_once(live: Live) -> None:
    """The marker says so; with `replayed` they are shown all the same; what fails again is another letter."""
    post(live, refused(3), refused(4))
    outputs = [again(live.settings, letter, 9000) for letter in found(live, Choice())]
    made = [output for output in outputs if isinstance(output, Output)]
    assert asyncio.run(replay(live.settings, made[:1])) == 1
    assert places(live) == ["orders[1]@4"]
    assert places(live, replayed=True) == ["orders[1]@3", "orders[1]@4"]
    [again_there] = live.read("orders")
    assert (again_there.key, again_there.value, again_there.timestamp) == (CANARY, b"rub" + CANARY, 9000)
    assert dict(again_there.headers)[REPLAYED] == b"orders[1]@3"


def test_more_than_fits_asks_for_a_narrower_choice(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list needs no contents, and has room for all."""
    monkeypatch.setattr(letterbox, "HELD_BYTES", 30)
    post(live, refused(3), refused(4))
    with pytest.raises(TooMany, match="narrow them by"):
        found(live)
    assert len(found(live, contents=False)) == 2


def replay_all(*, yes: bool) -> int:
    """What the command does of all that came too early."""
    return operate.replay_letters(code="future_time", topic="", since="", until="", yes=yes)


def test_a_worker_takes_a_replay_as_late_news(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fact that came too early for our clock folds once it is replayed; a request of the past is answered as expired;
    and to replay all again does nothing."""
    monkeypatch.setenv("DECISIONING_KAFKA", live.address)
    monkeypatch.setenv("DECISIONING_PARTITIONS", str(PARTITIONS))
    worker = live.worker(clock="wall").ready()
    greet(live, "c-1", "c-2")
    live.settle()
    now = time.time_ns() // 1000
    withdrawn = event("consent.withdrawn", format_instant(now - 60_000_000), of="c-1", id_="w", purpose="marketing")
    asked = request("c-2", format_instant(now - 3600_000_000), "late")
    for topic, key, value in (("customers", b"c-1", withdrawn), ("contact-requests", b"c-2", asked)):
        came = Rec(topic, partition_of(key, PARTITIONS), 100, 1000, key, value, ())
        post(live, dead_letter(came, EventRejected(Fault.FUTURE_TIME, "too early"), topic="dead-letters", bound=9999))
    before = len(live.read("customers"))
    assert replay_all(yes=False) == 0
    assert len(live.read("customers")) == before
    assert replay_all(yes=True) == 0
    until(lambda: len(live.said()) == 2, what="both answers")
    assert {(one["subject"], one["data"]["outcome"], one["data"]["reason"]) for one in live.said()} == {
        ("c-1", "hold", "consent.withdrawn"),
        ("c-2", "suppress", "expired.too_late"),
    }
    assert replay_all(yes=True) == 0
    assert len(live.read("customers")) == before + 1
    assert worker.term() == 0, worker.output
