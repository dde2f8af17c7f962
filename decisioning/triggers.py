"""Actions of the rulebook that an event calls: which apply, and the questions that they are.

Contract.md, section 4, "Shipped triggers": a delay alert, an order's status. Whether an action applies is its clauses'
word; whether it may be said is the suppressors'. One whose event is older than it is valid is not called (rule 23), one
that speaks once of an order and event is not called again.
"""

from __future__ import annotations

from typing import NamedTuple

from decisioning import facts
from decisioning.actions import Action
from decisioning.answers import Question, rivals
from decisioning.condition import ConditionError
from decisioning.decision import trigger_of
from decisioning.event import Event
from decisioning.instant import instant
from decisioning.payload import OrderEtaChanged, OrderNamed, OrderPromised, PurchaseCompleted
from decisioning.policy import Policy
from decisioning.state import State, orders
from decisioning.state.model import About


class Called(NamedTuple):
    """The questions that an event calls, and the clauses that erred (`action.clause`): their actions are dropped."""

    questions: tuple[Question, ...]
    errors: tuple[str, ...]


NOTHING = Called((), ())


def called(policy: Policy, state: State, event: Event) -> Called:
    """The actions of the rulebook that this event calls, on the memory that has just folded it.

    Marketing and survey actions compete for one answer, each other action is a question of its own.
    """
    actions = policy.triggers(event.type)
    forgotten = state.erased_at is not None and event.time <= state.erased_at
    if not actions or forgotten:
        return NOTHING
    about = _about(event)
    known: facts.Facts | None = None
    found, errors = [], []
    for action in actions:
        if state.now - event.time > action.valid_for or _said_before(state, action, about):
            continue
        if action.clauses:
            known = known if known is not None else facts.of_event(policy.attributes, state, event)
            try:
                if action.refused_by(known) is not None:
                    continue
            except ConditionError as error:
                errors.append(f"{action.action}.{error.clause}")
                continue
        found.append(action.candidate(event.time, policy.lifetime))
    trigger, said = trigger_of(event), event.traceparent
    questions = [Question(group, trigger, None, None, said, trigger, about=about) for group in rivals(found)]
    return Called(tuple(questions), tuple(errors))


def _about(event: Event) -> About | None:
    data = event.data
    if isinstance(data, OrderEtaChanged):
        return About(data.order_id, event.type, promised_at=instant(data.promised_at))
    if isinstance(data, OrderNamed | OrderPromised | PurchaseCompleted):
        return About(data.order_id, event.type)
    return None


def _said_before(state: State, action: Action, about: About | None) -> bool:
    order = orders.find(state, about.order_id) if about is not None and action.once else None
    if order is None or about is None:
        return False
    what = f"{action.action}:{about.event}"
    return any(said.what == what and orders.went_out(state, said) for said in order.said)
