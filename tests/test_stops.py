"""Stops pulled by hand: what stands where several people pull and let go, and what is made of what cannot be read."""

from __future__ import annotations

import pytest

from decisioning.stops import NOTHING, UNREADABLE, Stop, Stops, What, Word, dumps, is_stop, joined, key_of, stops_more
from decisioning.suppress.stopped import Switch


def word(by: str, at: str = "12:00", why: str = "because") -> Word:
    """Somebody's word on one day."""
    return Word(by, f"2026-03-02T{at}:00Z", why)


def sms(by: str, at: str = "12:00") -> Stop:
    """Somebody stops the texts."""
    return Stop(What.CHANNEL, "sms", word(by, at))


def known(*stops: Stop) -> Stops:
    """What is on record after these, in this order."""
    found = Stops()
    for stop in stops:
        found.take(key_of(stop), dumps(stop))
    return found


def test_nobody_undoes_another_by_accident() -> None:
    """Each person's stop of a thing is one record: one of two that is over leaves the other standing."""
    anna, bob = sms("anna"), sms("bob", "12:05")
    over = anna.resume(word("anna", "13:00"))
    found = known(anna, bob, over)
    assert found.standing == [bob]
    assert found.known == [over, bob]
    assert found.stopped.switch.channels == ("sms",)
    assert found.stopped.cause == "channel sms@2026-03-02T12:05:00Z"
    assert known(anna, bob, over, bob.resume(word("anna"))).stopped == NOTHING


def test_the_later_word_of_one_person_holds() -> None:
    """To stop again after letting go is a new stop; a tombstone is the end of a record."""
    first = sms("anna")
    again = sms("anna", "14:00")
    found = known(first, first.resume(word("anna", "13:00")), again)
    assert (found.standing, found.known) == ([again], [again])
    assert found.take(key_of(again), None) is None
    assert found.known == []


def test_all_that_stands_is_silent_together() -> None:
    """Whoever stops adds, to other people's stops and to the rulebook's own."""
    things = [(What.MARKETING, ""), (What.ACTION, "sale"), (What.CAMPAIGN, "spring"), (What.CAMPAIGN, "autumn")]
    switch = known(*(Stop(what, name, word("anna")) for what, name in things)).stopped.switch
    assert (switch.marketing, switch.channels, switch.actions, switch.campaigns) == (
        True, (), ("sale",), ("autumn", "spring"),
    )  # fmt: skip
    both = joined(Switch(channels=("sms",), campaigns=("spring",)), switch)
    assert (both.marketing, both.channels, both.campaigns) == (True, ("sms",), ("autumn", "spring"))


@pytest.mark.parametrize(
    ("new", "old", "more"),
    [
        (Switch(), Switch(), False),
        (Switch(marketing=True), Switch(), True),
        (Switch(), Switch(marketing=True), False),
        (Switch(channels=("sms", "fax")), Switch(channels=("fax",)), True),
        (Switch(channels=("sms", "fax")), Switch(channels=("fax", "sms", "post")), False),
        (Switch(channels=("sms",)), Switch(actions=("sms",)), True),
    ],
)
def test_what_stops_more(new: Switch, old: Switch, more: bool) -> None:
    """Anything that was not stopped before."""
    assert stops_more(new, old) is more


def test_a_stop_and_a_rulebook_are_told_apart_by_key() -> None:
    """Whatever names are in it; no name of a rulebook that anybody would choose begins so."""
    assert is_stop(key_of(Stop(What.ACTION, 'a"b/c, "d"', word("Ö"))))
    assert not any(map(is_stop, (None, b"", b"retail", b"stop", b"\xff")))


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"rubbish", b"\xff", b'{"what":"channel","name":"sms","stopped":{}}', b"[" * 100_000]
)
def test_a_stop_that_cannot_be_read_stands(value: bytes) -> None:
    """Its key says what it stops."""
    found = Stops()
    stop = found.take(key_of(sms("anna")), value)
    assert found.stopped.switch.channels == ("sms",)
    assert stop is not None
    assert (stop.stopped.by, stop.stopped.why) == ("anna", UNREADABLE)


@pytest.mark.parametrize("key", [b'["stop","segment","vips","anna"]', b'["stop",', b'["stop",1]', b'["stop","\xff"]'])
def test_a_stop_of_a_kind_that_nobody_knows_silences_all_marketing(key: bytes) -> None:
    """A newer program may know more to stop: silence is the safe side, until it is over."""
    found = Stops()
    found.take(key, b'{"what":"segment","name":"vips","stopped":{"by":"anna","at":"","why":"x"}}')
    assert found.stopped.switch.marketing
    found.take(key, b'{"what":"segment","name":"vips","resumed":{"by":"anna","at":"","why":"x"}}')
    assert found.standing == []
