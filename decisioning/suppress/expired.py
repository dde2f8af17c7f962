"""Rule 23: timely or not at all (contract.md, section 4; P18)."""

from __future__ import annotations

from decisioning.instant import HOUR, MINUTE, format_instant
from decisioning.suppress.base import EVERY_CLASS, Ask, Duration, Objection, Rule, Suppressor


class Patience(Rule):
    """`after`: how long a candidate without `expires_at` stands; `late`: how old a request may be at its first
    handling."""

    after: Duration = 24 * HOUR
    late: Duration = 15 * MINUTE


class InTime(Suppressor[Patience]):
    """Refuses what is over, and what reached us too late; lateness is measured once (exact reading 3)."""

    section = "expired"
    classes = EVERY_CLASS
    reasons = ("expired.too_late",)
    shape = Patience
    of_the_request = True

    def check(self, ask: Ask) -> Objection | None:
        """`expires_at` = now is over; exactly `late` old is in time."""
        expires_at = ask.candidate.expires_at
        if ask.now >= expires_at:
            return Objection("expired.too_late", {"expires_at": format_instant(expires_at)}, None)
        if ask.asked_at is not None and ask.now - ask.asked_at > self.rule.late:
            return Objection("expired.too_late", {"asked_at": format_instant(ask.asked_at)}, None)
        return None

    def ends(self, ask: Ask) -> int | None:
        """The candidate's own end."""
        return ask.candidate.expires_at
