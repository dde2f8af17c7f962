"""Rule 16: a survey needs a plan, and there are none yet (contract.md, section 4; P24).

Plans with caps of their own come later; until then every survey is refused, which is the silent side.
"""

from __future__ import annotations

from decisioning.suppress.base import Ask, Objection, Rule, Suppressor


class Always(Rule):
    """Nothing to set yet."""


class SurveyPlanned(Suppressor[Always]):
    """Refuses every survey."""

    section = "survey"
    classes = frozenset({"survey"})
    reasons = ("survey.no_plan",)
    shape = Always
    depends_on = "customer"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """No plan covers it."""
        return Objection("survey.no_plan", {}, None)
