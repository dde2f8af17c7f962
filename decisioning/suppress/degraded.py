"""What we cannot remember keeps marketing silent: the customer's state was unreadable (design.md, section 4; P32)."""

from __future__ import annotations

from decisioning.suppress.base import PROMOTIONAL, Ask, Objection, Rule, Suppressor


class Always(Rule):
    """Nothing to set: unknown means silent."""


class StateKnown(Suppressor[Always]):
    """Refuses marketing and surveys until the state is repaired; service goes on."""

    section = "degraded"
    classes = PROMOTIONAL
    reasons = ("degraded.state",)
    shape = Always
    depends_on = "customer"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """One flag, set by the store when a record did not parse."""
        return Objection("degraded.state", {}, None) if ask.state.degraded else None
