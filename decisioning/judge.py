"""The verdict on one candidate and channel: every suppressor asked in order, and when their answer would change.

Any refusal refuses, else any wish to wait defers, else it is allowed; the reason is that of the first suppressor that
gave the verdict (contract.md, section 3, "Verdicts").
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from decisioning.decision import Candidate, Outcome, Verdict
from decisioning.instant import DAY
from decisioning.policy import LONGEST_WAIT, Panel, Placed, Policy
from decisioning.state import Act, State
from decisioning.suppress import Ask, Objection
from decisioning.suppress.base import Answers
from decisioning.zones import UnknownZone, Zone, zone, zones_of_country

ALLOWED: Final = "allowed.clear"
OUTRANKED: Final = "outranked.value"
_HORIZON: Final = 370 * DAY  # plans repeat every week, offsets between zones every year
_MAX_STEPS: Final = 2000
_LAST: Final = 1 << 30  # behind every place


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


class Heard(Struct, frozen=True, gc=False):
    """What some suppressors said, up to their first refusal: wishes to wait, each with its place, and that refusal,
    whose place is `before`; without one nobody at or after `before` was asked."""

    waits: tuple[tuple[int, Objection], ...]
    refusal: Objection | None
    before: int


class Judge:
    """One customer at one instant: asks the suppressors, and remembers what it already found out."""

    def __init__(self, policy: Policy, state: State, now: int) -> None:
        self.policy = policy
        self.state = state
        self.now = now
        self._zones = zones_of(state)
        self._of_customer: dict[tuple[str, bool, int], Heard] = {}
        self._of_candidate: dict[tuple[int, int], tuple[Candidate, Heard]] = {}
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
        catalogue = self.policy.catalogue
        zones = self._zones
        return Ask(
            candidate, channel, self.state, acts, self.now, catalogue, zones, asked_at, campaign,
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
        for suppressor in self.policy.panel(ask.candidate.class_, ask.candidate.keeps_quiet).of_the_request:
            if suppressor.check(ask) is not None:
                return None
        at = ask.now
        for _ in range(_MAX_STEPS):
            later = ask if at == ask.now else replace(ask, now=at)
            if first is None:
                found = self._objections(later, lasting=True)
                if not found:
                    return at
                first = found[0]
            until = self._first_clear(later) if first.waits else first.until
            if until is None:
                return None
            at, first = until, None
        return None

    def valid_until(self, candidate: Candidate, channel: str) -> int:
        """The instant at which an act made now must not go out any more: the earliest end that anyone names."""
        ask = self.ask(candidate, channel, ())
        ends = [one.ends(ask) for one in self.policy.panel(candidate.class_, candidate.keeps_quiet).ending]
        return min([self.now + self.policy.valid_for(candidate.action), *(end for end in ends if end is not None)])

    def _objections(self, ask: Ask, *, lasting: bool = False) -> Sequence[Objection]:
        """All in order up to the first refusal; with `lasting` without those that are about the request."""
        panel = self.policy.panel(ask.candidate.class_, ask.candidate.keeps_quiet)
        customer = self._about_customer(ask, panel)
        candidate = self._about_candidate(ask, panel, customer)
        rest = _heard(panel.lasting if lasting else panel.of_everything, ask, candidate.before)
        # Each was asked only about what stands before the refusal of the one before it.
        refusal = rest.refusal or candidate.refusal or customer.refusal
        refusals = () if refusal is None else (refusal,)
        if not (customer.waits or candidate.waits or rest.waits):
            return refusals
        waits = sorted((*customer.waits, *candidate.waits, *rest.waits), key=lambda pair: pair[0])
        return *(objection for place, objection in waits if place < rest.before), *refusals

    def _about_customer(self, ask: Ask, panel: Panel) -> Heard:
        """What those say whose answer depends on the customer alone: once for all candidates of a class."""
        class_, quiet = ask.candidate.class_, ask.candidate.keeps_quiet
        found = self._of_customer.get((class_, quiet, ask.now))
        if found is None:
            asked = panel.of_customer
            if ask.now != self.now:
                asked = _may_object_later(asked, self._of_customer.get((class_, quiet, self.now)))
            found = self._of_customer[class_, quiet, ask.now] = _heard(asked, ask, _LAST)
        return found

    def _about_candidate(self, ask: Ask, panel: Panel, customer: Heard) -> Heard:
        """What those say whose answer depends on what is to be said as well: once for all its channels."""
        key = (id(ask.candidate), ask.now)
        known = self._of_candidate.get(key)
        if known is not None:
            return known[1]
        asked = panel.of_candidate
        if ask.now != self.now:
            _, before = self._of_candidate.get((key[0], self.now), (None, None))
            asked = _may_object_later(asked, before)
        found = _heard(asked, ask, customer.before)
        self._of_candidate[key] = ask.candidate, found  # itself too, or its id might be another's
        return found

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
        suppressors = self.policy.suppressors(ask.candidate.class_, ask.candidate.keeps_quiet)
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


def _heard(asked: Placed, ask: Ask, before: int) -> Heard:
    """What they say, of those placed before `before`."""
    waits: list[tuple[int, Objection]] = []
    for place, suppressor in asked:
        if place >= before:
            break
        objection = suppressor.check(ask)
        if objection is None:
            continue
        if not objection.waits:
            return Heard(tuple(waits), objection, place)
        waits.append((place, objection))
    return Heard(tuple(waits), None, before) if waits else _silence(before)


@lru_cache(maxsize=64)
def _silence(before: int) -> Heard:
    return Heard((), None, before)


def _may_object_later(asked: Placed, now: Heard | None) -> Placed:
    """Those that may object at a later instant, after what was heard now: silence that fades is over for good."""
    if now is None or now.waits:
        return asked
    return tuple([pair for pair in asked if pair[0] >= now.before or not pair[1].fades])
