"""Rule 22: some customers get no marketing, to measure what marketing does (contract.md, section 4; P43).

Who they are is a stable hash of the holdout's name and the customer, so that the same ones stay in it on every machine
and another name draws anew.
"""

from __future__ import annotations

from hashlib import blake2b

from pydantic import Field

from decisioning.state.people import on_trial
from decisioning.suppress.base import MARKETING, Ask, Objection, Rule, Suppressor


class Share(Rule):
    """`share` of the customers, from 0 (nobody) to 1 (everybody), drawn under `name`."""

    share: float = Field(default=0.0, ge=0, le=1)
    name: str = Field(default="holdout", min_length=1, max_length=100)


class NotHeldOut(Suppressor[Share]):
    """Refuses marketing to the customers drawn; test and seed customers are never among them."""

    section = "holdout"
    classes = MARKETING
    reasons = ("holdout.control",)
    shape = Share
    depends_on = "customer"
    fades = True

    def check(self, ask: Ask) -> Objection | None:
        """Last of all but lateness, so that other reasons are told first."""
        if not self.rule.share or not self._drawn(ask.state.subject) or on_trial(ask.state):
            return None
        return Objection(self.reasons[0], {"holdout": self.rule.name}, None)

    def gives(self) -> tuple[str, ...]:
        """Nothing while nobody is held out."""
        return self.reasons if self.rule.share else ()

    def _drawn(self, subject: str) -> bool:
        name = self.rule.name
        digest = blake2b(f"{len(name)}:{name}{subject}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.rule.share * 2**64
