"""Rule 15: what the customer switched off, and what they need (contract.md, section 4; P14, P15)."""

from __future__ import annotations

from decisioning.suppress.base import PROMOTIONAL, Ask, Objection, Rule, Suppressor


class Always(Rule):
    """Nothing to set: topics and needs are the customer's."""


class OfTheirLiking(Suppressor[Always]):
    """Refuses a topic that is switched off, and whatever does not say that it meets every need of the customer."""

    section = "topics"
    classes = PROMOTIONAL
    reasons = ("ineligible.topic_off", "need_conflict.need")
    shape = Always
    depends_on = "candidate"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """The topic first; lists that were too long for memory count as if they named everything."""
        profile, candidate, lost = ask.state.profile, ask.candidate, ask.state.lost
        off = profile.topics_off
        if candidate.topic is not None and ("topics_off" in lost or (off and candidate.topic in off.values)):
            return Objection("ineligible.topic_off", {"topic": candidate.topic}, None)
        missing = [need for need in profile.needs.values if need not in candidate.needs_ok] if profile.needs else []
        if missing or "needs" in lost:
            return Objection("need_conflict.need", {"needs": sorted(missing)}, None)
        return None
