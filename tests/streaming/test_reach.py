"""What is said when Kafka does not let us in; TLS and passwords on a real one: tests/kafka/test_transport.py."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from decisioning.streaming.broker import start_broker
from decisioning.streaming.reach import why_not
from decisioning.streaming.settings import Settings

PASSWORD = "canary-in-the-coal-mine"


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    """The address of a broker that speaks plain text."""
    with start_broker(["orders"]) as broker:
        yield broker.address


async def test_a_port_where_nobody_listens() -> None:
    """The address is wrong or the broker is down."""
    assert (
        await why_not(Settings(kafka="127.0.0.1:1")) == "nobody listens there; start it, or correct DECISIONING_KAFKA"
    )


async def test_a_name_that_is_not_known() -> None:
    """Names of no host are never resolved (RFC 6761)."""
    assert await why_not(Settings(kafka="broker.invalid:9092")) == "the name is not known; correct DECISIONING_KAFKA"


async def test_a_broker_that_never_answers() -> None:
    """It listens and is silent: 3 seconds, and no more for three of them."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert (await why_not(Settings(kafka=f"{address},{address}"))).startswith("no answer; ")


async def test_tls_to_a_plain_port_names_the_setting_and_not_the_password(plain: str) -> None:
    """Of two addresses the one that is there speaks for both."""
    settings = Settings(
        kafka=f"127.0.0.1:1,{plain}", security_protocol="SASL_SSL", sasl_username="u", sasl_password=SecretStr(PASSWORD)
    )
    words = await why_not(settings)
    assert "SASL_SSL; set DECISIONING_SECURITY_PROTOCOL" in words
    assert PASSWORD not in words


async def test_a_broker_that_answers_after_all(plain: str) -> None:
    """What was wrong has passed."""
    assert (await why_not(Settings(kafka=plain))).endswith("try again")
