"""How an event becomes memory: of two facts on one thing the later time holds, at a tie the stricter.

`FOLDS` names the function for each event type that leaves a trace; what the functions do stands in the modules of what
they change. An event at or before an erasure leaves none, but for what protects the customer (contract.md, section 4,
"Erasure").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from msgspec.structs import replace

from decisioning.event import Event
from decisioning.payload import (
    RESPONSES,
    ConsentChanged,
    CustomerLifeEvent,
    CustomerPreferenceSet,
    CustomerUpdated,
    Data,
    OrderEtaChanged,
    OrderNamed,
    OrderPromised,
    PurchaseCompleted,
    PurchaseReturned,
    Response,
    ResponseRecalled,
    SupportCaseOpened,
    SupportCaseResolved,
    SupportPromiseKept,
    SupportPromiseMade,
    SurveyAnswered,
)
from decisioning.state import cases, consents, orders, people, purchases, replies
from decisioning.state.model import Profile, State

D = TypeVar("D", bound=Data)

_REVIVES: Final = frozenset({"purchase.completed", "consent.granted"})
_ALWAYS: Final = frozenset({"response.complained", "response.unsubscribed", "customer.erased"})
_UNDOES: Final = frozenset({"response.failed", "response.expired"})


def fold(state: State, event: Event) -> State:
    """The state after the event's facts; requests and unknown things leave it as it is."""
    found = FOLDS.get(event.type)
    if found is None or event.data is None:
        return state
    if state.erased_at is not None and event.time <= state.erased_at and event.type not in _ALWAYS:
        return state
    if state.erased and event.type in _REVIVES:
        state = replace(state, erased=False)
    return found(state, event, event.data)


def names_unknown(state: State, event: Event) -> bool:
    """Whether the event names a decision or an order that this customer's memory does not hold: counted, no error."""
    data = event.data
    if isinstance(data, Response | ResponseRecalled):
        return all(act.id != data.decision_id for act in state.acts)
    if isinstance(data, PurchaseReturned):
        return all(order.id != data.order_id for order in state.orders)
    return False


def _fold(model: type[D], function: Callable[[State, Event, D], State]) -> Callable[[State, Event, Data], State]:
    def checked(state: State, event: Event, data: Data) -> State:
        assert isinstance(data, model)
        return function(state, event, data)

    return checked


def _erased(state: State, event: Event, data: Data) -> State:
    """Who they are goes at once; acts and promises stay until the engine has taken them back and answered them."""
    return replace(state, erased=True, erased_at=max(state.erased_at or 0, event.time), profile=Profile())


def _responded(state: State, event: Event, data: Response | ResponseRecalled) -> State:
    """A response ends an act's being live; it shows arrival, or that nothing went out (slots, exact reading 2)."""
    undone = event.type in _UNDOES or (isinstance(data, ResponseRecalled) and data.in_time)
    acts = []
    for act in state.acts:
        if act.id == data.decision_id:
            if undone:
                act = replace(act, ended=True, undone_at=max(act.undone_at or 0, event.time))
            else:
                act = replace(act, ended=True, arrived_at=max(act.arrived_at or 0, event.time))
        acts.append(act)
    return replace(state, acts=tuple(acts))


def _survey_answered(state: State, event: Event, data: SurveyAnswered) -> State:
    """An answered survey arrived."""
    if data.decision_id is None:
        return state
    return _responded(state, event, Response(data.decision_id, ""))


def _declined(state: State, event: Event, data: Response) -> State:
    return _responded(replies.replied(state, event, data, "declined"), event, data)


def _ignored(state: State, event: Event, data: Response) -> State:
    return _responded(replies.replied(state, event, data, "ignored"), event, data)


def _complained(state: State, event: Event, data: Response) -> State:
    return _responded(consents.complained(state, event, data), event, data)


def _unsubscribed(state: State, event: Event, data: Response) -> State:
    return _responded(consents.unsubscribed(state, event, data), event, data)


FOLDS: Final[dict[str, Callable[[State, Event, Data], State]]] = {
    "purchase.completed": _fold(PurchaseCompleted, purchases.bought),
    "purchase.returned": _fold(PurchaseReturned, purchases.returned),
    "order.placed": _fold(OrderPromised, orders.placed),
    "order.shipped": _fold(OrderPromised, orders.shipped),
    "order.eta_changed": _fold(OrderEtaChanged, orders.postponed),
    "order.delivered": _fold(OrderNamed, orders.delivered),
    "order.cancelled": _fold(OrderNamed, orders.cancelled),
    "order.payment_failed": _fold(OrderNamed, orders.unpaid),
    "support.case_opened": _fold(SupportCaseOpened, cases.opened),
    "support.case_resolved": _fold(SupportCaseResolved, cases.resolved),
    "support.promise_made": _fold(SupportPromiseMade, cases.promised),
    "support.promise_kept": _fold(SupportPromiseKept, cases.promise_kept),
    "customer.updated": _fold(CustomerUpdated, people.updated),
    "customer.preference_set": _fold(CustomerPreferenceSet, people.preferred),
    "consent.granted": _fold(ConsentChanged, consents.granted),
    "consent.withdrawn": _fold(ConsentChanged, consents.withdrawn),
    "customer.life_event": _fold(CustomerLifeEvent, people.lived),
    "customer.erased": _fold(Data, _erased),
    "survey.answered": _fold(SurveyAnswered, _survey_answered),
    **{f"response.{kind}": _fold(Response, _responded) for kind in RESPONSES},
    "response.declined": _fold(Response, _declined),
    "response.ignored": _fold(Response, _ignored),
    "response.complained": _fold(Response, _complained),
    "response.unsubscribed": _fold(Response, _unsubscribed),
    "response.recalled": _fold(ResponseRecalled, _responded),
}
"""Event type -> how it becomes memory; a type that is not here leaves none."""

__all__ = ["FOLDS", "fold", "names_unknown"]
