"""Decisions as bytes: ids that anyone can compute, times, the order of fields, both modes."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from decisioning.decision import (
    Decision,
    Outcome,
    Trigger,
    Verdict,
    candidate,
    data,
    decision_id,
    dumps,
    dumps_binary,
    trigger_of,
    wake_of,
)
from decisioning.instant import HOUR
from decisioning.payload import ContactRequested
from tests.builders import CUSTOMER, Story, asked, at, bought, event, lives, offer, only


def by_hand(source: str, id_: str, subject: str, outcome: str, action: str, ref: str) -> str:
    """The id as the contract's reading 12 says it, with the standard library alone."""
    text = json.dumps([source, id_, subject, outcome, action, ref], separators=(",", ":"), ensure_ascii=False)
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


def read(decision: Decision) -> dict[str, Any]:
    """The decision as a consumer reads it."""
    found = json.loads(dumps(decision))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    "parts",
    [
        ("/crm", "e-18", "c-42", "suppress", "ereader_sale", "0"),
        ("/crm", "e-18", "c-42", "hold", "", '{"classes":["marketing"]}'),
        ("/läden/東京", "é", "müller@例え.jp", "act", "größer", "99"),
        ('/a"b\\c', "tab\tnew\nline", "\x7f\x01", "recall", "</script>", "/"),
        ("", "", "", "release", "", ""),
    ],
)
def test_an_id_is_made_of_six_texts_as_the_standard_library_would(parts: tuple[str, str, str, str, str, str]) -> None:
    """UUIDv5 in the URL namespace of the compact JSON array, UTF-8, non-ASCII as itself (reading 12)."""
    source, id_, subject, outcome, action, ref = parts
    made = decision_id(Trigger(source, id_, "t"), subject, Outcome(outcome), action or None, ref)
    assert made == by_hand(*parts)


def test_an_id_known_by_heart() -> None:
    """One vector, fixed for ever: another language must come to the same id."""
    trigger = Trigger("/crm", "e-18", "contact.requested")
    assert decision_id(trigger, "c-42", Outcome.SUPPRESS, "ereader_sale", "0") == "ed52ad70-4364-5e23-b7b7-1bb098d83c41"


def test_an_answers_id_names_the_candidates_place(story: Story) -> None:
    """ref is the candidate's index, "0" for the first."""
    low, high = offer("low", value=1), offer("high", value=2)
    act = only(story.at("2026-03-02 10:15", asked(low, high).named("e-18")))
    assert act.id == by_hand("/shop", "e-18", CUSTOMER, "act", "high", "1")


def test_a_recalls_id_names_what_it_recalls(story: Story) -> None:
    """ref is the recalled id, the trigger is the event that made it wrong."""
    act = only(story.at("2026-03-02 10:15", asked()))
    [recall] = [one for one in story.at("2026-03-02 10:20", bought("A").named("p-1")) if one.outcome is Outcome.RECALL]
    assert recall.id == by_hand("/shop", "p-1", CUSTOMER, "recall", "offer", act.id)


def test_a_wakes_id_is_made_of_cause_and_due(story: Story) -> None:
    """Trigger id `<cause source>#<cause id>@<due>`, trigger source `/decisioning`."""
    story.at("2026-03-02 22:00", asked().named("e-7"))
    act = only(story.until("2026-03-03 08:00"))
    assert act.trigger == Trigger("/decisioning", "/shop#e-7@2026-03-03T08:00:00Z", "wake")
    assert act.id == by_hand("/decisioning", "/shop#e-7@2026-03-03T08:00:00Z", CUSTOMER, "act", "offer", "0")


def test_a_wake_due_between_two_seconds_says_so() -> None:
    """The due is written as all output times are."""
    assert wake_of(Trigger("/a", "1", "t"), at("2026-03-02 10:15:00.120")).id == "/a#1@2026-03-02T10:15:00.12Z"


