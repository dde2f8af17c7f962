"""Rule 19: where no zone is known, nobody can say whether it is night there (contract.md, section 4; P13)."""

from __future__ import annotations

from decisioning.suppress.base import PROMOTIONAL, Ask, Objection, Rule, Suppressor


class Always(Rule):
    """Nothing to set: unknown means silent."""


class ZoneKnown(Suppressor[Always]):
    """Refuses until the customer's time zone or a country with time zones is known."""

    section = "timezone"
    classes = PROMOTIONAL
    reasons = ("timezone.unknown",)
    shape = Always
    depends_on = "customer"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """The zones were found before: the customer's own, else the country's."""
        return None if ask.zones else Objection("timezone.unknown", {}, None)
