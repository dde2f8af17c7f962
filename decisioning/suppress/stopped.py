"""The stop switch: all marketing, a channel, an action or a campaign falls silent at once (design.md, section 1; P62).

It holds from the next event on, for requests and for what is live: whatever it names is taken back.
"""

from __future__ import annotations

from pydantic import Field

from decisioning.suppress.base import EVERY_CLASS, Ask, Objection, Rule, Suppressor


class Switch(Rule):
    """What is stopped: `marketing` all of that class; a channel, an action or a campaign by name, whatever its
    class."""

    marketing: bool = False
    channels: tuple[str, ...] = Field(default=(), max_length=100)
    actions: tuple[str, ...] = Field(default=(), max_length=1000)
    campaigns: tuple[str, ...] = Field(default=(), max_length=1000)


class NotStopped(Suppressor[Switch]):
    """Refuses what the rulebook has stopped, service included, until a rulebook lets it go again."""

    section = "stopped"
    classes = EVERY_CLASS
    reasons = ("stopped.marketing", "stopped.channel", "stopped.action", "stopped.campaign")
    shape = Switch

    def check(self, ask: Ask) -> Objection | None:
        """The first of the four that names it."""
        rule, candidate = self.rule, ask.candidate
        if rule.marketing and candidate.class_ == "marketing":
            return Objection("stopped.marketing", {}, None)
        if ask.channel in rule.channels:
            return Objection("stopped.channel", {"channel": ask.channel}, None)
        if candidate.action in rule.actions:
            return Objection("stopped.action", {"action": candidate.action}, None)
        if ask.campaign is not None and ask.campaign in rule.campaigns:
            return Objection("stopped.campaign", {"campaign": ask.campaign}, None)
        return None

    def gives(self) -> tuple[str, ...]:
        """Only those for which the rulebook stops something."""
        rule = self.rule
        stops = (rule.marketing, rule.channels, rule.actions, rule.campaigns)
        return tuple(reason for reason, stop in zip(self.reasons, stops, strict=True) if stop)