def test_the_contracts_own_example(story: Story) -> None:
    """Section 3, field by field and in its order."""
    story.at("2026-03-02 10:15", bought("EREADER-1", price="100.00"))
    request = asked(offer("ereader_sale", sku="EREADER-1", price="80.00", on=["sms"]), request="r-1").named("e-18")
    told = read(only(story.at("2026-03-20 09:00", request)))
    assert list(told) == ["specversion", "id", "source", "type", "time", "subject", "data"]
    assert told["id"] == by_hand("/shop", "e-18", CUSTOMER, "suppress", "ereader_sale", "0")
    assert (told["specversion"], told["source"], told["type"]) == ("1.0", "/decisioning", "decision.suppress")
    assert (told["time"], told["subject"]) == ("2026-03-20T09:00:00Z", "c-42")
    facts = {"sku": "EREADER-1", "bought_at": "2026-03-02T10:15:00Z", "paid": "100.00", "offered": "80.00"}
    assert json.dumps(told["data"]) == json.dumps(
        {
            "outcome": "suppress",
            "action": "ereader_sale",
            "class": "marketing",
            "channel": "sms",
            "reason": "recent_purchase.price_drop",
            "request_id": "r-1",
            "trigger": {"source": "/shop", "id": "e-18", "type": "contact.requested"},
            "allowed_from": "2026-04-01T10:15:00Z",
            "considered": [
                {
                    "action": "ereader_sale",
                    "channel": "sms",
                    "verdict": "suppress",
                    "reason": "recent_purchase.price_drop",
                    "because": facts,
                    "allowed_from": "2026-04-01T10:15:00Z",
                }
            ],
            "rulebook": {"name": "bare", "version": "1", "digest": story.policy.rulebook.digest},
        }
    )


def test_all_fields_stand_in_the_order_of_the_contract() -> None:
    """Whatever is present; what is absent is left out, never null."""
    trigger = Trigger("/s", "1", "t")
    full = Decision(
        outcome=Outcome.ACT,
        subject="c",
        time=0,
        trigger=trigger,
        ref="0",
        reason="allowed.clear",
        rulebook={"name": "n"},
        action="a",
        class_="marketing",
        channel="sms",
        request_id="r",
        cause=trigger,
        valid_until=1,
        not_before=2,
        allowed_from=3,
        recalls="x",
        context={"name": "Ada"},
    )
    assert list(data(full)) == [
        "outcome",
        "action",
        "class",
        "channel",
        "reason",
        "request_id",
        "trigger",
        "cause",
        "valid_until",
        "not_before",
        "allowed_from",
        "recalls",
        "context",
        "rulebook",
    ]
    bare = Decision(Outcome.SUPPRESS, "c", 0, trigger, "0", "dnc.erased", {"name": "n"})
    assert list(data(bare)) == ["outcome", "reason", "trigger", "rulebook"]


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("2026-03-02 10:15", "2026-03-02T10:15:00Z"),
        ("2026-03-02 10:15:00.5", "2026-03-02T10:15:00.5Z"),
        ("2026-03-02 10:15:00.000001", "2026-03-02T10:15:00.000001Z"),
        ("2026-03-02T12:15:00.120+02:00", "2026-03-02T10:15:00.12Z"),
    ],
)
def test_output_times_are_utc_and_as_short_as_can_be(story: Story, when: str, text: str) -> None:
    """Whole seconds without fraction, else microseconds without trailing zeros (reading 12)."""
    told = read(only(story.at(when, asked())))
    assert told["time"] == text
    assert told["data"]["valid_until"] == text.replace("T10", "T14")


def test_a_verdict_tells_its_facts() -> None:
    """`considered` says allow, suppress or defer; what is absent is left out."""
    request = event("contact.requested", "2026-03-02 10:15", {"request_id": "r", "candidates": [offer()]})
    assert isinstance(request.data, ContactRequested)
    one = candidate(request.data.candidates[0], 0, request.time, HOUR)
    allowed = Verdict(one, "email", Outcome.ACT, "allowed.clear")
    assert allowed.allowed
    assert allowed.as_json() == {"action": "offer", "channel": "email", "verdict": "allow", "reason": "allowed.clear"}
    waits = Verdict(one, "sms", Outcome.DEFER, "quiet_hours.night", {"zones": ["UTC"]}, at("2026-03-03 08:00"))
    assert not waits.allowed
    assert waits.as_json() == {
        "action": "offer",
        "channel": "sms",
        "verdict": "defer",
        "reason": "quiet_hours.night",
        "because": {"zones": ["UTC"]},
        "not_before": "2026-03-03T08:00:00Z",
    }


