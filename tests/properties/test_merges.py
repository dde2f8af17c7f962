"""Whoever has two names is treated at least as carefully as under either: merging never loosens, and once is enough."""

from __future__ import annotations

from typing import Final

from hypothesis import given, note
from msgspec.structs import replace

from decisioning.decision import Candidate, Trigger
from decisioning.engine import on_relay
from decisioning.instant import DAY
from decisioning.judge import Judge
from decisioning.moves import Moved
from decisioning.policy import Policy
from decisioning.replay import Replay
from decisioning.state import State, dumps, loads
from decisioning.state.merge import Lasting, merge
from tests.properties.histories import CHANNELS, SKUS, TOPICS, histories, live, often, policy

LINK: Final = Trigger("/shop", "e-link", "identity.linked")
STRICT: Final = ("dnc.", "empathy.", "hold.", "consent.withdrawn", "consent.expired", "frequency_cap.",
    "need_conflict.", "ineligible.", "concurrent_channel.", "campaign_exclusion.",
    "recent_purchase.cooldown")  # fmt: skip
"""What one name refuses for these, both together refuse; the rest hangs on where they live or on what is not known."""


def two(drawn: bytes) -> tuple[Policy, State, State] | None:
    """Two customers of a history who are not part of each other, at the instant of the last event."""
    events, _ = live(drawn)
    run = Replay(policy())
    for event in events:
        if event.type not in ("identity.linked", "customer.merged"):
            list(run.feed(event))
    found = [run.states[name] for name in ("c-1", "tel:1", "c-2") if name in run.states]
    free = [replace(state, now=run.now) for state in found if not state.erased]
    return (run.policy, free[0], replace(free[1], moves=1)) if len(free) > 1 else None


def lasting(rules: Policy) -> Lasting:
    """The shipped lengths."""
    return Lasting(730 * DAY, rules.life_until)


def refusals(rules: Policy, state: State) -> dict[tuple[str, str, str | None, str | None], str]:
    """Why not, for every candidate of a small world, by class, channel, topic and audience; allowed ones are left
    out."""
    judge, found = Judge(rules, state, state.now), {}
    for class_ in ("marketing", "survey"):
        for channel in CHANNELS:
            for topic, audience, sku in (
                (None, None, SKUS[0]),
                (TOPICS[0], "prospect", None),
                (TOPICS[1], None, SKUS[2]),
            ):
                one = Candidate(
                    0, "a", class_, (channel,), state.now + DAY, sku=sku, price="1", topic=topic, audience=audience
                )
                verdict = judge.verdict(judge.ask(one, channel, state.acts))
                if not verdict.allowed:
                    found[class_, channel, topic, audience] = verdict.reason
    return found


@given(histories)
@often(120)
def test_a_merge_is_never_looser_than_either_side(drawn: bytes) -> None:
    """What was refused under one name, for a fact that both sides can hold, is not allowed under both."""
    found = two(drawn)
    if found is None:
        return
    rules, target, source = found
    both = refusals(rules, merge(target, source, lasting(rules)))
    shared = {order.id for order in target.orders} & {order.id for order in source.orders}
    for side in (target, source):
        for asked, reason in refusals(rules, side).items():
            note(f"{side.subject} {asked} {reason}")
            settled = shared and reason == "hold.basics_unresolved"  # the other side may know that it was delivered
            assert asked in both or settled or not reason.startswith(STRICT)


@given(histories)
@often(60)
def test_a_move_is_taken_in_once(drawn: bytes) -> None:
    """The same message again changes nothing and says nothing; what is merged can be stored and read."""
    found = two(drawn)
    if found is None:
        return
    rules, target, source = found
    moved = Moved(source, (source.subject,), LINK, target.now)
    once = on_relay(rules, target, target.subject, moved, target.now)
    again = on_relay(rules, once.state, target.subject, moved, target.now + DAY)
    assert (again.state, again.outputs, again.relays) == (once.state, (), ())
    assert loads(dumps(once.state)) == once.state
    assert dumps(on_relay(rules, target, target.subject, moved, target.now).state) == dumps(once.state)


@given(histories)
@often(60)
def test_the_direction_of_a_merge_changes_nothing_that_forbids(drawn: bytes) -> None:
    """Whoever is the target: the same is refused for facts that have a stricter side."""
    found = two(drawn)
    if found is None:
        return
    rules, one, other = found
    there = refusals(rules, merge(one, other, lasting(rules)))
    back = refusals(rules, merge(other, replace(one, moves=1), lasting(rules)))
    for ours, theirs in ((there, back), (back, there)):
        for asked, reason in ours.items():
            assert asked in theirs or not reason.startswith(STRICT)
