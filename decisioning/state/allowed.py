"""What two sides allowed and forbade, put together: a withdrawal stands before a grant, a mark before both.

A fact for all channels ("") is a fact for each of them, so the sides are compared channel by channel, each with the
fact that holds there (contract.md, section 4, "An identity ...", rules 2 and 3).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from decisioning.state.consents import bounded, bounded_marks
from decisioning.state.model import Consent, Mark, State


def consents_of_both(ours: State, theirs: State, lasts: int) -> tuple[Consent, ...]:
    """For each purpose and channel the stricter of what holds on the two sides, with the later time; of two grants the
    earlier end, where one without an end of its own lasts `lasts` us. Where one side holds nothing the other's stands.
    """
    if not (ours.consents and theirs.consents):
        return ours.consents or theirs.consents
    names = dict.fromkeys((one.purpose, one.channel) for one in (*ours.consents, *theirs.consents))
    found: dict[tuple[str, str], Consent] = {}
    for purpose, channel in sorted(names, key=lambda name: name[1] != ""):  # those for all channels first
        sides = [_holding(side.consents, purpose, channel, lasts) for side in (ours, theirs)]
        holds = [replace(one, channel=channel) for one in sides if one is not None]
        both = holds[0] if len(holds) == 1 else _stricter(holds[0], holds[1], lasts)
        wide = found.get((purpose, ""))
        if wide is None or replace(wide, channel=channel) != both:
            found[purpose, channel] = both if wide is None else _above(wide, both, lasts)
    in_order = (found[name] for name in names if name in found)
    return bounded(tuple(in_order))


def marks_of_both(ours: State, theirs: State) -> tuple[Mark, ...]:
    """Every mark of either side, as late as the other side's newest grant: a grant from before the merge lifts none."""
    found: dict[tuple[str, str, str], Mark] = {}
    for side, other in ((ours, theirs), (theirs, ours)):
        for mark in side.marks:
            key = (mark.purpose, mark.channel, mark.kind)
            at = max([mark.at, *_grants(other.consents, mark)])
            found[key] = replace(mark, at=max(at, found[key].at if key in found else at))
    return bounded_marks(tuple(found.values()))


def _grants(consents: Sequence[Consent], mark: Mark) -> list[int]:
    return [
        one.at
        for one in consents
        if one.granted and one.purpose == mark.purpose and (not mark.channel or one.channel in ("", mark.channel))
    ]


def _holding(consents: Sequence[Consent], purpose: str, channel: str, lasts: int) -> Consent | None:
    """What holds on a channel: of its own fact and the one for all the later, at a tie the stricter."""
    facts = [one for one in consents if one.purpose == purpose and one.channel in ("", channel)]
    return max(facts, key=lambda one: (one.at, not one.granted, -one.end(lasts)), default=None)


def _above(wide: Consent, named: Consent, lasts: int) -> Consent:
    """The fact of one channel so that it holds there. Of one time the stricter of it and the one for all would, and
    both may have the time of one side's word for all; it must be the later then, by the least that there is."""
    end = named.end(lasts)
    if wide.at == named.at and named.granted and not (wide.granted and wide.end(lasts) >= end):
        return replace(named, at=named.at + 1, until=end, lapses=False)
    return named


def _stricter(one: Consent, other: Consent, lasts: int) -> Consent:
    at = max(one.at, other.at)
    if not (one.granted and other.granted):
        return replace(other if one.granted else one, at=at, until=None, lapses=False)
    if one == other:
        return one
    return replace(one, at=at, until=min(one.end(lasts), other.end(lasts)), lapses=False)
