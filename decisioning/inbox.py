"""What a channel must do with the topic `decisions`: the reference consumer, pure, for whoever speaks to customers.

Kafka and a crashed engine repeat records, a recall may overtake its act when two customers were merged, and a channel
itself is restarted. So every act has one *fate*, decided once and remembered by decision id: it went out, it was taken
back, or it came too late. `take` says what a decision means now, `dispatch` is the last question before an act goes
out, `held` is for those who speak without asking the engine (ad audiences, the point of sale, agents).

What an `Inbox` remembers lies in a `Memory` that must survive the process (`streaming/channel.py` keeps it in SQLite);
all who deliver for one channel share one. It keeps a fate as long as the topic keeps its records, and a hold until it
ends.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from decisioning.decision import TYPE_PREFIX, Outcome
from decisioning.errors import EventRejected, Fault
from decisioning.event import Headers
from decisioning.instant import DAY, format_instant, parse_instant

KEEP: Final = 8 * DAY
"""How long a fate is remembered (us): the retention of the topic `decisions`, and a day for its last segment."""
_STANDS: Final = 1 << 62  # a hold without an end
_GONE: Final = b"gone"
_TAKEN_BACK: Final = b"recalled"
_LATE: Final = b"expired"


class Received(Struct, frozen=True):
    """One decision as it is read off its topic: `time` is an instant (us), `data` what contract.md, section 3 lists."""

    id: str
    subject: str
    time: int
    data: Mapping[str, Any]

    @property
    def outcome(self) -> str:
        """One of the six outcomes."""
        return str(self.data["outcome"])

    @property
    def reason(self) -> str:
        """The stable code of its reason."""
        return str(self.data["reason"])

    @property
    def at_wake(self) -> bool:
        """Whether it is the further answer to something deferred."""
        return bool(self.data["trigger"].get("type") == "wake")

    @property
    def channel(self) -> str | None:
        """Where an act is to be said, and a recall to be obeyed."""
        return self.data.get("channel")

    @property
    def valid_until(self) -> int | None:
        """The instant from which an act must not be said any more."""
        at = self.data.get("valid_until")
        return None if at is None else parse_instant(at)


class Verdict(StrEnum):
    """What a decision means to a channel now."""

    DELIVER = "deliver"  # an act: say it, once `dispatch` agrees
    REPEAT = "repeat"  # an act that went out before: drop it
    RECALLED = "recalled"  # an act that was taken back, perhaps before it came: drop it
    TOO_LATE = "too_late"  # an act whose `valid_until` has passed and that never went out: drop it, answer `expired`
    CANCEL = "cancel"  # a recall in time: the act has not gone out and never will
    GONE = "gone"  # a recall of what is out already
    NOTED = "noted"  # a hold or a release: `held` knows it
    NOT_OURS = "not_ours"  # another channel's, or nobody's: suppress and defer


class Memory(Protocol):
    """Names to bytes, each until an instant (us) from which on it may be forgotten. It must survive the process."""

    def get(self, name: str) -> bytes | None:
        """What stands under `name`."""
        ...

    def add(self, name: str, value: bytes, until: int) -> bool:
        """Put `value` where nothing stands, durably and as one step; whether it did."""
        ...

    def put(self, name: str, value: bytes, until: int) -> None:
        """Put `value`, whatever stood there."""
        ...

    def forget(self, now: int) -> None:
        """Drop what may be forgotten by `now`."""
        ...


class Fleeting:
    """A memory that dies with its process: for tests, and for whoever delivers only what is shown at once."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[bytes, int]] = {}
        self._ends: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: str) -> bytes | None:
        """What stands under `name`."""
        found = self._values.get(name)
        return None if found is None else found[0]

    def add(self, name: str, value: bytes, until: int) -> bool:
        """Put `value` where nothing stands; whether it did."""
        if name in self._values:
            return False
        self.put(name, value, until)
        return True

    def put(self, name: str, value: bytes, until: int) -> None:
        """Put `value`, whatever stood there."""
        self._values[name] = value, until
        heapq.heappush(self._ends, (until, name))

    def forget(self, now: int) -> None:
        """Drop what may be forgotten by `now`."""
        while self._ends and self._ends[0][0] <= now:
            until, name = heapq.heappop(self._ends)
            if name in self._values and self._values[name][1] == until:
                del self._values[name]