def test_a_candidate_is_remembered_as_it_was_asked() -> None:
    """Its place, its end (24 h by default, from the request's time), each channel once, its value exact."""
    fields = {"sku": "A", "category": "k", "price": "1.10", "currency": "GBP", "topic": "t", "audience": "u"}
    full = offer(on=["sms", "email", "sms"], value="0.1", needs_ok=["vegan"], **fields)
    dated = offer(expires="2026-03-02 12:00", value=0.1)
    request = event("contact.requested", "2026-03-02 10:15", {"request_id": "r", "candidates": [full, dated, offer()]})
    assert isinstance(request.data, ContactRequested)
    first, second, third = [candidate(one, n, request.time, HOUR) for n, one in enumerate(request.data.candidates)]
    assert [first.index, second.index, third.index] == [0, 1, 2]
    assert first.channels == ("sms", "email")
    assert first.worth == second.worth > third.worth == 0
    assert (first.expires_at, second.expires_at) == (at("2026-03-02 11:15"), at("2026-03-02 12:00"))
    assert (first.needs_ok, first.topic, first.audience, first.price) == (("vegan",), "t", "u", "1.10")


def test_the_trigger_is_the_event() -> None:
    """Source, id and type of what brought it about."""
    happened = event("customer.erased", "2026-03-02 10:15", {}, "e-9", source="/dsr")
    assert trigger_of(happened) == Trigger("/dsr", "e-9", "customer.erased")
    assert trigger_of(happened).as_json() == {"source": "/dsr", "id": "e-9", "type": "customer.erased"}


def test_traceparent_is_copied_from_event_to_decision(story: Story) -> None:
    """Also to the answer that is given at a wake."""
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    request = {"request_id": "r-1", "candidates": [offer()]}
    asked_at_night = event("contact.requested", "2026-03-02 22:00", request, traceparent=parent)
    answer = only(list(story.run.feed(asked_at_night)))
    assert read(answer)["traceparent"] == parent
    assert read(only(story.until("2026-03-03 08:00")))["traceparent"] == parent
    story.at("2026-03-03 08:30", lives(name="Ada"))
    assert "traceparent" not in read(only(story.at("2026-03-05 10:00", asked())))


def test_binary_mode_has_the_same_content(story: Story) -> None:
    """Attributes as `ce_` headers, the data as the value: the Kafka binding of CloudEvents."""
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    request = {"request_id": "r-1", "candidates": [offer()]}
    answer = only(list(story.run.feed(event("contact.requested", "2026-03-02 10:15", request, traceparent=parent))))
    value, headers = dumps_binary(answer)
    told = read(answer)
    assert json.loads(value) == told.pop("data")
    assert {name.removeprefix("ce_"): content.decode() for name, content in headers if name.startswith("ce_")} == told
    assert (dict(headers)["content-type"], dict(headers)["traceparent"]) == (b"application/json", parent.encode())


def test_binary_mode_without_a_trace_has_no_header_of_it(story: Story) -> None:
    """What is absent is left out."""
    _, headers = dumps_binary(only(story.at("2026-03-02 10:15", asked())))
    assert [name for name, _ in headers] == [
        "content-type",
        *["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject"],
    ]


def test_the_same_decision_is_the_same_bytes(story: Story) -> None:
    """One id, one payload, for ever; and text is UTF-8, not escapes."""
    story.at("2026-03-02 10:00", lives(name="Jürgen 東"))
    answer = only(story.at("2026-03-02 10:15", asked()))
    assert dumps(answer) == dumps(answer)
    assert "Jürgen 東".encode() in dumps(answer)
