"""Rule 5: first solve the customer's problem, then give them time (contract.md, section 4; P10, P11)."""

from __future__ import annotations

from pydantic import Field

from decisioning.instant import DAY, HOUR, format_instant
from decisioning.state.model import Case
from decisioning.suppress.base import PROMOTIONAL, Ask, Duration, Objection, Rule, Suppressor


class Rest(Rule):
    """`after_resolved`: how long silence lasts when the problem is solved."""

    after_resolved: Duration = Field(default=48 * HOUR, ge=0, le=365 * DAY)


class NoOpenIssue(Suppressor[Rest]):
    """Refuses while a case of any severity is open, and for a time after it is resolved."""

    section = "hold"
    classes = PROMOTIONAL
    reasons = ("hold.open_issue", "hold.recently_resolved")
    shape = Rest
    depends_on = "customer"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """An open case first, the one that has waited longest; else the one resolved last."""
        state = ask.state
        if "cases" in state.lost:
            return Objection("hold.open_issue", {"forgotten": True}, None)
        if not state.cases:
            return None
        still = [case for case in state.cases if case.open]
        if still:
            case = min(still, key=lambda one: (one.opened_at or 0, one.id))
            return Objection("hold.open_issue", _facts(case), None)
        case = max(state.cases, key=lambda one: (one.resolved_at or 0, one.id))
        end = (case.resolved_at or 0) + self.rule.after_resolved
        if ask.now >= end:
            return None
        because = {"case_id": case.id, "resolved_at": format_instant(case.resolved_at or 0)}
        return Objection("hold.recently_resolved", because, end)


def _facts(case: Case) -> dict[str, object]:
    told: dict[str, object] = {"case_id": case.id, "opened_at": format_instant(case.opened_at or 0)}
    if case.severity:
        told["severity"] = case.severity
    if case.topic is not None:
        told["topic"] = case.topic
    return told
