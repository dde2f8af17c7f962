"""The API end to end: real workers, a real client, the log between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from decisioning.streaming.api.tokens import Scope
from decisioning.streaming.topics import partition_of
from tests.kafka.certificates import Authority
from tests.streaming.api.calls import TokenFile, Told, address_of, call, decide
from tests.streaming.crew import Crew
from tests.streaming.live import Live, WorkerProcess, until
from tests.streaming.records import event

_DAY = "2026-03-02T12:00:00Z"
_LATER = "2026-03-09T12:00:00Z"


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    """One token that may ask and look."""
    return TokenFile(tmp_path, crm=[Scope.READ, Scope.DECIDE])


@pytest.fixture
def broker(tmp_path: Path, tokens: TokenFile) -> Iterator[Live]:
    """A broker whose workers serve the API, on any free port."""
    with Live(tmp_path, api_tokens_file=tokens.path, api_port=0) as running:
        yield running


def asked(of: str = "c-1", request: str = "r-1", **more: Any) -> dict[str, Any]:
    """A request for one welcome by e-mail, at noon."""
    offer = {"action": "hello", "class": "marketing", "channels": ["email"], **more}
    return {"subject": of, "time": _DAY, "data": {"request_id": request, "candidates": [offer]}}


def greet(broker: Live, *customers: str) -> None:
    """Customers who agreed to marketing and live in UTC."""
    for one in customers:
        broker.publish("customers", event("customer.updated", of=one, id_=f"z-{one}", time_zone="UTC"), one)
        broker.publish("customers", event("consent.granted", of=one, id_=f"g-{one}", purpose="marketing"), one)
    broker.flush()


class Client:
    """A caller of one worker; of one of a crew it finds the address anew, for a worker that comes back has another."""

    def __init__(
        self, worker: WorkerProcess | Callable[[], WorkerProcess], tokens: TokenFile, authority: Path | None = None
    ) -> None:
        self._worker, self._token, self._authority = worker, tokens.tokens["crm"], authority

    @property
    def _address(self) -> str:
        return address_of(self._worker() if callable(self._worker) else self._worker)

    def decide(self, what: dict[str, Any], wait: int = 10) -> Told:
        """Ask, and wait so long."""
        return decide(self._address, self._token, what, authority=self._authority, Prefer=f"wait={wait}")

    def get(self, path: str) -> Told:
        """Look something up."""
        return call(self._address, path, self._token, authority=self._authority)

    def order(self, customer: str, order: str) -> Any:
        """An order of a customer; None while nobody has heard of it."""
        found = self.get(f"/v1/customers/{customer}/orders/{order}")
        return found.json if found.status == 200 and not found.json["degraded"] else None

    def moved(self, customer: str) -> bool:
        """Whether it is known that a customer became another."""
        return self.get(f"/v1/customers/{customer}/context").status == 307

    def knows(self, customer: str) -> bool:
        """Whether the worker has heard of a customer; not while it starts again."""
        try:
            return bool(self.get(f"/v1/customers/{customer}/context").json["known"])
        except (URLError, AssertionError):
            return False


def clients_of(crew: Crew, tokens: TokenFile, authority: Path | None = None) -> list[Client]:
    """A caller of each worker."""
    return [Client(partial(lambda at: crew.workers[at], at), tokens, authority) for at in range(len(crew.workers))]


def lanes(worker: WorkerProcess) -> float:
    """How many lanes a worker owns; 0 while it does not answer."""
    return worker.metric("decisioning_lanes") if worker.is_ready() else 0


def test_a_request_is_answered_through_the_log(broker: Live, tokens: TokenFile) -> None:
    """The answer is the record on the topic, byte for byte the same decision; asked again, it is the same once more."""
    greet(broker, "c-1")
    client = Client(broker.worker().ready(), tokens)
    until(lambda: client.knows("c-1"), what="the consent being folded")
    first = client.decide(asked())
    assert first.status == 200, first.body
    assert first.json["status"] == "answered"
    [decision] = first.json["decisions"]
    assert (decision["data"]["outcome"], decision["data"]["request_id"]) == ("act", "r-1")
    assert decision in broker.said()
    assert client.decide(asked()).json == first.json
    [published] = broker.said("contact-requests")
    assert (published["source"], published["id"]) == ("/api/crm", "r-1")
    why = client.get(f"/v1/decisions/{decision['id']}").json
    assert why["decision"] == decision
    assert why["reasons"]["allowed.clear"]["agent"] == "We may speak."
    context = client.get("/v1/customers/c-1/context").json
    assert [one["decision_id"] for one in context["live"]] == [decision["id"]]
    assert context["caps"][0] | {"free_at": ""} == {"name": "day", "used": 1, "limit": 1, "per": "1d", "free_at": ""}
    mail = next(one for one in context["may"] if (one["class"], one["channel"]) == ("marketing", "email"))
    assert mail["verdict"] == "suppress"
    said = client.get("/v1/customers/c-1/decisions?request_id=r-1").json
    assert said == {"customer": "c-1", "degraded": False, "decisions": [decision]}


def test_any_worker_takes_a_request_and_finds_the_owner(broker: Live, tokens: TokenFile) -> None:
    """Two workers share the lanes: each answers for every customer, by the log or by asking the other."""
    with Crew(broker) as crew:
        crew.join("a", "b")
        until(lambda: all(lanes(one) for one in crew.workers), 90, "both having lanes")
        names = list({partition_of(f"c-{n}".encode(), broker.partitions): f"c-{n}" for n in range(40)}.values())
        greet(broker, *names)
        clients = clients_of(crew, tokens)
        for name in names:
            broker.publish(
                "orders", event("order.placed", of=name, id_=f"o-{name}", order_id="o/9", promised_at=_LATER), name
            )
        broker.flush()
        for client, name in product(clients, names):
            order = until(partial(client.order, name, "o%2F9"), 60, f"{name}'s order being known everywhere")
            assert (order["status"], order["as_of"], order["degraded"]) == ("placed", "2026-03-02T10:00:00Z", False)
            found = client.get(f"/v1/customers/{name}/context").json
            assert (found["customer"], found["known"], found["degraded"]) == (name, True, False)
        told = [client.decide(asked(name, f"r-{name}")) for client, name in product(clients, names)]
        assert {one.json["status"] for one in told} == {"answered"}
        half = len(names)
        assert [one.json for one in told[:half]] == [one.json for one in told[half:]]


def test_who_was_merged_is_answered_under_their_new_name(broker: Live, tokens: TokenFile) -> None:
    """Whichever worker is asked and whoever owns either; asked again, and looked up under the old name, it is the same.

    And two customers of one request id have an answer each.
    """
    with Crew(broker) as crew:
        crew.join("a", "b")
        until(lambda: all(lanes(one) for one in crew.workers), 90, "both having lanes")
        names = list({partition_of(f"c-{n}".encode(), broker.partitions): f"c-{n}" for n in range(40)}.values())
        greet(broker, *names, "c-new")
        for name in names:
            broker.publish("customers", event("customer.merged", of=name, id_=f"m-{name}", into="c-new"), name)
        broker.flush()
        clients = clients_of(crew, tokens)
        for client, name in product(clients, names):
            until(partial(client.moved, name), 60, f"{name} having become another")
        for name in names:
            first, again = (client.decide(asked(name, f"r-{name}")) for client in clients)
            assert (first.status, [one["subject"] for one in first.json["decisions"]]) == (200, ["c-new"])
            assert again.json == first.json
            way_on = clients[0].get(f"/v1/customers/{name}/decisions?request_id=r-{name}")
            assert way_on.status == 307
            assert clients[0].get(way_on.headers["Location"]).json["decisions"] == first.json["decisions"]
        others = [clients[0].decide(asked(name, "r-same")).json["decisions"] for name in ("c-x", "c-y")]
        assert [[one["subject"] for one in found] for found in others] == [["c-x"], ["c-y"]]


def test_over_tls_workers_believe_each_other(tmp_path: Path) -> None:
    """Two workers with certificates of one authority: a plain client is served, and each finds the other's customers.

    A client that believes another authority, or speaks no TLS, gets no answer at all.
    """
    tokens, authority = TokenFile(tmp_path, crm=[Scope.READ, Scope.DECIDE]), Authority(tmp_path / "authority")
    pair = authority.sign()
    with Live(
        tmp_path, api_tokens_file=tokens.path, api_port=0, api_tls_cert_file=pair, api_tls_key_file=pair,
        api_tls_ca_file=authority.file,
    ) as broker, Crew(broker) as crew:  # fmt: skip
        crew.join("a", "b")
        until(lambda: all(lanes(one) for one in crew.workers), 90, "both having lanes")
        names = list({partition_of(f"c-{n}".encode(), broker.partitions): f"c-{n}" for n in range(40)}.values())
        greet(broker, *names)
        clients = clients_of(crew, tokens, authority.file)
        for client, name in product(clients, names):
            until(partial(client.knows, name), 60, f"{name} being known everywhere")
        assert clients[0].decide(asked(names[0])).json["status"] == "answered"
        address = address_of(crew.workers[0])
        assert address.startswith("https://127.0.0.1:")
        for url, believed in ((address, None), (address.replace("https", "http"), authority.file)):
            with pytest.raises(OSError, match=r"CERTIFICATE_VERIFY_FAILED|Remote end closed|reset by peer"):
                call(url, "/v1/openapi.json", tokens.tokens["crm"], authority=believed)


def test_without_kafka_service_yes_marketing_no(broker: Live, tokens: TokenFile) -> None:
    """Never an error page: what is known is told as degraded, and a request is said not to be recorded."""
    greet(broker, "c-1")
    client = Client(broker.worker().ready(), tokens)
    until(lambda: client.knows("c-1"), what="the consent being folded")
    broker.stop_broker()
    told = client.decide(asked(), wait=1)
    assert told.status == 200
    assert (told.json["status"], told.json["degraded"]) == ("not_recorded", True)
    assert [one["reason"] for one in told.json["advice"]] == ["degraded.state"]
    service = {"action": "call back", "class": "service", "channels": ["email"]}
    told = client.decide({"subject": "c-1", "data": {"request_id": "r-2", "candidates": [service]}}, wait=1)
    assert [one["verdict"] for one in told.json["advice"]] == ["allow"]
    assert json.loads(told.body)["decisions"] == []


def test_there_is_no_api_without_tokens(tmp_path: Path) -> None:
    """Off unless a token file is set; and a bad one is one line and exit code 3."""
    with Live(tmp_path) as broker:
        assert "/v1/" not in broker.worker().ready().output
        bad = tmp_path / "bad"
        bad.write_text("crm read nonsense\n")
        bad.chmod(0o600)
        worker = broker.worker("bad", api_tokens_file=bad)
        assert worker.process.wait(30) == 3
        assert "DECISIONING_API_TOKENS_FILE: " in worker.output
