"""Rule 1: an erased or a deceased customer hears nothing at all, service included (contract.md, section 4; P64,
P67)."""

from __future__ import annotations

from decisioning.instant import format_instant
from decisioning.suppress.base import EVERY_CLASS, Ask, Objection, Rule, Suppressor


class Always(Rule):
    """Nothing to set: this cannot be switched off."""


class MayBeContacted(Suppressor[Always]):
    """Refuses for good; only a later purchase or grant makes an erased person a customer again."""

    section = "dnc"
    classes = EVERY_CLASS
    reasons = ("dnc.erased", "empathy.deceased")
    shape = Always
    depends_on = "customer"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """Erased first: what we forgot, we do not explain."""
        state = ask.state
        if state.erased:
            at = state.erased_at
            return Objection("dnc.erased", {} if at is None else {"erased_at": format_instant(at)}, None)
        if state.deceased:
            return Objection("empathy.deceased", {}, None)
        return None
