"""Which survivor speaks: value times propensity, then a stated tie-break (contract.md, section 3, "One answer a
request").

Propensity is 1 until something learns it. The order is total, so the same candidates always give the same winner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from decisioning.decision import Candidate
from decisioning.state import State


def by_rank(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Best first: the greater value, then the order of the request (the sort is stable)."""
    return sorted(candidates, key=lambda candidate: -candidate.worth)


def by_liking(state: State, channels: Sequence[str]) -> list[str]:
    """Most-liked first: the customer's own order, then the candidate's."""
    liked = state.profile.channels
    if liked is None:
        return list(channels)
    place = {channel: index for index, channel in enumerate(liked.values)}
    return sorted(channels, key=lambda channel: place.get(channel, len(place)))
