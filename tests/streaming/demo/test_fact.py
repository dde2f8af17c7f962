"""Facts: envelopes that the contract knows, labelled where they are invented, with the answers they are owed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from decisioning.event import parse
from decisioning.streaming.demo.fact import CRM, SHOP, fact


def test_a_fact_is_a_cloud_event_that_the_engine_reads() -> None:
    """Type, time, subject and data arrive as they were given; the topic is the contract's."""
    one = fact("customer.updated", "u-1", "c-7", 1_291_190_400_000_000, {"country": "GB"}, source=SHOP, real=True)
    event = parse(one.value)
    assert (event.source, event.id, event.type, event.time, event.subject) == (SHOP, "u-1", one.type, one.at, "c-7")
    assert (one.topic, one.key) == ("customers", b"c-7")


@pytest.mark.parametrize("real", [True, False])
def test_what_is_invented_says_so(real: bool) -> None:
    """A CloudEvents extension attribute marks synthetic events, and only them."""
    one = fact("customer.updated", "u-1", "c-7", 0, {"country": "GB"}, source=SHOP, real=real)
    assert orjson.loads(one.value).get("synthetic", False) is not real


@pytest.mark.parametrize(
    ("classes", "owed"),
    [(["marketing"], 1), (["marketing", "survey"], 1), (["service", "care"], 2), (["marketing", "service"], 2)],
)
def test_a_request_is_owed_one_answer_for_marketing_and_one_for_each_service(classes: list[str], owed: int) -> None:
    """Marketing and survey candidates compete for one answer, the others each have their own."""
    candidates: list[dict[str, Any]] = [{"action": "a", "class": class_, "channels": ["email"]} for class_ in classes]
    data = {"request_id": "r-1", "candidates": candidates}
    assert fact("contact.requested", "e-1", "c-7", 0, data, source=CRM).answers == owed
