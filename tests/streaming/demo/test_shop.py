"""The whole history: reproducible, in order, readable, and of the right size."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from hashlib import sha256

import orjson
import pytest

from decisioning.errors import EventRejected
from decisioning.event import parse
from decisioning.streaming.demo.fact import Fact
from decisioning.streaming.demo.sample import Invoice
from decisioning.streaming.demo.shop import History, history


def digest(facts: list[Fact]) -> str:
    """One hash over every byte that would be published."""
    return sha256(b"\0".join(one.key + b"\0" + one.value for one in facts)).hexdigest()


def test_the_same_seed_tells_the_same_story_in_another_process(told: History) -> None:
    """Byte for byte, also under another hash seed."""
    code = (
        "from hashlib import sha256\n"
        "from decisioning.streaming.demo.sample import invoices\n"
        "from decisioning.streaming.demo.shop import history\n"
        "facts = history(invoices(), 7).facts\n"
        "print(sha256(b'\\0'.join(one.key + b'\\0' + one.value for one in facts)).hexdigest())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == digest(told.facts)


def test_another_seed_tells_another_story_of_the_same_purchases(sample: list[Invoice], told: History) -> None:
    """What is real does not depend on the seed."""
    other = history(sample, 8)
    assert digest(other.facts) != digest(told.facts)
    real = [one.value for one in told.facts if one.type.startswith("purchase.")]
    assert [one.value for one in other.facts if one.type.startswith("purchase.")] == real


def test_the_history_is_of_the_size_of_a_minute(told: History) -> None:
    """10,000 to 20,000 events with the catalogue, a third of them requests."""
    assert 10_000 < len(told.described) + len(told.facts) < 20_000
    assert told.owed > len(told.facts) / 3


def test_facts_come_in_the_order_of_time(told: History) -> None:
    """The event clock never runs back for anybody."""
    assert [one.at for one in told.facts] == sorted(one.at for one in told.facts)
    assert told.described[-1].at <= told.facts[0].at


def test_every_fact_but_the_rubbish_can_be_read(told: History) -> None:
    """The contract's own parser takes them all; of the rubbish it takes nothing."""
    refused: Counter[str] = Counter()
    for one in [*told.described, *told.facts]:
        try:
            event = parse(one.value)
        except EventRejected as error:
            refused[error.fault.value] += 1
            assert one.id.startswith("broken-")
        else:
            assert (event.source, event.id, event.type, event.subject) == (one.source, one.id, one.type, one.subject)
            assert event.data is not None
    assert refused == {"not_json": 2, "no_time": 2, "missing_field": 2}


def test_only_purchases_returns_and_countries_are_not_labelled_synthetic(told: History) -> None:
    """Whoever reads a topic of the demo can tell what was invented."""
    for one in [*told.described, *told.facts]:
        if not one.id.startswith("broken-"):
            real = one.type in ("purchase.completed", "purchase.returned", "customer.updated")
            assert orjson.loads(one.value).get("synthetic", False) is not real


def test_a_return_gives_back_units_at_the_number_of_its_credit_note(told: History) -> None:
    """The data set does not say which order a credit note undoes: quantities are positive, the order is its own."""
    returns = [one.data for one in told.facts if one.type == "purchase.returned"]
    assert len(returns) == 297
    assert all(data["order_id"].startswith("C") for data in returns)
    assert all(line["quantity"] > 0 for data in returns for line in data["lines"])


@pytest.mark.parametrize("seed", [7, 8])
def test_the_protagonist_has_a_story_to_tell(sample: list[Invoice], seed: int) -> None:
    """They buy, allow marketing, and several campaigns ask for them; and the story fits into a minute."""
    told = history(sample, seed)
    theirs = [one for one in told.facts if one.subject == told.protagonist]
    assert {"purchase.completed", "consent.granted", "contact.requested"} <= {one.type for one in theirs}
    assert len({one.data["campaign"] for one in theirs if "campaign" in one.data}) >= 4
    assert len(theirs) <= 60
