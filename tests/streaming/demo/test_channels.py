"""Simulated channels: what becomes of an act follows from its id, and a recall may stop it."""

from __future__ import annotations

from collections import Counter

import orjson

from decisioning.event import parse
from decisioning.inbox import read
from decisioning.instant import DAY, MINUTE
from decisioning.streaming.demo.channels import Channels
from tests.streaming.demo.decided import decision

NOON = read(decision("act")).time


def responses(*values: bytes, until: int = NOON + DAY) -> list[str]:
    """The types of all responses to the decisions, up to an instant."""
    channels = Channels()
    for value in values:
        channels.take(read(value))
    return [one.type for one in channels.due(until)]


def test_fates_are_drawn_from_the_decision_id() -> None:
    """Of a thousand acts some bounce, half arrive, some are looked at; the same id has the same fate."""
    acts = [decision("act", id_=f"d-{number}", channel="email") for number in range(1000)]
    fates = Counter(responses(*acts))
    assert fates == Counter(responses(*acts))
    assert 15 < fates["response.failed"] < 80
    assert 430 < fates["response.delivered"] < 600
    assert 50 < fates["response.clicked"] < 180


def test_responses_are_events_that_the_engine_reads() -> None:
    """They name the decision and the channel, and none comes before its time."""
    channels = Channels()
    for number in range(50):
        channels.take(read(decision("act", id_=f"d-{number}", channel="sms")))
    assert not list(channels.due(NOON + 4 * MINUTE))
    found = list(channels.due(NOON + DAY))
    assert found
    for one in found:
        assert parse(one.value).data is not None
        assert one.topic == "responses"
        assert one.data["channel"] == "sms"
        assert NOON < parse(one.value).time <= one.at


def test_a_recall_in_time_stops_the_message() -> None:
    """Recalled at the instant of the act, nothing has gone out: the one response says so, whatever its fate was."""
    for number in range(50):
        recall = decision("recall", "recent_purchase.cooldown", id_="d-r", recalls=f"d-{number}")
        assert responses(decision("act", id_=f"d-{number}"), recall) == ["response.recalled"]


def test_a_recall_of_what_is_out_is_too_late() -> None:
    """An hour later every channel has sent: `in_time` is false."""
    later = orjson.loads(decision("recall", "recent_purchase.cooldown", id_="d-r", recalls="d-1"))
    later["time"] = "2010-12-06T13:00:00Z"
    channels = Channels()
    channels.take(read(decision("act")))
    channels.take(read(orjson.dumps(later)))
    (recalled,) = [one for one in channels.due(NOON + DAY) if one.type == "response.recalled"]
    assert recalled.data == {"decision_id": "d-1", "in_time": False}


def test_silence_has_no_channel() -> None:
    """What was not said gets no response."""
    for number in range(50):
        assert responses(decision("suppress", "consent.missing", id_=f"d-{number}")) == []
        assert responses(decision("defer", "quiet_hours.night", id_=f"d-{number}")) == []
