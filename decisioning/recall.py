"""Recall: words that have not gone out yet are taken back when they no longer hold.

It has no rules of its own. After each event every live act is judged again as if it had not been made; whoever adds a
suppressor has also added a reason to take words back. Two things more end an act: whoever asked withdraws, or the fact
that it stands on is gone. And what somebody stops is taken back at once, without waiting for an event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from decisioning.decision import SOURCE, Decision, Outcome, Trigger, Verdict, trigger_of
from decisioning.event import Event
from decisioning.judge import Judge
from decisioning.payload import ContactWithdrawn
from decisioning.policy import Policy
from decisioning.state import Act, State, orders
from decisioning.state.model import About
from decisioning.suppress.base import PROMOTIONAL, Objection

_UNTIL_DELIVERED: Final = frozenset({"order.placed", "order.shipped", "order.eta_changed"})

Withdrawal = Callable[[str | None, str | None], str | None]
"""The reason why what belongs to a request and a campaign is withdrawn, or None."""


def withdrawal(event: Event) -> Withdrawal:
    """What an event withdraws; any other event withdraws nothing."""
    data = event.data

    def reason(request_id: str | None, campaign: str | None) -> str | None:
        if not isinstance(data, ContactWithdrawn):
            return None
        if data.request_id is not None and data.request_id == request_id:
            return "withdrawn.request"
        if data.campaign is not None and data.campaign == campaign:
            return "withdrawn.campaign"
        return None

    return reason


def recall(policy: Policy, state: State, event: Event) -> tuple[State, list[Decision]]:
    """Judge every live act again, oldest first, as if it and all later ones had not been made; take back what fails."""
    if not [act for act in state.acts if act.candidate.channels and act.live(state.now)]:  # a swept act names none
        return state, []
    in_order = tuple(sorted(state.acts, key=lambda act: (act.made, act.id)))
    withdrawn = withdrawal(event)
    outputs: list[Decision] = []
    judge = Judge(policy, state, state.now)
    for place, act in enumerate(in_order):
        if not act.live(state.now):
            continue
        reason = withdrawn(act.request_id, act.campaign) or fact_gone(state, act.about)
        if reason is not None:
            verdict = Verdict(act.candidate, act.channel, Outcome.SUPPRESS, reason)
        else:
            before = in_order[:place] if act.candidate.class_ in PROMOTIONAL else ()
            verdict = judge.verdict(judge.ask(act.candidate, act.channel, before, campaign=act.campaign))
        if not verdict.allowed:
            outputs.append(_taken_back(policy, state, trigger_of(event), act, verdict, event.traceparent))
    return _without(state, outputs), outputs


def recall_stopped(policy: Policy, state: State, cause: str) -> tuple[State, list[Decision]]:
    """Take back every live act that is stopped, oldest first, though nothing happened to the customer.

    `cause` says what stopped them. No other rule is asked: those speak when something happens.
    """
    outputs: list[Decision] = []
    trigger = Trigger(SOURCE, cause, "stop")
    for act in sorted(state.acts, key=lambda act: (act.made, act.id)):
        if not act.live(state.now):
            continue
        found = stops(policy, act)
        if found is not None:
            verdict = Verdict(act.candidate, act.channel, Outcome.SUPPRESS, found.reason, found.because)
            outputs.append(_taken_back(policy, state, trigger, act, verdict))
    return _without(state, outputs), outputs


def stops(policy: Policy, act: Act) -> Objection | None:
    """What is stopped of what this act says, if anything."""
    said = act.candidate
    return policy.switch.named(said.class_, act.channel, said.action, act.campaign)


def _without(state: State, recalls: list[Decision]) -> State:
    """The state in which what was taken back is over."""
    taken_back = {output.recalls for output in recalls}
    acts = tuple(replace(act, ended=True) if act.id in taken_back else act for act in state.acts)
    return replace(state, acts=acts) if recalls else state


def fact_gone(state: State, about: About | None) -> str | None:
    """Why an action of the rulebook has nothing to stand on any more: its order arrived, was called off or came
    back."""
    order = None if about is None else orders.find(state, about.order_id)
    if about is None or order is None:
        return None
    if order.delivered_at is not None and about.event in _UNTIL_DELIVERED:
        return "order.delivered"
    if orders.status(order) == "cancelled":
        return "order.cancelled"
    back = order.came_back if about.sku is None else bool(order.lines) and order.kept(about.sku) <= 0
    return "order.returned" if back else None


def _taken_back(
    policy: Policy, state: State, trigger: Trigger, act: Act, verdict: Verdict, traceparent: str | None = None
) -> Decision:
    return Decision(
        outcome=Outcome.RECALL,
        subject=state.subject,
        time=state.now,
        trigger=trigger,
        ref=act.id,
        reason=verdict.reason,
        rulebook=policy.stamp,
        action=act.candidate.action,
        class_=act.candidate.class_,
        channel=act.channel,
        request_id=act.request_id,
        allowed_from=verdict.allowed_from,
        recalls=act.id,
        considered=(verdict,),
        traceparent=traceparent,
    )
