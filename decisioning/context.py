"""What somebody who is speaking with a customer should see: what we may say now, and how an order stands.

Pure, like all of the engine: the same judge that answers a request is asked about nothing in particular, once a class
and channel. Shown is what keeps a person from saying the wrong thing, and no more: not what was bought, said long ago
or written down about somebody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

from decisioning.decision import Candidate, Outcome
from decisioning.instant import DAY, format_duration, format_instant
from decisioning.judge import Judge
from decisioning.policy import Policy
from decisioning.rank import by_liking
from decisioning.reasons import describe
from decisioning.state import State, orders
from decisioning.state.model import Order
from decisioning.suppress.frequency_cap import Cap, Caps, UnderCaps
from decisioning.window import slot_free_at

CLASSES: Final = ("marketing", "survey", "service", "care")
CHANNELS: Final = ("email", "push", "sms")
"""The channels that are asked about besides those of the rulebook and of the customer's liking."""
ANYTHING: Final = "anything"
"""The action of the candidate that stands for nothing in particular."""

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class May(Struct, frozen=True, omit_defaults=True, rename={"class_": "class"}):
    """Whether something of a class may be said on a channel now: the verdict, its reason, and that for an agent."""

    class_: str
    channel: str
    verdict: str
    reason: str
    agent: str
    not_before: Time | None = None
    allowed_from: Time | None = None


class OpenCase(Struct, frozen=True, omit_defaults=True):
    """A problem that is not solved."""

    id: str
    since: Time
    severity: str
    topic: str | None = None
    order_id: str | None = None


class OpenPromise(Struct, frozen=True):
    """Our word that is not kept yet."""

    id: str
    what: str
    due_at: Time


class LiveAct(Struct, frozen=True, omit_defaults=True, rename={"class_": "class"}):
    """Something just said that may still be on its way: do not say it again."""

    decision_id: str
    action: str
    class_: str
    channel: str
    made: Time
    valid_until: Time
    request_id: str | None = None


class Waiting(Struct, frozen=True, omit_defaults=True):
    """A request that waits for its time; it is answered then by itself."""

    actions: tuple[str, ...]
    not_before: Time
    request_id: str | None = None


class CapUse(Struct, frozen=True, omit_defaults=True):
    """How much of a frequency cap is used; `free_at` where it is full."""

    name: str
    used: int
    limit: int
    per: str
    channel: str | None = None
    free_at: Time | None = None


class StandingHold(Struct, frozen=True, omit_defaults=True):
    """What nobody may say, whoever asks: `scope` as in a decision, empty: anything."""

    id: str
    reason: str
    agent: str
    scope: Mapping[str, Sequence[str]]
    until: Time | None = None


class Context(Struct, frozen=True, omit_defaults=True):
    """A customer as an agent should see them. `degraded`: we cannot see their history, so service only."""

    customer: str
    as_of: Time
    known: bool
    degraded: bool
    may: list[May]
    cases: list[OpenCase]
    promises: list[OpenPromise]
    live: list[LiveAct]
    waiting: list[Waiting]
    caps: list[CapUse]
    holds: list[StandingHold]
    rulebook: Mapping[str, str]


class OrderStatus(Struct, frozen=True, omit_defaults=True):
    """Where an order stands as far as we were told, and of when the newest of it is.

    `as_of` is absent where an order was only placed and nothing promised: then no time of it is remembered.
    """

    customer: str
    order_id: str
    status: str
    late: bool
    payment_failed: bool
    degraded: bool
    as_of: Time | None = None
    promised_at: Time | None = None
    next: str | None = None