class Standing(Struct, frozen=True, array_like=True):
    """A hold: nothing of `scope` to this customer, until an instant (us), or until it is released."""

    id: str
    reason: str
    scope: Mapping[str, Any]
    until: int | None


class Inbox:
    """One channel's side of the contract; `channels` are the names that it serves (None: all of them).

    `now` is an instant (us) of the channel's own clock; one that steps back counts as standing still.
    """

    def __init__(self, memory: Memory, channels: Container[str] | None = None, keep: int = KEEP) -> None:
        self._memory = memory
        self._channels = channels
        self._keep = keep
        self._now = 0

    def take(self, one: Received, now: int) -> Verdict:
        """What this decision means now. The same question has the same answer as long as nothing else happens, so an
        answer that a crash swallowed is simply given again."""
        now = self._at(now)
        if one.outcome == Outcome.HOLD:
            return self._hold(one, now)
        if one.outcome == Outcome.RELEASE:
            return self._release(one, now)
        if self._channels is not None and one.channel not in self._channels:
            return Verdict.NOT_OURS
        if one.outcome == Outcome.ACT:
            return self._act(one, now)
        if one.outcome == Outcome.RECALL:
            recalled = _fate(str(one.data["recalls"]))
            self._memory.add(recalled, _TAKEN_BACK, now + self._keep)
            return Verdict.GONE if self._memory.get(recalled) == _GONE else Verdict.CANCEL
        return Verdict.NOT_OURS

    def dispatch(self, act: Received, now: int) -> Verdict:
        """The last question before an act goes out: DELIVER once in the life of a decision id, then never again.

        From this answer on the act counts as sent, so a crash before it really went out loses it: better unsaid than
        said twice. A provider that drops repeats by the decision id itself needs no such caution.
        """
        now = self._at(now)
        found = self._act(act, now)
        if found is not Verdict.DELIVER:
            return found
        if self._memory.add(_fate(act.id), _GONE, self._until(act, now)):
            return Verdict.DELIVER
        return self._act(act, now)  # another of our processes was faster

    def held(
        self, subject: str, now: int, *, class_: str, channel: str, sku: str | None = None, category: str | None = None
    ) -> Standing | None:
        """The first hold that forbids to speak of this to a customer; None: no hold that was seen here does.

        None is no permission: only an answer to a `contact.requested` is. A hold lasts longer than the topic keeps it,
        so whoever begins to listen late does not know them all.
        """
        now = self._at(now)
        for hold in self._standing(subject, now):
            if _within(hold.scope, class_=class_, channel=channel, sku=sku, category=category):
                return hold
        return None

    def _at(self, now: int) -> int:
        self._now = max(self._now, now)
        self._memory.forget(self._now)
        return self._now

    def _until(self, act: Received, now: int) -> int:
        return max(now, act.valid_until or 0) + self._keep

    def _act(self, one: Received, now: int) -> Verdict:
        end = one.valid_until
        if end is not None and now >= end:  # decided once: a clock that is set back does not bring it back
            self._memory.add(_fate(one.id), _LATE, now + self._keep)
        fate = self._memory.get(_fate(one.id))
        if fate is None:
            return Verdict.DELIVER
        if fate == _GONE:
            return Verdict.REPEAT
        return Verdict.TOO_LATE if fate == _LATE else Verdict.RECALLED

    def _hold(self, one: Received, now: int) -> Verdict:
        until = None if one.data.get("until") is None else parse_instant(one.data["until"])
        standing = self._standing(one.subject, now)
        known = any(hold.id == one.id for hold in standing) or self._memory.get(_released(one.id)) is not None
        if not known and (until is None or until > now):
            self._stand(one.subject, [*standing, Standing(one.id, one.reason, one.data["scope"], until)])
        return Verdict.NOTED

    def _release(self, one: Received, now: int) -> Verdict:
        hold = str(one.data["releases"])
        self._memory.put(_released(hold), b"", now + self._keep)
        standing = self._standing(one.subject, now)
        if any(known.id == hold for known in standing):
            self._stand(one.subject, [known for known in standing if known.id != hold])
        return Verdict.NOTED

    def _standing(self, subject: str, now: int) -> list[Standing]:
        raw = self._memory.get(_holds(subject))
        found = [] if raw is None else _decode_standing(raw)
        return [hold for hold in found if hold.until is None or hold.until > now]

    def _stand(self, subject: str, holds: Sequence[Standing]) -> None:
        ends = [_STANDS if hold.until is None else hold.until for hold in holds]
        self._memory.put(_holds(subject), _encode(holds), max(ends, default=self._now))


