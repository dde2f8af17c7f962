"""The permissions that `decisioning topics acls` prints are enough for a worker, and each of them is needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from decisioning.streaming.acls import Acl, acls
from decisioning.streaming.api.tokens import Scope
from decisioning.streaming.permissions import Missing, missing
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import TOPICS, connected
from tests.kafka.certificates import Authority
from tests.kafka.cluster import RealKafka
from tests.kafka.config import SUPER
from tests.streaming.api.calls import TokenFile, Told, address_of, call, decide
from tests.streaming.history import products
from tests.streaming.live import Live, WorkerProcess, until
from tests.streaming.records import event
from tests.streaming.test_app import greet, request

pytestmark = pytest.mark.kafka

ALL = acls(Settings())
NEEDED = [row for row in ALL if row.operation != "DescribeConfigs"]
OF_THE_API = [row for row in acls(Settings(api_tokens_file=Path(__file__))) if row not in ALL]
NAMES = [topic.name for topic in TOPICS]
SECONDS = 15.0
_OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}


class Guarded:
    """A Kafka that asks for permissions, and what its one user has of them."""

    def __init__(self, kafka: RealKafka, settings: dict[str, Any]) -> None:
        self.kafka, self.settings = kafka, settings

    def allow(self, row: Acl) -> None:
        """Grant one row."""
        for done in self.kafka.admin.create_acls([_of(row, AclBinding)]).values():
            done.result(30)

    def withdraw(self, row: Acl) -> None:
        """Take one row away."""
        for done in self.kafka.admin.delete_acls([_of(row, AclBindingFilter)]).values():
            assert len(done.result(30)) == 1


def _of(row: Acl, shape: type) -> Any:
    kind = ResourceType.TOPIC if row.resource == "Topic" else ResourceType.GROUP
    return shape(
        kind, row.name, ResourcePatternType.LITERAL, "User:worker", "*", _OPERATIONS[row.operation],
        AclPermissionType.ALLOW,
    )  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One broker with Kafka's own authorizer; the user `worker` may do all that the list says."""
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority(folder / "certificates")
    with RealKafka(
        folder, security="SASL_SSL", keystore=authority.sign(), users={"worker": "pass-word"},
        config={"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": f"User:{SUPER}"},
    ) as kafka:  # fmt: skip
        settings = {"security_protocol": "SASL_SSL", "sasl_username": "worker", "sasl_password": "pass-word",
                    "ssl_ca_file": authority.file}  # fmt: skip
        running = Guarded(kafka, settings)
        for row in ALL:
            running.allow(row)
        yield running


def work_of_every_kind(live: Live) -> None:
    """Records that make a worker read, remember, answer, forward, refuse, and describe a product."""
    greet(live, "c-1")
    live.publish("contact-requests", request("c-1", "2026-03-02T11:00:00Z", "r-1"), "c-1")
    live.publish("contact-requests", request("c-1", "2026-03-02T11:00:00Z", "r-2"), "c-2")  # forwarded by the relay
    live.publish("customers", event("consent.withdrawn", of="c-1", id_="w", purpose="survey"), "c-1")  # a hold
    live.publish("orders", b"rubbish", "c-1")
    live.publish("products", b"rubbish", "sku")
    live.publish("orders", products()[0].value, products()[0].key)  # passed on to the topic that it belongs on
    live.flush()


def test_the_list_is_enough(guarded: Guarded, tmp_path: Path) -> None:
    """With these permissions and no others, every kind of work is done."""
    with Live(tmp_path, on=guarded.kafka, **guarded.settings) as live:
        work_of_every_kind(live)
        worker = live.worker().ready()
        live.settle()
        until(lambda: len(live.read("dead-letters")) == 2, what="the dead letters")
        until(lambda: len(live.read("products")) == 2, what="the product")
        assert live.distinct() == 3
        assert worker.term() == 0, worker.output
        guarded.kafka.delete_topics(NAMES)


