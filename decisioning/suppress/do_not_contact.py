"""Rule 2: who complained or unsubscribed is left in peace on that channel (contract.md, section 4; P64).

A mark is of one purpose and one channel, and memory takes it away when consent is granted anew.
"""

from __future__ import annotations

from decisioning.instant import format_instant
from decisioning.suppress.base import PROMOTIONAL, Ask, Objection, Rule, Suppressor


class Always(Rule):
    """Nothing to set: only the customer lifts it."""


class NotAskedToStop(Suppressor[Always]):
    """Refuses until consent for that purpose is granted anew, for that channel or for all."""

    section = "do_not_contact"
    classes = PROMOTIONAL
    reasons = ("dnc.complained", "dnc.unsubscribed")
    shape = Always

    def check(self, ask: Ask) -> Objection | None:
        """A complaint before an unsubscribe; a mark without a channel is of all of them."""
        if not ask.state.marks:
            return None
        purpose = ask.candidate.class_
        found = [one for one in ask.state.marks if one.purpose == purpose and one.channel in ("", ask.channel)]
        if not found:
            return None
        mark = min(found, key=lambda one: (one.kind != "complained", -one.at))
        return Objection(f"dnc.{mark.kind}", {"channel": ask.channel, "since": format_instant(mark.at)}, None)