def read(value: bytes | None, headers: Headers = ()) -> Received:
    """The decision in a record's value and headers, structured or binary; EventRejected when it is none."""
    try:
        if value is None:
            raise EventRejected(Fault.TOMBSTONE, "the record has no value: only decisions belong on this topic")
        attributes = {name[3:]: content for name, content in headers if name.startswith("ce_") and content is not None}
        if attributes:
            text = {name: content.decode() for name, content in attributes.items()}
            found = _Envelope(text["type"], text["id"], text["subject"], text["time"], _decode_data(value))
        else:
            found = _decode(value)
        outcome = found.type.removeprefix(TYPE_PREFIX)
        if outcome not in _OUTCOMES or found.data.get("outcome") != outcome:
            raise EventRejected(Fault.WRONG_TYPE, "only decisions belong on this topic, and of them there are six")
        if _NEEDED.get(outcome, "outcome") not in found.data:
            raise EventRejected(Fault.MISSING_FIELD, f"a {outcome} without `{_NEEDED[outcome]}`")
        for name in ("valid_until", "until"):
            if name in found.data:
                parse_instant(found.data[name])
        return Received(found.id, found.subject, parse_instant(found.time), found.data)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        raise EventRejected(Fault.NOT_AN_EVENT, "not a decision: look who else writes to this topic") from None


def response(one: Received, verdict: Verdict, now: int, *, source: str, failed: bool = False) -> bytes | None:
    """What a channel answers, as an event for the topic `responses` under the key `one.subject`; None: nothing.

    DELIVER (after `dispatch`): `response.delivered`, or `.failed`. TOO_LATE: `.expired`, which gives the slot of a cap
    back. A recall: `.recalled`, with `in_time`. The event's id follows from the decision's, so that the engine takes an
    answer that is given again for what it is.
    """
    match verdict:
        case Verdict.DELIVER:
            kind = "failed" if failed else "delivered"
        case Verdict.TOO_LATE:
            kind = "expired"
        case Verdict.CANCEL | Verdict.GONE:
            kind = "recalled"
        case _:
            return None
    told: dict[str, object] = {"decision_id": one.id, "channel": one.channel}
    if kind == "recalled":
        told = {"decision_id": one.data["recalls"], "in_time": verdict is Verdict.CANCEL}
    envelope = {
        "specversion": "1.0",
        "id": f"{told['decision_id']}-{kind}",
        "source": source,
        "type": f"response.{kind}",
        "time": format_instant(now),
        "subject": one.subject,
        "data": told,
    }
    return _encode(envelope)


class _Envelope(Struct, frozen=True):
    type: str
    id: str
    subject: str
    time: str
    data: dict[str, Any]


_NEEDED: Final = {"recall": "recalls", "hold": "scope", "release": "releases"}
_OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Envelope).decode
_decode_data: Final = msgspec.json.Decoder(dict[str, Any]).decode
_decode_standing: Final = msgspec.json.Decoder(list[Standing]).decode


def _fate(id_: str) -> str:
    return f"fate {id_}"


def _released(id_: str) -> str:
    return f"released {id_}"


def _holds(subject: str) -> str:
    return f"holds {subject}"


def _within(scope: Mapping[str, Any], *, class_: str, channel: str, sku: str | None, category: str | None) -> bool:
    """Whether a hold's scope covers this; a part of the scope that is not known here covers all: the silent side."""
    if class_ not in scope.get("classes", (class_,)) or channel not in scope.get("channels", (channel,)):
        return False
    if channel in scope.get("channels_except", ()):
        return False
    if "skus" in scope or "categories" in scope:
        return sku in scope.get("skus", ()) or category in scope.get("categories", ())
    return True
