"""The worker's input: the demo's shop days, of many shops at once, so that there are enough customers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import ceil

from decisioning.streaming.demo.fact import Fact
from decisioning.streaming.demo.sample import invoices
from decisioning.streaming.demo.shop import History, history
from tests.bench.load import Sent

SEED = 7


@cache
def _history() -> History:
    return history(invoices(), SEED)


def facts() -> list[Fact]:
    """The events of one shop."""
    return _history().facts


def recorded(customers: int) -> list[Sent]:
    """All events of so many customers or a few more, in the order of time. What is owed an answer has an id."""
    copies = ceil(customers / len({one.key for one in facts()}))
    return [_copy(one, number) for one in facts() for number in range(copies)]


def described() -> Iterator[Sent]:
    """The catalogue."""
    return (Sent(one.topic, one.key, one.value, None, one.at // 1000) for one in _history().described)


def _copy(one: Fact, number: int) -> Sent:
    """The same of another customer; their requests are other requests."""
    key = b"%b-%d" % (one.key, number)
    value = one.value.replace(one.key, key)
    asked = None
    if one.answers and "request_id" in one.data:  # what cannot be read is answered by a dead letter
        request = str(one.data["request_id"]).encode()
        asked = b"%b-%d" % (request, number)
        value = value.replace(b'"%b"' % request, b'"%b"' % asked)
    return Sent(one.topic, key, value, asked, one.at // 1000)
