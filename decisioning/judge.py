"""The verdict on one candidate and channel: every suppressor asked in order, and when their answer would change.

Any refusal refuses, else any wish to wait defers, else it is allowed; the reason is that of the first suppressor that
gave the verdict (contract.md, section 3, "Verdicts").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from decisioning.decision import Candidate, Outcome, Verdict
from decisioning.instant import DAY
from decisioning.policy import LONGEST_WAIT, Policy
from decisioning.state import Act, State
from decisioning.state.model import Kept
from decisioning.state.purchases import kept
from decisioning.suppress import AnySuppressor, Ask, Objection
from decisioning.suppress.base import Answers
from decisioning.zones import UnknownZone, Zone, zone, zones_of_country

ALLOWED: Final = "allowed.clear"
OUTRANKED: Final = "outranked.value"
_HORIZON: Final = 370 * DAY  # plans repeat every week, offsets between zones every year
_MAX_STEPS: Final = 2000

Suppressors = tuple[AnySuppressor, ...]


def zones_of(state: State) -> tuple[Zone, ...]:
    """Where the customer may be: their own zone, else all of their country's, else nowhere known (rule 19)."""
    profile = state.profile
    if profile.time_zone is not None:
        try:
            return (zone(profile.time_zone.value),)
        except UnknownZone:
            return ()  # written under a newer time zone database: nowhere known keeps marketing silent
    if profile.country is not None:
        return tuple(zone(name) for name in zones_of_country(profile.country.value))
    return ()


