"""What a worker tells its surroundings while customers' words go through it: none of theirs, no secret of ours."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from decisioning.streaming.api.tokens import Scope
from tests.streaming.api.calls import TokenFile, address_of, call, decide
from tests.streaming.live import Live, until
from tests.streaming.records import event
from tests.streaming.test_app import greet, request

CANARY: Final = "jane.doe@example.com"
WORD: Final = "canary-word"


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    """One token for everything."""
    return TokenFile(tmp_path, crm=[*Scope])


@pytest.fixture
def broker(tmp_path: Path, tokens: TokenFile) -> Iterator[Live]:
    """A broker whose workers serve the API."""
    with Live(tmp_path, 1, api_tokens_file=tokens.path, api_port=0) as running:
        yield running


def whatever_happens(live: Live) -> None:
    """Every kind of record, good and bad, with a customer's name for key, subject, id, field and whole value."""
    greet(live, CANARY)
    live.publish("contact-requests", request(CANARY, "2026-03-02T11:00:00Z", f"r-{WORD}"), CANARY)
    live.publish("contact-requests", request("c-2", "2026-03-02T11:00:00Z", "r-2"), CANARY)  # under another's key
    live.publish("customers", event("customer.merged", of=CANARY, id_="m", into=f"x{CANARY}"), CANARY)
    live.publish("orders", WORD.encode(), CANARY)
    live.publish("orders", event("order.placed", of=CANARY, id_=WORD, order_id=5, promised_at=WORD), CANARY)
    live.publish("orders", event(f"order.{WORD}", of=CANARY, id_=WORD), CANARY)
    live.publish("products", WORD.encode(), CANARY)
    live.publish("rulebooks", f"rulebook: {WORD}\n".encode(), CANARY)
    live.flush()


def test_neither_log_nor_page_nor_argument_holds_a_customers_words(broker: Live, tokens: TokenFile) -> None:
    """Log, /metrics, /readyz, argv: with rubbish, refusals, moves and the API's own faults, and after a restart.

    Nor does any of them hold a token; the store is open to its owner alone.
    """
    whatever_happens(broker)
    for _ in range(2):
        worker = broker.worker().ready()
        until(lambda: len(broker.read("dead-letters")) >= 3, what="the dead letters")
        address, token = address_of(worker), tokens.tokens["crm"]
        asked = {"subject": CANARY, "data": {"request_id": WORD, "candidates": [{"action": WORD}]}}
        assert decide(address, token, asked).status == 422
        for path in (f"/v1/customers/{CANARY}/context", f"/v1/decisions/{WORD}", f"/v1/{WORD}", f"/v1/stops?{WORD}=1"):
            call(address, path, token)
            call(address, path, WORD)
        pages = "".join(worker.page(path)[1] for path in ("/metrics", "/readyz", "/healthz", f"/{WORD}"))
        arguments = Path(f"/proc/{worker.process.pid}/cmdline").read_text()
        for where, told in {"log": worker.whole_output.decode(), "pages": pages, "argv": arguments}.items():
            for secret in (CANARY, WORD, token):
                assert secret not in told, where
        assert worker.term() == 0, worker.output
    stores = [one.parent for one in broker.data().rglob("CURRENT")]
    assert stores
    for folder in (broker.data(), *stores):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
