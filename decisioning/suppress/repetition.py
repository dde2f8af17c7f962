"""Rule 13: a no is heard the first time, and silence is an answer too (contract.md, section 4; P21).

What counts, and since when, is told in `state.replies`; the numbers are this rule's.
"""

from __future__ import annotations

from pydantic import Field

from decisioning.instant import DAY, format_instant
from decisioning.state import replies
from decisioning.suppress.base import PROMOTIONAL, Ask, Duration, Objection, Rule, Suppressor

MOST = 12


class Patience(Rule):
    """After so many `declined`, or so many `ignored`, of one topic: silence about it, `first` long and later `later`
    long."""

    declined: int = Field(default=2, ge=1, le=MOST)
    ignored: int = Field(default=3, ge=1, le=MOST)
    first: Duration = Field(default=30 * DAY, gt=0, le=400 * DAY)
    later: Duration = Field(default=90 * DAY, gt=0, le=400 * DAY)


class NotRepeated(Suppressor[Patience]):
    """Refuses a topic (without one, an action) that the customer declined or ignored too often."""

    section = "repetition"
    classes = PROMOTIONAL
    reasons = ("repetition.declined", "repetition.ignored")
    shape = Patience
    depends_on = "candidate"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """Declined before ignored; the last block to end gives the end."""
        if not ask.state.repetitions:
            return None
        rule, candidate = self.rule, ask.candidate
        begun = replies.standing(
            ask.state,
            candidate,
            declined=rule.declined,
            ignored=rule.ignored,
            first=rule.first,
            later=rule.later,
        )
        for kind in replies.KINDS:
            blocks = [one for one in begun if one.kind == kind and ask.now < one.until]
            if blocks:
                last = max(blocks, key=lambda one: one.until)
                of = {"action": candidate.action} if candidate.topic is None else {"topic": candidate.topic}
                return Objection(f"repetition.{kind}", {**of, "since": format_instant(last.since)}, last.until)
        return None