class Judge:
    """One customer at one instant: asks the suppressors, and remembers what it already found out."""

    def __init__(self, policy: Policy, state: State, now: int) -> None:
        self.policy = policy
        self.state = state
        self.now = now
        self._zones = zones_of(state)
        self._kept: tuple[Kept, ...] | None = None
        self._of_class: dict[tuple[str, bool, int], Suppressors] = {}
        self._of_candidate: dict[tuple[int, int], tuple[Candidate, Suppressors]] = {}
        self._answers: Answers = {}
        self._clear: dict[tuple[str, str, bool, int], int | None] = {}

    def ask(
        self,
        candidate: Candidate,
        channel: str,
        acts: tuple[Act, ...],
        asked_at: int | None = None,
        campaign: str | None = None,
    ) -> Ask:
        """The question about a candidate on a channel, of a customer to whom exactly `acts` were made."""
        if self._kept is None:
            self._kept = kept(self.state)
        catalogue = self.policy.catalogue
        zones = self._zones
        return Ask(
            candidate, channel, self.state, acts, self._kept, self.now, catalogue, zones, asked_at, campaign,
            self._answers,
        )  # fmt: skip

    def verdict(self, ask: Ask) -> Verdict:
        """What the suppressors say, with `not_before` and `allowed_from` where it is not yes."""
        found = self._objections(ask)
        if not found:
            return Verdict(ask.candidate, ask.channel, Outcome.ACT, ALLOWED)
        first, last = found[0], found[-1]
        if not last.waits:
            return self._verdict(ask, Outcome.SUPPRESS, last, first)
        not_before = self._first_clear(ask)
        if not_before is None or not_before > ask.now + LONGEST_WAIT or not_before >= ask.candidate.expires_at:
            return self._verdict(ask, Outcome.SUPPRESS, first, first)
        return replace(self._verdict(ask, Outcome.DEFER, first, first), not_before=not_before)

    def outranked(self, verdict: Verdict, ask: Ask) -> Verdict:
        """A candidate that was allowed and lost: free again once the winner's slot, part of `ask.acts`, is."""
        return replace(verdict, reason=OUTRANKED, allowed_from=self.allowed_from(ask))

    def allowed_from(self, ask: Ask, first: Objection | None = None) -> int | None:
        """The first instant from now at which a new request for the same thing would be allowed, nothing else
        happening; `first` is the first objection now, where it is known.

        None if there is none, and None if this request is refused for its own age (exact reading 3).
        """
        candidate = ask.candidate
        if any(one.check(ask) for one in self.policy.of_the_request(candidate.class_, candidate.keeps_quiet)):
            return None
        at = ask.now
        for _ in range(_MAX_STEPS):
            later = ask if at == ask.now else replace(ask, now=at)
            found = (first,) if first is not None else self._objections(later, lasting=True)
            first = None
            if not found:
                return at
            until = self._first_clear(later) if found[0].waits else found[0].until
            if until is None:
                return None
            at = until
        return None

    def valid_until(self, candidate: Candidate, channel: str) -> int:
        """The instant at which an act made now must not go out any more: the earliest end that anyone names."""
        ask = self.ask(candidate, channel, ())
        ends = [one.ends(ask) for one in self._suppressors(candidate)]
        return min([self.now + self.policy.valid_for(candidate.action), *(end for end in ends if end is not None)])

    def _suppressors(self, candidate: Candidate) -> Suppressors:
        return self.policy.suppressors(candidate.class_, candidate.keeps_quiet)

    def _objections(self, ask: Ask, *, lasting: bool = False) -> Sequence[Objection]:
        """All in order up to the first refusal; with `lasting` the first alone, and none that is about the request."""
        asked = self._to_ask(ask)
        found: list[Objection] = []
        silent: set[AnySuppressor] = set()
        for suppressor in asked:
            objection = None if lasting and suppressor.of_the_request else suppressor.check(ask)
            if objection is not None:
                found.append(objection)
                if lasting or not objection.waits:
                    break
            elif suppressor.depends_on != "everything":
                silent.add(suppressor)
        if silent:
            self._leave_out(ask, asked, silent)
        return found

    def _to_ask(self, ask: Ask) -> Suppressors:
        """The suppressors in their order, without those of which it is known that they are silent."""
        candidate = ask.candidate
        known = self._of_candidate.get((id(candidate), ask.now))
        if known is not None:
            return known[1]
        found = self._of_class.get((candidate.class_, candidate.keeps_quiet, ask.now))
        return found if found is not None else self._suppressors(candidate)

    def _leave_out(self, ask: Ask, asked: Suppressors, silent: set[AnySuppressor]) -> None:
        """These say nothing about this candidate at this instant, and what depends on the customer alone, about none of
        its class."""
        candidate = ask.candidate
        left = tuple([one for one in asked if one not in silent])
        if (id(candidate), ask.now) not in self._of_candidate:
            of_class = tuple([one for one in asked if one not in silent or one.depends_on == "candidate"])
            self._of_class[candidate.class_, candidate.keeps_quiet, ask.now] = of_class
        self._of_candidate[id(candidate), ask.now] = candidate, left  # itself too, or its id might be another's

    def _verdict(self, ask: Ask, outcome: Outcome, found: Objection, first: Objection) -> Verdict:
        allowed_from = self.allowed_from(ask, first)
        return Verdict(ask.candidate, ask.channel, outcome, found.reason, found.because, allowed_from=allowed_from)

    def _first_clear(self, ask: Ask) -> int | None:
        """The first instant from `ask.now` at which no suppressor asks to wait (exact reading 1)."""
        key = (ask.candidate.class_, ask.candidate.action, ask.candidate.keeps_quiet, ask.now)
        if key not in self._clear:
            self._clear[key] = self._search_clear(ask)
        return self._clear[key]

    def _search_clear(self, ask: Ask) -> int | None:
        suppressors = self._suppressors(ask.candidate)
        at = ask.now
        for _ in range(_MAX_STEPS):
            later = replace(ask, now=at)
            waits = next(
                (found for one in suppressors if (found := one.check(later)) is not None and found.waits), None
            )
            if waits is None:
                return at
            if waits.until is None or waits.until > ask.now + _HORIZON:
                return None
            at = waits.until
        return None
