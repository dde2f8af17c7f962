"""One customer's story, told as it happens: what they did, who wanted to speak to them, and why we kept silent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from decisioning.inbox import Received
from decisioning.instant import SECOND, parse_instant
from decisioning.reasons import describe
from decisioning.streaming.demo.fact import Fact
from decisioning.streaming.demo.sample import SHOP_ZONE

MARKS: Final = {
    "act": "speaks",
    "suppress": "silent",
    "defer": "waits",
    "recall": "takes back",
    "hold": "holds",
    "release": "frees",
}
"""Outcome -> what the engine does, in one or two words."""


class Told(NamedTuple):
    """One line of a story: when by the shop's clock, what kind (`happens`, `asks` or an outcome), and the sentence."""

    when: str
    kind: str
    text: str


class Story:
    """Follows one customer; what concerns others is None."""

    def __init__(self, customer: str) -> None:
        self.customer = customer
        self._said: dict[str, str] = {}

    def happens(self, one: Fact) -> Told | None:
        """The line for a published fact; a carrier's routine is left out, it would drown the rest."""
        if one.subject != self.customer or not one.label or one.type in ("order.placed", "order.shipped"):
            return None
        return Told(clock(one.at), "asks" if one.type == "contact.requested" else "happens", one.label)

    def decides(self, one: Received) -> Told | None:
        """The line for a decision: what, where, and the why of it as one would tell the customer."""
        if one.subject != self.customer:
            return None
        return Told(clock(one.time), one.outcome, self._sentence(one))

    def _sentence(self, one: Received) -> str:
        what = _what(one)
        why = describe(one.reason).customer
        match one.outcome:
            case "act":
                self._said[one.id] = what
                return f"{what}." if one.reason.startswith("allowed.") else f"{what}. {why}"
            case "defer":
                return f"{what}: {why} Asks itself again {_then(one, 'not_before')}."
            case "recall":
                return f"{self._said.get(str(one.data.get('recalls')), what)}: {why}"
            case "suppress":
                again = f" Possible again {_then(one, 'allowed_from')}." if "allowed_from" in one.data else ""
                return f"{what}: {why}{again}"
        return f"{one.reason}: {why}"


def clock(at: int) -> str:
    """An instant as the shop's clock shows it, such as `Mon 06 Dec 12:40`."""
    return f"{datetime.fromtimestamp(at // SECOND, UTC).astimezone(SHOP_ZONE):%a %d %b %H:%M}"


def _what(one: Received) -> str:
    action = str(one.data.get("action", one.outcome)).replace("_", " ")
    channel = one.data.get("channel")
    return f"{action} by {channel}" if channel else action


def _then(one: Received, field: str) -> str:
    return clock(parse_instant(one.data[field]))
