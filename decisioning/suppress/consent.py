"""Rule 3: consent for purpose and channel; none is no (contract.md, section 4; P63).

A fact for all channels is a fact for each of them, so of the two kinds the later one holds, at a tie the stricter.
"""

from __future__ import annotations

from decisioning.instant import DAY, format_instant
from decisioning.state.model import Consent
from decisioning.suppress.base import PROMOTIONAL, Ask, Duration, Objection, Rule, Suppressor


class Lifetime(Rule):
    """`lasts`: how long a grant without an end of its own holds, from its time."""

    lasts: Duration = 730 * DAY


class ConsentGiven(Suppressor[Lifetime]):
    """Marketing needs consent to marketing, a survey consent to surveys."""

    section = "consent"
    classes = PROMOTIONAL
    reasons = ("consent.missing", "consent.withdrawn", "consent.expired")
    shape = Lifetime

    def check(self, ask: Ask) -> Objection | None:
        """Refuses without a standing grant; only a new fact changes that."""
        purpose = ask.candidate.class_
        found = self._holding(ask)
        if found is None:
            return Objection("consent.missing", {"purpose": purpose, "channel": ask.channel}, None)
        end = found.end(self.rule.lasts)
        if found.granted and ask.now < end:
            return None
        because = {"purpose": purpose, "channel": ask.channel, "since": format_instant(found.at)}
        if not found.granted:
            return Objection("consent.withdrawn", because, None)
        return Objection("consent.expired", {**because, "until": format_instant(end)}, None)

    def ends(self, ask: Ask) -> int | None:
        """The end of the consent."""
        found = self._holding(ask)
        return None if found is None else found.end(self.rule.lasts)

    def _holding(self, ask: Ask) -> Consent | None:
        purpose, channel = ask.candidate.class_, ask.channel
        facts = [one for one in ask.state.consents if one.purpose == purpose and one.channel in ("", channel)]
        if len(facts) < 2:
            return facts[0] if facts else None
        return max(facts, key=lambda one: (one.at, not one.granted, -one.end(self.rule.lasts)))
