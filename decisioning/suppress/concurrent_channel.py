"""Rule 20: two channels never speak at once (contract.md, section 4, and exact reading 2; P19)."""

from __future__ import annotations

from pydantic import Field

from decisioning.instant import DAY, MINUTE, format_instant
from decisioning.suppress.base import MARKETING, Ask, Duration, Objection, Rule, Suppressor


class Pause(Rule):
    """`within`: how long after one marketing act there is no other, on any channel."""

    within: Duration = Field(default=10 * MINUTE, ge=0, le=DAY)


class NotAtOnce(Suppressor[Pause]):
    """Refuses marketing right after other marketing, but for what never went out."""

    section = "concurrent_channel"
    classes = MARKETING
    reasons = ("concurrent_channel.just_contacted",)
    shape = Pause

    def check(self, ask: Ask) -> Objection | None:
        """The newest act whose slot is taken."""
        since = ask.now - self.rule.within
        recent = [act for act in ask.acts if since < act.made and act.candidate.class_ == "marketing" and act.counts]
        if not recent:
            return None
        newest = max(recent, key=lambda act: (act.made, act.id))
        because = {"made": format_instant(newest.made), "channel": newest.channel}
        return Objection(self.reasons[0], because, newest.made + self.rule.within)