async def told(settings: Settings) -> Missing:
    """What the brokers say is missing."""
    async with connected(settings) as admin:
        found = await missing(admin, settings)
    assert found is not None
    return found


async def not_allowed(settings: Settings) -> list[Acl]:
    """The rows of it."""
    return (await told(settings)).rows


def test_what_is_not_allowed_is_known_before_a_worker_starts(guarded: Guarded, tmp_path: Path) -> None:
    """The brokers say what we may do; each row that is taken away is named, of topics and of groups, and no other."""
    with Live(tmp_path, on=guarded.kafka, **guarded.settings) as live:
        assert asyncio.run(not_allowed(live.settings)) == []
        away = [NEEDED[0], next(row for row in ALL if row.operation == "DescribeConfigs"), NEEDED[-1]]
        for row in away:
            guarded.withdraw(row)
        try:
            until(lambda: asyncio.run(not_allowed(live.settings)) == away, what="the brokers' own word")
        finally:
            for row in away:
                guarded.allow(row)
        guarded.kafka.delete_topics(NAMES)
        until(lambda: asyncio.run(told(live.settings)) == ([], sorted(NAMES)), what="that no topic is there")


@pytest.mark.long
@pytest.mark.parametrize("row", NEEDED, ids=lambda row: f"{row.operation} {row.resource} {row.name}")
def test_each_is_needed(guarded: Guarded, tmp_path: Path, row: Acl) -> None:
    """Without it a worker that has work for it ends within 15 seconds, with one line that names the resource."""
    with Live(tmp_path, on=guarded.kafka, **guarded.settings) as live:
        work_of_every_kind(live)
        if row.name == "state-changelog":  # an empty one asks nobody to read it
            first = live.worker("first").ready()
            live.settle()
            assert first.term(90) == 0, first.output  # goodbyes over TLS can take half a minute
            greet(live, "c-3")
            live.flush()
        guarded.withdraw(row)
        try:
            code, said = ended(live.worker())
        finally:
            guarded.allow(row)
            guarded.kafka.delete_topics(NAMES)
        assert code, f"it went on as if nothing were missing: {said}"
        assert row.name in said, said
        assert "Traceback" not in said
        assert "pass-word" not in said


@pytest.mark.long
@pytest.mark.parametrize("name", ["decisions", "state-changelog", "purchases", "decisioning"])
def test_what_is_revoked_while_it_works_ends_it(guarded: Guarded, tmp_path: Path, name: str) -> None:
    """Within 15 seconds, with a line that names it (F23); once it is granted again a restart does all that waited."""
    (row,) = (row for row in NEEDED if row.name == name and row.operation in ("Read", "Write") and (
        row.operation == "Write") == (name in ("decisions", "state-changelog")))  # fmt: skip
    with Live(tmp_path, on=guarded.kafka, **guarded.settings) as live:
        worker = live.worker().ready()
        guarded.withdraw(row)
        try:
            work_of_every_kind(live)
            code, said = ended(worker)
        finally:
            guarded.allow(row)
        assert code, f"it went on as if nothing were missing: {said}"
        assert row.name in said or row.resource.lower() in said, said
        assert "pass-word" not in said
        worker = live.worker().ready()
        until(lambda: live.distinct() == 3, what="the decisions")
        assert worker.term(90) == 0, worker.output
        guarded.kafka.delete_topics(NAMES)


@pytest.mark.long
def test_what_may_not_be_described_is_named_and_starts(guarded: Guarded, tmp_path: Path) -> None:
    """Without DescribeConfigs a worker cannot check a topic's configuration; it says so and works."""
    (row,) = (row for row in ALL if row.operation == "DescribeConfigs" and row.name == "state-changelog")
    guarded.withdraw(row)
    try:
        with Live(tmp_path, on=guarded.kafka, **guarded.settings) as live:
            worker = live.worker().ready()
            assert worker.output.count("allow DescribeConfigs") == 1
            assert "topic state-changelog: its configuration was not checked" in worker.output
            assert worker.term() == 0, worker.output
            guarded.kafka.delete_topics(NAMES)
    finally:
        guarded.allow(row)


