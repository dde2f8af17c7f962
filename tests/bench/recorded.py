"""The worker's input: the demo's shop days, of many shops at once, so that there are enough customers.

A run begins in their midst, at `MIDST`: what was before is in the customers' states already, as the pure engine leaves
them. So the worker meets the mixture of events, and the memories, that a shop's worker meets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from math import ceil
from typing import Final, NamedTuple

from decisioning import rulebook, state
from decisioning.catalogue import Catalogue
from decisioning.errors import EventRejected
from decisioning.event import parse
from decisioning.policy import Policy
from decisioning.replay import Replay
from decisioning.streaming.chassis.header import Header, pack
from decisioning.streaming.chassis.store import raw_key
from decisioning.streaming.demo.fact import Fact
from decisioning.streaming.demo.sample import invoices
from decisioning.streaming.demo.shop import History, history
from tests.bench.engine import ROOT
from tests.bench.load import Sent

SEED: Final = 7
MIDST: Final = 0.4
"""The share of the recorded events that is over when a run begins."""


class Kept(NamedTuple):
    """A customer's state at some time."""

    subject: bytes
    wake_at: int | None
    clock: int
    body: bytes


@cache
def _history() -> History:
    return history(invoices(), SEED)


def facts() -> list[Fact]:
    """The events of one shop."""
    return _history().facts


def recorded(customers: int) -> list[Sent]:
    """The events after `MIDST` of so many customers or a few more, in the order of time. What is owed an answer has an
    id."""
    later = facts()[int(len(facts()) * MIDST) :]
    return [_copy(one, number) for one in later for number in range(_copies(customers))]


def remembered(share: float) -> list[Kept]:
    """The states of one shop's customers when so large a share of its events is over."""
    book = ROOT / "rules" / "retail.yaml"
    run = Replay(Policy(rulebook.parse(book.read_bytes(), str(book)), Catalogue()))
    for one in [*_history().described, *facts()[: int(len(facts()) * share)]]:
        with suppress(EventRejected):
            for _ in run.feed(parse(one.value)):
                pass
    return [Kept(subject.encode(), of.wake_at, of.now, state.dumps(of)) for subject, of in run.states.items()]


def before(topic: str, customers: int) -> Iterator[Sent]:
    """The changelog records of the customers whose events `recorded` gives."""
    return (
        kept(topic, one, name(one.subject, number))
        for one in remembered(MIDST)
        for number in range(_copies(customers))
    )  # fmt: skip


def kept(topic: str, one: Kept, key: bytes) -> Sent:
    """The changelog record of a customer who is as this one, and bears that name."""
    header = Header(sequence=1, wake_at=one.wake_at, clock=one.clock, forgotten=False)
    return Sent(topic, raw_key(key), pack(header, one.body.replace(b'"%b"' % one.subject, b'"%b"' % key)), None)


def described() -> Iterator[Sent]:
    """The catalogue."""
    return (Sent(one.topic, one.key, one.value, None, one.at // 1000) for one in _history().described)


def name(subject: bytes, number: int) -> bytes:
    """The same customer in another shop."""
    return b"%b-%d" % (subject, number)


def _copies(customers: int) -> int:
    return ceil(customers / len({one.key for one in facts()}))


def _copy(one: Fact, number: int) -> Sent:
    """The same of another customer; their requests are other requests."""
    key = name(one.key, number)
    value = one.value.replace(one.key, key)
    asked = None
    if one.answers and "request_id" in one.data:  # what cannot be read is answered by a dead letter
        request = str(one.data["request_id"]).encode()
        asked = name(request, number)
        value = value.replace(b'"%b"' % request, b'"%b"' % asked)
    return Sent(one.topic, key, value, asked, one.at // 1000)


def newest(states: Sequence[Kept]) -> int:
    """The newest instant that any of these has seen."""
    return max(one.clock for one in states)
