"""Publishes events about a customer. Copy `Outlet`; the three events below are only a story.

pip install confluent-kafka
KAFKA=127.0.0.1:9092 python producer.py c-42
"""

import json
import os
import sys
import uuid
from datetime import UTC, datetime

from confluent_kafka import Producer

TOPICS = {  # where each type belongs; all of them stand in contract/asyncapi.json
    "consent.granted": "customers",
    "purchase.completed": "purchases",
    "contact.requested": "contact-requests",
}


class Outlet:
    """Sends CloudEvents; `close` waits until Kafka has all of them, and raises if it has not."""

    def __init__(self, brokers):
        self._failed = []
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                # The partition must be Java's choice on every topic. librdkafka's own default is another.
                "partitioner": "murmur2_random",
                # No loss, no change of order and no repeats by retries.
                "enable.idempotence": True,
                "linger.ms": 5,
            }
        )

    def send(self, type_, customer, data, *, id_=None, time=None):
        """`id_`: of your own record, if it has one. The same source and id sent again say nothing new."""
        event = {
            "specversion": "1.0",
            "id": id_ or str(uuid.uuid4()),
            "source": "/shop",
            "type": type_,
            "time": (time or datetime.now(UTC)).isoformat(),  # when it happened, with an offset
            "subject": customer,
            "data": data,
        }
        self._producer.produce(
            TOPICS[type_],
            json.dumps(event).encode(),
            key=customer,  # the same as `subject`, so that all of a customer is in order
            headers={"content-type": "application/cloudevents+json"},
            on_delivery=self._delivered,
        )
        self._producer.poll(0)

    def _delivered(self, error, message):
        if error is not None:
            self._failed.append(error)

    def close(self):
        if self._producer.flush(30) or self._failed:
            raise RuntimeError(f"not all events were taken, send them again: {self._failed}")


def main(*customers):
    outlet = Outlet(os.environ.get("KAFKA", "127.0.0.1:9092"))
    for customer in customers:
        outlet.send("consent.granted", customer, {"purpose": "marketing"})
        # Money is a decimal string, never a float.
        line = {"sku": "EREADER-1", "quantity": 1, "unit_price": "100.00"}
        outlet.send("purchase.completed", customer, {"order_id": str(uuid.uuid4()), "currency": "GBP", "lines": [line]})
        # May we speak, and how? The answer comes on the topic `decisions`, with this request_id.
        offer = {"action": "ereader_sale", "class": "marketing", "channels": ["sms", "email"], "sku": "EREADER-1"}
        outlet.send("contact.requested", customer, {"request_id": str(uuid.uuid4()), "candidates": [offer]})
    outlet.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
