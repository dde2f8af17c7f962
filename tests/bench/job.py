"""The job that every engine does: JSON in, a small state per key in RocksDB with a changelog, JSON out.

An event `{"id", "type", "customer_id", "sku", "amount"}` counts for its customer and joins the ids of their last ten;
the answer `{"id", "d", "n"}` bears the event's id, by which the bench finds it again, and the count.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

MARK: Final = b'"id":'
"""What stands before the id in an answer."""
LAST: Final = 10
_EVENT: Final = b'{"id":%d,"type":"purchase","customer_id":"%b","sku":"xxxxxxxxxxxxxxxxxxxx","amount":12.3}'


def event(number: int, customer: int) -> tuple[bytes, bytes]:
    """Key and value of an event; `number` is its id."""
    key = b"c%d" % customer
    return key, _EVENT % (number, key)


def state(count: int, first: int = 0) -> bytes:
    """The state of a customer with so many events, of ids from `first` on."""
    return orjson.dumps({"n": count, "last": list(range(first, first + min(count, LAST)))})


def step(before: dict[str, Any] | None, happened: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The customer's new state, and the answer."""
    after = before or {"n": 0, "last": []}
    after["n"] += 1
    after["last"] = [*after["last"], happened["id"]][-LAST:]
    return after, orjson.dumps({"id": happened["id"], "d": "suppress", "n": after["n"]})
