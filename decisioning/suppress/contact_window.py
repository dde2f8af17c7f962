"""Rule 18: only when the customer said it suits them, by their own clock (contract.md, section 4; P12)."""

from __future__ import annotations

from decisioning.suppress.base import PROMOTIONAL, Ask, Objection, Rule, Suppressor, Then
from decisioning.suppress.quiet_hours import LOOK_AHEAD
from decisioning.window import Windows, first_open


class Wish(Rule):
    """The windows are the customer's; `then` says whether what is asked outside of them waits or is refused."""

    then: Then = "defer"


class InContactWindow(Suppressor[Wish]):
    """Asks to wait for the customer's next contact window, or refuses; without any it says nothing."""

    section = "contact_window"
    classes = PROMOTIONAL
    reasons = ("contact_window.outside",)
    shape = Wish
    depends_on = "customer"

    def check(self, ask: Ask) -> Objection | None:
        """Objects while it is outside the windows in any zone where the customer may be."""
        plans = _plans(ask)
        if not plans or all(plan.open(ask.zones, ask.now) for plan in plans):
            return None
        until = first_open(plans, ask.zones, ask.now, ask.now + LOOK_AHEAD)
        zones = [zone.name for zone in ask.zones]
        return Objection("contact_window.outside", {"zones": zones}, until, waits=self.rule.then == "defer")

    def ends(self, ask: Ask) -> int | None:
        """The end of the window it is in."""
        ends = [plan.next_closed(ask.zones, ask.now, ask.now + LOOK_AHEAD) for plan in _plans(ask)]
        return min((end for end in ends if end is not None), default=None)


def _plans(ask: Ask) -> list[Windows]:
    """All that must be open at once: several after a merge, each side's own."""
    own = ask.state.profile.windows
    return [] if own is None else [Windows(windows) for windows in (own.windows, *own.also) if windows]
