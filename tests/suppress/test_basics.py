"""Rule 6: a late order or a failed payment is settled before anything is offered."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.builders import (
    CUSTOMER,
    Happening,
    Story,
    asked,
    at,
    bought,
    cancelled,
    delivered,
    eta_changed,
    of,
    offer,
    only,
    payment_failed,
    placed,
    said,
    shipped,
)

UNRESOLVED = ("suppress", "hold.basics_unresolved")
YES = ("act", "allowed.clear")
MONDAY, TUESDAY, WEDNESDAY = "2026-03-02 12:00", "2026-03-03 12:00", "2026-03-04 12:00"


def ask(story: Story, when: str, kind: str = "marketing") -> tuple[str, str]:
    """Outcome and reason of one question."""
    return said([only(story.at(when, asked(offer(kind=kind))))])[0]


def test_a_promised_time_that_passed_is_silence(story: Story) -> None:
    """Until delivered or cancelled, which no clock does; service goes on."""
    story.at(MONDAY, placed(promised="2026-03-04 12:00"))
    answer = only(story.at("2026-03-04 12:00:00.000001", asked()))
    assert said([answer]) == [UNRESOLVED]
    assert answer.allowed_from is None
    assert answer.considered[0].because == {"order_id": "o-1", "promised_at": "2026-03-04T12:00:00Z"}
    assert ask(story, "2026-03-05 12:00", "survey") == UNRESOLVED
    assert ask(story, "2026-03-05 12:00", "service") == YES


def test_at_the_promised_time_it_has_not_passed(story: Story) -> None:
    """Ages compare with > (reading 3)."""
    story.at(MONDAY, placed(promised="2026-03-04 12:00"))
    assert ask(story, "2026-03-04 12:00") == YES


def test_a_later_promise_than_the_one_before_is_silence_at_once(story: Story) -> None:
    """An event gave a later one than the event before."""
    story.at(MONDAY, placed(promised="2026-03-09 12:00"))
    story.at(TUESDAY, eta_changed("2026-03-10 12:00"))
    answer = only(story.at(TUESDAY, asked()))
    assert said([answer]) == [UNRESOLVED]
    assert answer.considered[0].because == {
        "order_id": "o-1",
        "promised_at": "2026-03-10T12:00:00Z",
        "postponed": True,
    }


@pytest.mark.parametrize("end", [delivered(), cancelled()])
def test_delivered_or_cancelled_ends_it(story: Story, end: Happening) -> None:
    """For ever: once delivered or cancelled an order is never late again (reading 6)."""
    story.at(MONDAY, placed(promised="2026-03-02 13:00"))
    story.at(TUESDAY, end)
    assert ask(story, TUESDAY) == YES
    story.at(WEDNESDAY, eta_changed("2026-04-01"), shipped(promised="2026-05-01"))
    assert ask(story, "2026-06-01 12:00") == YES


@pytest.mark.parametrize(
    ("end", "expected"),
    [(delivered(), YES), (cancelled(), YES), (shipped(), UNRESOLVED), (placed(), UNRESOLVED)],
)
def test_a_failed_payment_is_silence_until_it_is_settled(
    story: Story, end: Happening, expected: tuple[str, str]
) -> None:
    """Until delivered or cancelled."""
    story.at(MONDAY, payment_failed())
    answer = only(story.at(MONDAY, asked()))
    assert said([answer]) == [UNRESOLVED]
    assert answer.allowed_from is None
    assert answer.considered[0].because == {"order_id": "o-1", "payment_failed_at": "2026-03-02T12:00:00Z"}
    story.at(TUESDAY, end)
    assert ask(story, WEDNESDAY) == expected


def test_a_payment_is_also_settled_by_a_later_purchase_of_that_order(story: Story) -> None:
    """Then rule 11 speaks for two days, and nothing after it."""
    story.at(MONDAY, payment_failed())
    story.at(TUESDAY, bought("A", order="o-2"))
    assert ask(story, "2026-03-06 12:00") == UNRESOLVED
    story.at("2026-03-07 12:00", bought("A"))
    assert ask(story, "2026-03-09 12:00") == YES


def test_a_failure_after_the_delivery_counts_again(story: Story) -> None:
    """One of the same or a later time (reading 6)."""
    story.at(MONDAY, delivered(), payment_failed())
    assert ask(story, TUESDAY) == UNRESOLVED
    story.at(TUESDAY, delivered())
    assert ask(story, WEDNESDAY) == YES


def test_a_promise_that_passes_first_counts_for_allowed_from(story: Story) -> None:
    """A rule that begins to refuse before then counts too: rule 11 ends only after the order is late."""
    story.at(MONDAY, bought("A", promised_at="2026-03-03T12:00:00Z"))
    answer = only(story.at(MONDAY, asked()))
    assert (answer.reason, answer.allowed_from) == ("recent_purchase.cooldown", None)


def test_a_promise_that_passes_later_is_none_yet(story: Story) -> None:
    """The order is on its way, and its time has not come."""
    story.at(MONDAY, bought("A", promised_at="2026-03-09T12:00:00Z"))
    assert only(story.at(MONDAY, asked())).allowed_from == at("2026-03-04 12:00")


def test_it_takes_back_what_is_live(story: Story) -> None:
    """The payment fails while an offer waits to go out."""
    act = only(story.at(MONDAY, asked()))
    recall = only(of("recall", story.at("2026-03-02 12:10", payment_failed())))
    assert (recall.recalls, recall.reason) == (act.id, "hold.basics_unresolved")


def test_an_order_that_memory_had_to_forget_stays_unresolved(story: Story) -> None:
    """What is forgotten is forgotten to the strict side."""
    story.run.states[CUSTOMER] = replace(story.state, lost=("orders",))
    assert ask(story, MONDAY) == UNRESOLVED