class Asking:
    """A caller of a worker's API on the guarded Kafka."""

    def __init__(self, live: Live, tokens: TokenFile) -> None:
        self.worker = live.worker().ready()
        self._address, self._token = address_of(self.worker), tokens.tokens["all"]
        self._asked = 0

    def decide(self) -> dict[str, Any]:
        """What comes of a request of its own."""
        self._asked += 1
        offer = {"action": "hello", "class": "service", "channels": ["email"]}
        asked = {"subject": "c-1", "time": "2026-03-02T12:00:00Z"}
        data = {"request_id": f"r-{self._asked}", "candidates": [offer]}
        found: dict[str, Any] = decide(self._address, self._token, asked | {"data": data}, Prefer="wait=5").json
        return found

    def stop(self, path: str = "/v1/stops") -> Told:
        """What comes of pulling the switch, or of letting go."""
        body = b'{"what": "channel", "name": "sms", "why": "tests"}'
        return call(self._address, path, self._token, method="POST", body=body, Content_Type="application/json")

    def context(self) -> dict[str, Any]:
        """What is said of a customer."""
        found: dict[str, Any] = call(self._address, "/v1/customers/c-1/context", self._token).json
        return found


@pytest.fixture
def api(guarded: Guarded, tmp_path: Path) -> Iterator[tuple[Live, TokenFile]]:
    """A Kafka whose user has the rows of the API besides; its workers serve it."""
    tokens = TokenFile(tmp_path, all=[*Scope])
    for row in OF_THE_API:
        guarded.allow(row)
    with Live(tmp_path, on=guarded.kafka, api_tokens_file=tokens.path, api_port=0, **guarded.settings) as live:
        yield live, tokens
        guarded.kafka.delete_topics(NAMES)
    for row in OF_THE_API:
        guarded.withdraw(row)


def test_the_list_is_enough_for_the_api(api: tuple[Live, TokenFile]) -> None:
    """With its rows and no others it asks, reads back, stops and resumes."""
    asking = Asking(*api)
    assert asking.decide()["status"] == "answered"
    assert asking.stop().status == 200
    until(lambda: asking.stop("/v1/stops/resume").status == 200, 20, "the stop being seen and taken back")
    assert asking.worker.term(90) == 0, asking.worker.output


@pytest.mark.long
@pytest.mark.parametrize("row", OF_THE_API, ids=lambda row: f"{row.operation} {row.name}")
def test_each_of_the_api_is_needed(guarded: Guarded, api: tuple[Live, TokenFile], row: Acl) -> None:
    """Without it the worker decides on, the API says honestly that it does not get through, and a line names it."""
    guarded.withdraw(row)
    try:
        asking = Asking(*api)
        if row.name == "rulebooks":
            assert (asking.stop().status, asking.stop().json["code"]) == (503, "unavailable")
            assert asking.decide()["status"] == "answered"
        elif row.name == "contact-requests":
            found = asking.decide()
            assert (found["status"], found["degraded"]) == ("not_recorded", True)
            assert "contact-requests: the API may not ask there" in asking.worker.output
        else:
            until(lambda: asking.decide()["status"] == "not_recorded", 60, "the silence being noticed")
            assert asking.context()["degraded"]
            assert "decisions cannot be read for the API (TopicAuthorizationFailedError)" in asking.worker.output
        assert "pass-word" not in asking.worker.output
        assert asking.worker.term(90) == 0, asking.worker.output
    finally:
        guarded.allow(row)


def ended(worker: WorkerProcess) -> tuple[int, str]:
    """Its exit code and the last line that it said, once it has ended; 0 when it still runs after 15 seconds."""
    end = time.monotonic() + SECONDS
    while worker.run_for(0.1):
        if time.monotonic() > end:
            return 0, worker.output
    return worker.process.returncode, worker.output.strip().splitlines()[-1]
