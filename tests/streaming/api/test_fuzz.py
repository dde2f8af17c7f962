"""Schemathesis asks a real worker what the OpenAPI document allows, and what it does not, for some seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from decisioning.streaming.api.openapi import document
from decisioning.streaming.api.tokens import Scope
from tests.streaming.api.calls import TokenFile, address_of
from tests.streaming.live import Live

_HELD: Final = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
schema: Any = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Where a worker's API listens, and a token for all of it."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    tokens = TokenFile(folder, fuzz=[*Scope])
    with Live(folder, api_tokens_file=tokens.path, api_port=0, api_rate=100_000, api_wait_ms=50) as broker:
        worker = broker.worker().ready()
        yield address_of(worker), tokens.tokens["fuzz"]
        assert worker.process.poll() is None, worker.output
        assert worker.term() == 0


@schema.parametrize()  # type: ignore[untyped-decorator]  # of a schema that is made when it is read
@settings(
    max_examples=40, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[*HealthCheck],
)  # fmt: skip
def test_it_keeps_its_word(case: Any, target: tuple[str, str]) -> None:
    """Never a server error, never an answer that the document does not have, whatever is sent."""
    address, token = target
    assume([] not in (case.query or {}).values())  # a parameter with no value is not sent
    case.call_and_validate(
        base_url=address, headers={"Authorization": f"Bearer {token}"}, checks=_HELD, allow_redirects=False,
        timeout=30,
    )  # fmt: skip
