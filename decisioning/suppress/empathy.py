"""Rule 4: bereavement and vulnerability, no marketing and no survey (contract.md, section 4; P66)."""

from __future__ import annotations

from pydantic import Field

from decisioning.instant import DAY, format_instant
from decisioning.suppress.base import PROMOTIONAL, Ask, Duration, Objection, Rule, Suppressor

LONGEST = 3650 * DAY


class Lengths(Rule):
    """How long each lasts where the event gives no `until`."""

    bereavement: Duration = Field(default=365 * DAY, gt=0, le=LONGEST)
    vulnerable: Duration = Field(default=365 * DAY, gt=0, le=LONGEST)


class NotInDistress(Suppressor[Lengths]):
    """Refuses for as long as the event said, else for as long as the rule says."""

    section = "empathy"
    classes = PROMOTIONAL
    reasons = ("empathy.bereavement", "empathy.vulnerable")
    shape = Lengths
    depends_on = "customer"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """Bereavement first."""
        for one in ask.state.life:
            end = one.end(self.rule.bereavement if one.kind == "bereavement" else self.rule.vulnerable)
            if ask.now < end:
                because = {"since": format_instant(one.at), "until": format_instant(end)}
                return Objection(f"empathy.{one.kind}", because, end)
        return None
