"""Rule 18: only when the customer said it suits them, by their own clock (contract.md, section 4; P12)."""

from __future__ import annotations

from decisioning.suppress.base import PROMOTIONAL, Ask, Objection, Rule, Suppressor
from decisioning.suppress.quiet_hours import LOOK_AHEAD
from decisioning.window import Windows


class Always(Rule):
    """Nothing to set: the windows are the customer's."""


class InContactWindow(Suppressor[Always]):
    """Asks to wait for the customer's next contact window; without any it says nothing."""

    section = "contact_window"
    classes = PROMOTIONAL
    reasons = ("contact_window.outside",)
    shape = Always

    def check(self, ask: Ask) -> Objection | None:
        """Waits while it is outside the windows in any zone where the customer may be."""
        plan = _plan(ask)
        if plan is None or plan.open(ask.zones, ask.now):
            return None
        until = plan.next_open(ask.zones, ask.now, ask.now + LOOK_AHEAD)
        return Objection("contact_window.outside", {"zones": [zone.name for zone in ask.zones]}, until, waits=True)

    def ends(self, ask: Ask) -> int | None:
        """The end of the window it is in."""
        plan = _plan(ask)
        return None if plan is None else plan.next_closed(ask.zones, ask.now, ask.now + LOOK_AHEAD)


def _plan(ask: Ask) -> Windows | None:
    own = ask.state.profile.windows
    return Windows(own.windows) if own is not None and own.windows else None
