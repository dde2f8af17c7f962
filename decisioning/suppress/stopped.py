"""The stop switch: all marketing, a channel, an action or a campaign falls silent at once (design.md, section 1; P62).

It holds for requests and for what is live: whatever it names is taken back. A rulebook stops under `stopped`; people
on call stop beside it, whatever rulebook decides (`stops`).
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
    """Refuses what is stopped, service included, until it is let go again."""

    section = "stopped"
    classes = EVERY_CLASS
    reasons = ("stopped.marketing", "stopped.channel", "stopped.action", "stopped.campaign")
    shape = Switch

    def check(self, ask: Ask) -> Objection | None:
        """The first of the four that names it."""
        candidate = ask.candidate
        return self.named(candidate.class_, ask.channel, candidate.action, ask.campaign)

    def named(self, class_: str, channel: str, action: str, campaign: str | None) -> Objection | None:
        """What stops words of this class, channel, action and campaign, whoever they are for."""
        rule = self.rule
        if rule.marketing and class_ == "marketing":
            return Objection("stopped.marketing", {}, None)
        if channel in rule.channels:
            return Objection("stopped.channel", {"channel": channel}, None)
        if action in rule.actions:
            return Objection("stopped.action", {"action": action}, None)
        if campaign is not None and campaign in rule.campaigns:
            return Objection("stopped.campaign", {"campaign": campaign}, None)
        return None

    def gives(self) -> tuple[str, ...]:
        """Only those for which the rulebook stops something."""
        rule = self.rule
        stops = (rule.marketing, rule.channels, rule.actions, rule.campaigns)
        return tuple(reason for reason, stop in zip(self.reasons, stops, strict=True) if stop)
