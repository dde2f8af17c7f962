"""Rule 21: not too often, counted exactly (contract.md, section 4, and "Slots"; P20).

A slot is taken by an `act` at the moment we decide and is free again at made + per, or when the channel reports that
nothing went out. Caps are rolling and refuse; they never wait.
"""

from __future__ import annotations

from pydantic import Field

from decisioning.instant import DAY, format_duration
from decisioning.state.model import Act, State
from decisioning.suppress.base import MARKETING, Ask, Duration, Objection, Rule, Suppressor
from decisioning.window import slot_free_at


class Cap(Rule):
    """At most `limit` acts in any `per`, over all channels or, with `channels`, on each of those by itself."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    limit: int = Field(ge=0, le=200)
    per: Duration = Field(gt=0, le=400 * DAY)
    channels: tuple[str, ...] | None = None

    @classmethod
    def of(cls, name: str, limit: int, per: str, *channels: str) -> Cap:
        """A cap as an author would write it."""
        return cls.model_validate({"name": name, "limit": limit, "per": per, "channels": channels or None})


class OwnLimit(Rule):
    """The customer's own number for `per`; it counts where it is below the cap of the same length."""

    per: Duration = Field(default=7 * DAY, gt=0, le=400 * DAY)


class Caps(Rule):
    """The caps in the order in which they give their reason, `frequency_cap.<name>`; the customer's own comes last."""

    caps: tuple[Cap, ...] = (
        Cap.of("day", 1, "1d"),
        Cap.of("week", 3, "7d"),
        Cap.of("month", 8, "30d"),
        Cap.of("channel", 1, "7d", "sms"),
    )
    own_limit: OwnLimit = OwnLimit()

    @property
    def longest(self) -> int:
        """How long an act's slot can matter, in microseconds."""
        return max([cap.per for cap in self.caps] + [self.own_limit.per])


class UnderCaps(Suppressor[Caps]):
    """Refuses a marketing act that would exceed a cap."""

    section = "frequency_cap"
    classes = MARKETING
    reasons = (
        "frequency_cap.day",
        "frequency_cap.week",
        "frequency_cap.month",
        "frequency_cap.channel",
        "frequency_cap.own_limit",
    )
    shape = Caps

    def check(self, ask: Ask) -> Objection | None:
        """The first full cap, and when its next slot is free."""
        taken = [
            act for act in ask.acts if act.candidate.class_ == "marketing" and (act.undone_at is None or act.counts)
        ]
        for cap in self.rule.caps:
            if cap.channels is None:
                found = _full(ask, taken, cap)
            elif ask.channel in cap.channels:
                found = _full(ask, [act for act in taken if act.channel == ask.channel], cap)
            else:
                continue
            if found is not None:
                return found
        own = self.own_cap(ask.state)
        return _full(ask, taken, own) if own is not None else None

    def gives(self) -> tuple[str, ...]:
        """One for each cap by its name, and the customer's own."""
        return (*(f"frequency_cap.{cap.name}" for cap in self.rule.caps), "frequency_cap.own_limit")

    def own_cap(self, state: State) -> Cap | None:
        """The customer's own number as a cap; None where they set none, or one that the rulebook's own undercuts."""
        limit = state.profile.max_marketing_per_week
        if limit is None:
            return None
        per = self.rule.own_limit.per
        usual = [cap.limit for cap in self.rule.caps if cap.per == per and cap.channels is None]
        if usual and limit.value >= min(usual):
            return None
        return Cap.model_construct(name="own_limit", limit=limit.value, per=per, channels=None)


def _full(ask: Ask, taken: list[Act], cap: Cap) -> Objection | None:
    if len(taken) < cap.limit:
        return None
    since = ask.now - cap.per
    made = [act.made for act in taken if since < act.made]
    if len(made) < cap.limit:
        return None
    because = {"count": len(made), "limit": cap.limit, "per": format_duration(cap.per)}
    return Objection(f"frequency_cap.{cap.name}", because, slot_free_at(made, cap.limit, cap.per, ask.now))
