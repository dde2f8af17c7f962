"""An unreadable state: service goes on, marketing and surveys are silent (design.md, section 4)."""

from __future__ import annotations

import pytest

from decisioning.decision import Decision
from decisioning.engine import on_event
from decisioning.state import State
from tests.builders import CUSTOMER, Story, event, offer, only, said


def answer_of_the_forgotten(kind: str) -> Decision:
    """The answer to a request about a customer whose record did not parse."""
    request = event("contact.requested", "2026-03-02 10:15", {"request_id": "r-1", "candidates": [offer(kind=kind)]})
    return only(on_event(Story().policy, State(CUSTOMER, degraded=True), request, request.time).outputs)


@pytest.mark.parametrize("kind", ["marketing", "survey"])
def test_what_we_cannot_remember_keeps_marketing_silent(kind: str) -> None:
    """Before consent speaks, for without memory nobody knows of a consent."""
    answer = answer_of_the_forgotten(kind)
    assert said([answer]) == [("suppress", "degraded.state")]
    assert answer.allowed_from is None, "nothing but a repair ends it"


@pytest.mark.parametrize("kind", ["service", "care"])
def test_service_goes_on_without_a_memory(kind: str) -> None:
    """Unknown means no marketing, never no service."""
    assert said([answer_of_the_forgotten(kind)]) == [("act", "allowed.clear")]
