"""What our user may do, as the brokers say it; a real one, with ACLs, is asked in tests/kafka/test_acls.py."""

from __future__ import annotations

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
