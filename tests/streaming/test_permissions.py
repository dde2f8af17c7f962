"""What our user may do, as the brokers say it; a real one, with ACLs, is asked in tests/kafka/test_acls.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient

from decisioning.streaming.acls import acls
from decisioning.streaming.broker import start_broker
from decisioning.streaming.permissions import missing
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import connected


async def test_a_broker_that_does_not_say_is_believed_to_grant() -> None:
    """The embedded one is too old to know of permissions."""
    with start_broker(["orders"]) as running:
        settings = Settings(kafka=running.address)
        async with connected(settings) as admin:
            assert await missing(admin, settings) is None


class Brokers:
    """What brokers answer where one topic is not there, one may not be described, and all else is granted."""

    def __init__(self, absent: str, hidden: str) -> None:
        self._codes = {absent: 3, hidden: 29}

    async def _send_request(self, request: Any) -> Any:
        names = request.build(lambda names, *_: names)
        rows: list[tuple[Any, ...]] = [
            (code := self._codes.get(name, 0), name, False, [], 0 if code else -1) for name in names
        ]
        return SimpleNamespace(topics=rows)

    async def find_coordinator(self, name: str) -> int:
        """Any."""
        return 1

    async def _send_request_to_node(self, node: int, request: Any) -> Any:
        return SimpleNamespace(groups=[(0, "Stable", -1)])


async def test_of_a_topic_that_is_not_there_nothing_is_said_to_be_refused() -> None:
    """The brokers grant nothing on it, for they know nothing of it; one that is hidden from us is refused."""
    settings = Settings()
    told = await missing(cast(AIOKafkaAdminClient, Brokers("purchases", "orders")), settings)
    assert told is not None
    assert told.absent == ["purchases"]
    assert told.rows == [row for row in acls(settings) if (row.resource, row.name) == ("Topic", "orders")] != []
