"""The stop switch over HTTP: in whose name, on whose behalf, and never as if it were pulled when it was not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from decisioning.instant import parse_instant
from decisioning.stops import Stop, Stops, What, Word, dumps, key_of
from decisioning.streaming.api import switch
from decisioning.streaming.api.problem import Problem
from decisioning.streaming.api.switch import Switch
from decisioning.streaming.api.tokens import Scope
from decisioning.streaming.settings import Settings
from tests.streaming.api.calls import TokenFile, Told, address_of, call, decide
from tests.streaming.live import Live, until
from tests.streaming.test_app import greet

CANARY = "jane.doe@example.com"
AWAY = Settings(kafka="127.0.0.1:1")


def body(**said: Any) -> bytes:
    """A request to stop the channel sms, but for what is said."""
    return json.dumps({"what": "channel", "name": "sms", "why": "wrong prices"} | said).encode()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "bad-request"),
        (b"\xff", "bad-request"),
        (b"[" * 100_000, "not-a-stop"),
        (b'{"what": "channel", "name": "\\ud800", "why": "x"}', "bad-request"),
        (b"[]", "not-a-stop"),
        (body(what=CANARY), "not-a-stop"),
        (body(name=""), "not-a-stop"),
        (body(name="x" * 201), "not-a-stop"),
        (body(name=f"{CANARY}\x1b[2J"), "not-a-stop"),
        (body(what="marketing", name=CANARY), "not-a-stop"),
        (body(why="  "), "not-a-stop"),
        (body(why="x" * 501), "not-a-stop"),
        (body(by="bob"), "not-a-stop"),  # nobody stops in another's name
    ],
)
async def test_nonsense_is_refused_without_being_repeated(text: bytes, code: str) -> None:
    """Before Kafka is asked; a misspelt field that were passed over would stop something else."""
    for ask in (Switch(AWAY, Stops()).stop, Switch(AWAY, Stops()).resume):
        with pytest.raises(Problem) as raised:
            await ask(text, "anna")
        assert raised.value.code == code
        assert CANARY not in raised.value.detail


async def test_a_switch_that_was_not_pulled_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 and when to ask again, as soon as Kafka cannot be asked or does not answer; no advice in its place."""
    monkeypatch.setattr(switch, "_PATIENCE_SECONDS", 0.5)
    known, stop = Stops(), Stop(What.CHANNEL, "sms", Word("anna", "2026-03-02T10:00:00Z", "x"))
    known.take(key_of(stop), dumps(stop))
    pulled = Switch(AWAY, known)
    for ask in (pulled.stop, pulled.resume):
        with pytest.raises(Problem) as raised:
            await ask(body(), "anna")
        assert (raised.value.status, raised.value.code) == (503, "unavailable")
        assert raised.value.headers == {"Retry-After": "1"}


def test_what_is_stopped_is_what_the_worker_follows() -> None:
    """Standing and resumed."""
    known = Stops()
    stop = Stop(What.CHANNEL, "sms", Word("anna", "2026-03-02T10:00:00Z", "x"))
    for one in (stop, Stop(What.MARKETING, "", stop.stopped).resume(stop.stopped)):
        known.take(key_of(one), dumps(one))
    shown = Switch(AWAY, known).shown(degraded=True)
    assert (shown.degraded, [one.stands for one in shown.stops]) == (True, [True, False])


def test_stopped_and_resumed_by_token(tmp_path: Path) -> None:
    """Who is on record is the token's name; another's stop is undone by naming them, and never by accident."""
    tokens = TokenFile(tmp_path, anna=[Scope.ADMIN, Scope.READ], bob=[Scope.ADMIN], crm=[Scope.DECIDE])
    with Live(tmp_path, partitions=1, api_tokens_file=tokens.path, api_port=0) as broker:
        greet(broker, "c-1")
        broker.flush()
        address = address_of(broker.worker().ready())

        def post(path: str, who: str, **said: Any) -> Told:
            return call(
                address, path, tokens.tokens[who], method="POST", body=body(**said), Content_Type="application/json"
            )  # fmt: skip

        def stops() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = call(address, "/v1/stops", tokens.tokens["anna"]).json["stops"]
            return found

        assert post("/v1/stops/resume", "anna").json["code"] == "nothing-stands"
        made = post("/v1/stops", "anna", what="marketing", name="")
        assert (made.status, made.json["stopped"]["by"], made.json["stopped"]["why"]) == (200, "anna", "wrong prices")
        until(lambda: stops() == [made.json], 10, "the stop on this worker")
        offer = {"action": "hello", "class": "marketing", "channels": ["email"]}
        asked = {"subject": "c-1", "data": {"request_id": "r-1", "candidates": [offer]}}
        [said] = decide(address, tokens.tokens["crm"], asked, Prefer="wait=10").json["decisions"]
        assert said["data"]["reason"] == "stopped.marketing"
        refused = post("/v1/stops/resume", "bob", what="marketing", name="")
        assert (refused.status, refused.json["code"]) == (409, "nothing-stands")
        assert "anna" not in refused.json["detail"]
        over = post("/v1/stops/resume", "bob", what="marketing", name="", whose=["anna"], why="anna is away")
        assert (over.status, over.json["left"]) == (200, [])
        [resumed] = over.json["over"]
        assert (resumed["stopped"]["by"], resumed["resumed"]["by"]) == ("anna", "bob")
        until(lambda: stops() == [resumed], 10, "the end of the stop")
        assert parse_instant(resumed["stopped"]["at"]) <= parse_instant(resumed["resumed"]["at"])
