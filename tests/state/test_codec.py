"""A memory's bytes: what was stored is read again, older formats too; growth is kept, the rest refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import zstandard
from msgspec.structs import replace

from decisioning.errors import StateTooNew, StateUnreadable
from decisioning.state import Act, State, erase
from decisioning.state.codec import GROWTH, VERSION, Glance, dumps, glance, loads
from tests.builders import CUSTOMER, Story, asked, at, bought, case_opened, granted, offer
from tests.state.test_init import OFFER

_LONG = State("c-1", acts=tuple(Act(f"a-{number}", number, 9, OFFER, "email") for number in range(100)))


def plain(body: bytes) -> bytes:
    """A stored record's msgpack, packed or not."""
    return zstandard.decompress(body[3:]) if body[2] else body[3:]


def grown(state: State, *more: object, times: int = GROWTH + 1) -> bytes:
    """The record that a newer program would store, whose `State` has these further fields."""
    fields = msgspec.msgpack.encode([*msgspec.msgpack.decode(plain(dumps(state))), *more])
    packed = len(fields) >= 512
    return bytes((VERSION, times, packed)) + (zstandard.compress(fields, level=1) if packed else fields)


def as_json(state: State, version: int = 2) -> bytes:
    """The record that a program of an earlier format would store."""
    return bytes([version]) + msgspec.json.encode(state)


def test_the_first_byte_is_the_formats_version() -> None:
    """So that an older format can be told from a newer one before anything is parsed."""
    assert dumps(State("c"))[0] == VERSION


def test_a_long_state_is_packed_and_a_short_one_is_not() -> None:
    """Both are read, and both are the same bytes each time."""
    for state, packed in ((State("c"), 0), (_LONG, 1)):
        body = dumps(state)
        assert body[2] == packed
        assert loads(body) == state
        assert dumps(loads(body)) == body
    assert len(dumps(_LONG)) < len(as_json(_LONG)) / 3


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_format_is_read_and_stored_anew(version: int) -> None:
    """Fields that it did not know have their defaults."""
    whole = msgspec.json.decode(as_json(_LONG, version)[1:])
    body = bytes([version]) + msgspec.json.encode(whole[:16] if version == 1 else whole)
    assert loads(body) == _LONG
    assert dumps(loads(body)) == dumps(_LONG)


def test_a_newer_format_is_refused_by_its_own_name() -> None:
    """It must be read by the newer version, not guessed at."""
    with pytest.raises(StateTooNew, match="run the newer one"):
        loads(bytes([VERSION + 1]) + dumps(State("c"))[1:])


@pytest.mark.parametrize("before", [State("c-1", now=7, lost=("cases",)), replace(_LONG, now=7)], ids=["short", "long"])
def test_an_upgrade_that_is_taken_back_loses_nothing(before: State) -> None:
    """Fields that only a newer program knows come through whatever we do, and are there when it comes back."""
    more: tuple[Any, ...] = ({"kind": "loyalty"}, [1, [2]], None)
    raw = grown(before, *more, times=3)
    state = loads(raw)
    assert dumps(state) == raw
    assert (state.subject, state.now, state.lost, state.acts) == ("c-1", 7, before.lost, before.acts)
    later = replace(state, now=9)
    assert dumps(later) == grown(replace(before, now=9), *more, times=3)
    assert dumps(loads(dumps(later))) == dumps(later)


def test_what_happens_between_is_folded_and_the_rest_is_kept() -> None:
    """A whole story over a grown state ends as over a plain one, with the rest behind it."""
    one, ahead = Story(), Story()
    for story in (one, ahead):
        story.at("2026-03-01 09:00", granted(), bought("A", order="o-1"))
    ahead.run.states[CUSTOMER] = loads(grown(ahead.state, "more"))
    for story in (one, ahead):
        story.at("2026-03-05 09:00", asked(offer()), case_opened(order_id="o-1"))
    assert dumps(ahead.state) == grown(one.state, "more")


def test_a_record_from_before_the_format_grew_is_read() -> None:
    """Its last fields have their defaults, and it is stored anew with what has grown since."""
    fields = msgspec.msgpack.decode(plain(dumps(State("c-1", now=7))))
    assert loads(bytes((VERSION, 0, 0)) + msgspec.msgpack.encode(fields[:-1])) == State("c-1", now=7)
    assert dumps(State("c-1", unsaid=9))[1] == GROWTH
    assert loads(dumps(State("c-1", unsaid=9))).unsaid == 9


def test_erasure_keeps_nothing_that_we_do_not_know() -> None:
    """The rest may hold anything of the person."""
    raw = dumps(erase(loads(grown(State("c-1"), "canary"))))
    assert b"canary" not in plain(raw)
    assert raw[1] == GROWTH


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\x00[]", b"\x01", b"\x01{}", b"\x01[", b"\x02\xff", b"\x02" + b"[" * 100_000,
        b"\x03", b"\x03\x00", b"\x03\x00\x00", b"\x03\x00\x00\x90", b"\x03\x00\x02\x90",
        b"\x03\x00\x01\x28\xb5\x2f\xfd", dumps(_LONG)[:-1], dumps(_LONG)[:40], b"\x03\x00\x00" + b"\x91" * 100_000,
        b"\x03\x00\x01" + zstandard.compress(bytes(17 * 1024 * 1024)),
        b"\x03\x00\x01" + zstandard.ZstdCompressor(write_content_size=False).compress(plain(dumps(_LONG))),
    ],
)  # fmt: skip
def test_what_does_not_parse_is_unreadable(body: bytes) -> None:
    """One kind of error for all, so that the customer can be degraded and counted; and nothing that swells without
    end."""
    with pytest.raises(StateUnreadable):
        loads(body)


def test_live_acts_are_seen_without_reading_the_rest(story: Story) -> None:
    """At an instant, or at the customer's own; in every format, and where a newer program wrote more; none of what
    cannot be read."""
    [act] = story.at("2026-03-02 12:00", asked())
    for body in (dumps(story.state), as_json(story.state), grown(story.state, "more"), dumps(replace(_LONG, now=3))):
        known = loads(body)
        live = [one.id for one in known.acts]
        assert [one.id for one in glance(body, None).live] == live
    body = dumps(story.state)
    assert [one.id for one in glance(body, at("2026-03-02 15:59")).live] == [act.id]
    assert glance(body, at("2026-03-02 16:00")).live == ()
    lost = (b"", b"\2", b"\2[", b"\3", body[:40], b"\3\0\1rubbish", dumps(State("c")))
    assert [glance(one, None) for one in lost] == [Glance((), ended=False)] * len(lost)