def context(policy: Policy, state: State | None, customer: str, now: int) -> Context:
    """What an agent should see of a customer at `now`; None for a state: we never met them."""
    state = state or State(customer)
    now = max(now, state.now)
    return Context(
        customer=customer,
        as_of=format_instant(now),
        known=state.now > 0,
        degraded=state.degraded,
        may=_may(policy, state, now),
        cases=[
            OpenCase(one.id, format_instant(one.opened_at or 0), one.severity, one.topic, one.order_id)
            for one in state.cases
            if one.open
        ],
        promises=[
            OpenPromise(one.id, one.what, format_instant(one.due_at))
            for one in state.promises
            if one.made_at is not None and one.kept_at is None
        ],
        live=[
            LiveAct(
                one.id, one.candidate.action, one.candidate.class_, one.channel, format_instant(one.made),
                format_instant(one.valid_until), one.request_id,
            )
            for one in state.acts
            if one.live(now)
        ],
        waiting=[
            Waiting(tuple(said.action for said in one.candidates), format_instant(one.not_before), one.request_id)
            for one in state.deferred
        ],
        caps=_caps(policy, state, now),
        holds=[
            StandingHold(one.id, one.reason, describe(one.reason).agent, one.scope.as_json(), _time(one.until))
            for one in state.holds
            if one.until is None or now < one.until
        ],
        rulebook=policy.stamp,
    )  # fmt: skip


def order_status(state: State | None, customer: str, order_id: str, now: int) -> OrderStatus | None:
    """Where an order of a customer stands at `now`; None where we never heard of it."""
    found = orders.find(state, order_id) if state is not None else None
    if state is None or found is None:
        return None
    status = "returned" if found.stands and found.came_back else orders.status(found)
    under_way = status in ("placed", "shipped")
    return OrderStatus(
        customer=customer,
        order_id=order_id,
        status=status,
        as_of=_time(orders.newest(found) or None),
        late=orders.late(found, max(now, state.now)),
        payment_failed=orders.payment_failed(found),
        degraded=state.degraded,
        promised_at=_time(found.told[-1].promised_at) if under_way and found.told else None,
        next=_next(found, status),
    )


def _next(order: Order, status: str) -> str | None:
    if orders.payment_failed(order):
        return "order.payment"
    return {"placed": "order.shipped", "shipped": "order.delivered"}.get(status)


def _may(policy: Policy, state: State, now: int) -> list[May]:
    judge, found = Judge(policy, state, now), []
    for class_ in CLASSES:
        for channel in _channels(policy, state):
            verdict = judge.verdict(judge.ask(_anything(class_, channel, now), channel, state.acts))
            found.append(
                May(
                    class_,
                    channel,
                    "allow" if verdict.verdict is Outcome.ACT else verdict.verdict.value,
                    verdict.reason,
                    describe(verdict.reason).agent,
                    _time(verdict.not_before),
                    _time(verdict.allowed_from),
                )
            )
    return found


def _anything(class_: str, channel: str, now: int) -> Candidate:
    return Candidate(0, ANYTHING, class_, (channel,), now + 31 * DAY)  # type: ignore[arg-type]  # of CLASSES


def _channels(policy: Policy, state: State) -> list[str]:
    """All that the rulebook names, and the customer; most-liked first."""
    named = {channel for action in policy.rulebook.actions for channel in action.channels}
    named |= {channel for cap in _rule(policy).caps for channel in cap.channels or ()}
    named |= set(policy.rulebook.channels or CHANNELS)
    named |= set(state.profile.channels.values if state.profile.channels is not None else ())
    return by_liking(state, sorted(named))


def _rule(policy: Policy) -> Caps:
    rule = policy.rulebook.rule(UnderCaps.section)
    assert isinstance(rule, Caps)
    return rule


def _caps(policy: Policy, state: State, now: int) -> list[CapUse]:
    taken = [act for act in state.acts if act.candidate.class_ == "marketing" and act.counts]
    found = []
    for cap in _rule(policy).caps:
        for channel in cap.channels or (None,):
            made = (act.made for act in taken if channel is None or act.channel == channel)
            found.append(_use(cap, channel, made, now))
    return found


def _use(cap: Cap, channel: str | None, made: Iterable[int], now: int) -> CapUse:
    within = [at for at in made if now - cap.per < at]
    free_at = slot_free_at(within, cap.limit, cap.per, now) if len(within) >= cap.limit else None
    return CapUse(cap.name, len(within), cap.limit, format_duration(cap.per), channel, _time(free_at))


def _time(at: int | None) -> str | None:
    return None if at is None else format_instant(at)
