"""Rule 17: not at night, by the customer's own clock (contract.md, section 4; P13).

Where the customer's zone is not certain it must be day in all of them; where none is known this rule says nothing and
rule 19 refuses.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from decisioning.instant import DAY
from decisioning.suppress.base import PROMOTIONAL, Ask, Objection, Rule, Suppressor, Then
from decisioning.window import DailyWindow, Windows, parse_time_of_day


def _minute(value: object) -> object:
    if isinstance(value, str):
        return parse_time_of_day(value)
    raise ValueError('a time of day is a text: write "21:00"')


TimeOfDay = Annotated[
    int,
    BeforeValidator(_minute, json_schema_input_type=Annotated[str, Field(pattern=r"^[0-9]{2}:[0-9]{2}$")]),
    PlainSerializer(lambda minute: f"{minute // 60:02}:{minute % 60:02}", str),
]
"""A local time of day of a rulebook (`HH:MM`), in minutes once parsed."""

LOOK_AHEAD = 370 * DAY
"""How far ahead an end of silence is sought: plans repeat every week, and offsets between zones every year."""


class Night(Rule):
    """The quiet hours, every day of the week; `to` at or before `from` crosses midnight. `then` says whether what is
    asked at night waits for the morning or is refused."""

    from_: TimeOfDay = Field(default=21 * 60, alias="from")
    to: TimeOfDay = 8 * 60
    then: Then = "defer"


class NotAtNight(Suppressor[Night]):
    """Asks to wait until the night is over, or refuses."""

    section = "quiet_hours"
    classes = PROMOTIONAL
    reasons = ("quiet_hours.night",)
    shape = Night
    depends_on = "customer"
    of_the_night = True

    @cached_property
    def _plan(self) -> Windows:
        return Windows((DailyWindow(frozenset(range(7)), self.rule.from_, self.rule.to),), quiet=True)

    def check(self, ask: Ask) -> Objection | None:
        """Objects while it is night in any zone where the customer may be."""
        if self._plan.open(ask.zones, ask.now):
            return None
        until = self._plan.next_open(ask.zones, ask.now, ask.now + LOOK_AHEAD)
        zones = [zone.name for zone in ask.zones]
        return Objection("quiet_hours.night", {"zones": zones}, until, waits=self.rule.then == "defer")

    def ends(self, ask: Ask) -> int | None:
        """The start of the next night."""
        return self._plan.next_closed(ask.zones, ask.now, ask.now + LOOK_AHEAD)
