"""Publishes events about a customer. Copy `Outlet`; the three events below are only a story.

pip install aiokafka
KAFKA=127.0.0.1:9092 python producer.py c-42
"""

import asyncio
import json
import os
import sys
import uuid
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

TOPICS = {  # where each type belongs; all of them stand in contract/asyncapi.json
    "consent.granted": "customers",
    "purchase.completed": "purchases",
    "contact.requested": "contact-requests",
}


class Outlet:
    """Sends CloudEvents, inside `async with`."""

    def __init__(self, brokers):
        # Its default partitioner is Java's, as it must be. Idempotence: no loss, no change of order, no repeats.
        self._producer = AIOKafkaProducer(bootstrap_servers=brokers, acks="all", enable_idempotence=True, linger_ms=5)

    async def __aenter__(self):
        await self._producer.start()
        return self

    async def __aexit__(self, *error):
        await self._producer.stop()  # sends what waits

    async def send(self, type_, customer, data, *, id_=None, time=None):
        """`id_`: of your own record, if it has one. The same source and id sent again say nothing new.

        What is returned is a future of Kafka's acknowledgement: await it, sooner or later, or a loss stays unseen.
        """
        event = {
            "specversion": "1.0",
            "id": id_ or str(uuid.uuid4()),
            "source": "/shop",
            "type": type_,
            "time": (time or datetime.now(UTC)).isoformat(),  # when it happened, with an offset
            "subject": customer,
            "data": data,
        }
        return await self._producer.send(
            TOPICS[type_],
            json.dumps(event).encode(),
            key=customer.encode(),  # the same as `subject`, so that all of a customer is in order
            headers=[("content-type", b"application/cloudevents+json")],
        )


async def tell(outlet, customer):
    # Money is a decimal string, never a float.
    line = {"sku": "EREADER-1", "quantity": 1, "unit_price": "100.00"}
    bought = {"order_id": str(uuid.uuid4()), "currency": "GBP", "lines": [line]}
    # May we speak, and how? The answer comes on the topic `decisions`, with this request_id.
    offer = {"action": "ereader_sale", "class": "marketing", "channels": ["sms", "email"], "sku": "EREADER-1"}
    asked = {"request_id": str(uuid.uuid4()), "candidates": [offer]}
    taken = [
        await outlet.send("consent.granted", customer, {"purpose": "marketing"}),
        await outlet.send("purchase.completed", customer, bought),
        await outlet.send("contact.requested", customer, asked),
    ]
    await asyncio.gather(*taken)


async def main(*customers):
    async with Outlet(os.environ.get("KAFKA", "127.0.0.1:9092")) as outlet:
        for customer in customers:
            await tell(outlet, customer)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
