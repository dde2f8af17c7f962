"""Rule 12: who already bought is no prospect (contract.md, section 4; P9)."""

from __future__ import annotations

from decisioning.instant import format_instant
from decisioning.suppress.base import PROMOTIONAL, Ask, Objection, Rule, Suppressor

PROSPECT = "prospect"


class Always(Rule):
    """Nothing to set: the candidate says whom it is for."""


class NotAProspect(Suppressor[Always]):
    """Refuses a candidate for prospects to anyone who ever bought, returned or not."""

    section = "campaign_exclusion"
    classes = PROMOTIONAL
    reasons = ("campaign_exclusion.existing_customer",)
    shape = Always
    depends_on = "candidate"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """The newest purchase is remembered for ever."""
        if ask.candidate.audience != PROSPECT or ask.state.bought_at is None:
            return None
        return Objection(self.reasons[0], {"bought_at": format_instant(ask.state.bought_at)}, None)
