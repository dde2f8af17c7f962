"""The console of a real worker: an event is sent, and its decision and why are read in a browser's way."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from decisioning.streaming.api.tokens import Scope
from tests.streaming.api.calls import TokenFile, Told, address_of, call
from tests.streaming.live import Live, WorkerProcess, until
from tests.streaming.records import event

CUSTOMER = "c-canary-1"


class Reader:
    """Somebody who is signed in to a worker's console."""

    def __init__(self, worker: WorkerProcess, token: str) -> None:
        self._address, self._cookie = address_of(worker), ""
        told = self.post("/sign-in", token=token)
        assert told.status == 303, told.body
        self._cookie = str(told.headers["Set-Cookie"]).partition(";")[0]

    def post(self, path: str, **form: str) -> Told:
        """Send a form."""
        kind = "application/x-www-form-urlencoded"
        body = urlencode(form).encode()
        return call(
            self._address, f"/console{path}", method="POST", body=body, Content_Type=kind, Cookie=self._cookie
        )  # fmt: skip

    def get(self, path: str) -> str:
        """A page."""
        told = call(self._address, f"/console{path}", Cookie=self._cookie)
        assert told.status == 200, told.status
        return told.body.decode()

    def why(self, customer: str) -> str:
        """The page about a customer."""
        return self.post("/why", customer=customer).body.decode()


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    """One token that may look."""
    return TokenFile(tmp_path, reader=[Scope.READ])


def ask(broker: Live) -> None:
    """A request about a customer who never agreed."""
    offer = {"action": "hello", "class": "marketing", "channels": ["email"]}
    asked = event("contact.requested", of=CUSTOMER, id_="r-1", request_id="r-1", candidates=[offer])
    broker.publish("contact-requests", asked, CUSTOMER)
    broker.flush()


def test_an_event_is_sent_and_its_why_is_read(tmp_path: Path, tokens: TokenFile) -> None:
    """The whole way: topic, worker, topic, page; and no line of the worker names whom it is about."""
    with Live(tmp_path, api_tokens_file=tokens.path, api_port=0) as broker:
        worker = broker.worker().ready()
        reader = Reader(worker, tokens.tokens["reader"])
        assert "unknown means no" in reader.why(CUSTOMER)
        ask(broker)
        until(lambda: "consent.missing" in reader.why(CUSTOMER), what="the decision being read")
        page = reader.why(CUSTOMER)
        assert "No consent was ever given for this purpose and channel." in page
        assert "What may be said now" in page
        until(lambda: "consent.missing" in reader.get("/live"), what="the decision being counted")
        assert "the file of this worker" in reader.get("/rulebook")
        assert worker.metric("decisioning_api_requests_total", route="console", status="200") > 0
        assert CUSTOMER not in worker.output
        assert f"{address_of(worker)}/console" in worker.output


def test_it_can_be_left_out(tmp_path: Path, tokens: TokenFile) -> None:
    """The API without its console."""
    with Live(tmp_path, api_tokens_file=tokens.path, api_port=0, api_console=False) as broker:
        worker = broker.worker().ready()
        assert call(address_of(worker), "/console").status == 401
        assert "/console" not in worker.output
