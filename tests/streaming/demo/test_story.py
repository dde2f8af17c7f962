"""One customer's story in plain words."""

from __future__ import annotations

from decisioning.inbox import read
from decisioning.instant import parse_instant
from decisioning.streaming.demo.fact import CARRIER, SHOP, fact
from decisioning.streaming.demo.story import Story, Told, clock
from tests.streaming.demo.decided import decision

WHERE = {"action": "basket_reminder", "channel": "email"}


def told(value: bytes) -> Told:
    """The line that a decision about the protagonist becomes."""
    line = Story("c-7").decides(read(value))
    assert line is not None
    return line


def test_an_act_is_what_is_said_and_where() -> None:
    """No reason is needed for speaking."""
    assert told(decision("act", **WHERE)) == Told("Mon 06 Dec 12:00", "act", "basket reminder by email.")


def test_a_silence_gives_the_why_and_when_it_ends() -> None:
    """The reason's sentence for the customer, then the first instant at which it might be said."""
    line = told(decision("suppress", "recent_purchase.cooldown", **WHERE, allowed_from="2010-12-07T12:00:00Z"))
    assert line.text == (
        "basket reminder by email: You have just bought from us; we give you a rest. Possible again Tue 07 Dec 12:00."
    )


def test_a_deferral_says_when_it_asks_itself_again() -> None:
    """One further answer is promised at an instant."""
    line = told(decision("defer", "quiet_hours.night", **WHERE, not_before="2010-12-07T08:00:00Z"))
    assert line.text.startswith("basket reminder by email: It is late")
    assert line.text.endswith("Asks itself again Tue 07 Dec 08:00.")


def test_a_recall_names_what_it_takes_back() -> None:
    """The act it recalls is remembered by its id."""
    story = Story("c-7")
    story.decides(read(decision("act", id_="d-1", **WHERE)))
    line = story.decides(read(decision("recall", "recent_purchase.same_item", id_="d-2", recalls="d-1")))
    assert line is not None
    assert line.text == "basket reminder by email: You just bought this."


def test_what_happens_to_others_is_not_told() -> None:
    """Neither their facts nor their decisions; of the protagonist, the carrier's routine is left out too."""
    story = Story("c-8")
    assert story.decides(read(decision("act", **WHERE))) is None
    at = parse_instant("2010-12-06T12:00:00Z")
    bought = fact("customer.updated", "u", "c-7", at, {}, source=SHOP, label="moves")
    shipped = fact("order.shipped", "s", "c-8", at, {"order_id": "o"}, source=CARRIER, label="the order is shipped")
    assert story.happens(bought) is None
    assert story.happens(shipped) is None
    assert story.happens(bought._replace(key=b"c-8")) == Told("Mon 06 Dec 12:00", "happens", "moves")


def test_times_are_told_by_the_shops_clock() -> None:
    """In summer London is an hour ahead of UTC."""
    assert clock(parse_instant("2011-07-01T12:00:00Z")) == "Fri 01 Jul 13:00"
