"""How an event becomes memory: of two facts on one thing the later time holds, at a tie the stricter.

`FOLDS` names the function for each event type that leaves a trace. An event at or before an erasure leaves none, but
for what protects the customer (contract.md, section 4, "Erasure").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from msgspec.structs import replace

from decisioning.event import Event
from decisioning.instant import instant
from decisioning.payload import (
    RESPONSES,
    ConsentChanged,
    CustomerLifeEvent,
    CustomerPreferenceSet,
    CustomerUpdated,
    Data,
    OrderNamed,
    PurchaseCompleted,
    PurchaseReturned,
    Response,
    ResponseRecalled,
    SurveyAnswered,
)
from decisioning.state import orders
from decisioning.state.model import (
    MAX_CONSENTS,
    MAX_LIST,
    MAX_NAME,
    Consent,
    Fact,
    Facts,
    Limit,
    OwnWindows,
    Profile,
    State,
)

D = TypeVar("D", bound=Data)
Timed = TypeVar("Timed", Fact, Facts, Limit, OwnWindows)

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


def _updated(state: State, event: Event, data: CustomerUpdated) -> State:
    at, known = event.time, state.profile
    return replace(
        state,
        profile=replace(
            known,
            name=_later(known.name, data.name and Fact(data.name[:MAX_NAME], at)),
            time_zone=_later(known.time_zone, data.time_zone and Fact(data.time_zone, at)),
            country=_later(known.country, data.country and Fact(data.country, at)),
            language=_later(known.language, data.language and Fact(data.language, at)),
        ),
    )


def _preferred(state: State, event: Event, data: CustomerPreferenceSet) -> State:
    at, known = event.time, state.profile
    profile = known
    if data.contact_windows is not None:
        windows = OwnWindows(tuple(window.window() for window in data.contact_windows), at)
        profile = replace(profile, windows=_later(known.windows, windows))
    if data.channels is not None:
        profile = replace(profile, channels=_later(known.channels, Facts(tuple(dict.fromkeys(data.channels)), at)))
    if data.topics_off is not None:
        profile = replace(profile, topics_off=_all_of(known.topics_off, data.topics_off, at))
    if data.needs is not None:
        profile = replace(profile, needs=_all_of(known.needs, data.needs, at))
    if data.max_marketing_per_week is not None:
        limit = Limit(data.max_marketing_per_week, at)
        if known.max_marketing_per_week is not None and known.max_marketing_per_week.at == at:
            limit = min(limit, known.max_marketing_per_week, key=lambda one: one.value)
        profile = replace(profile, max_marketing_per_week=_later(known.max_marketing_per_week, limit))
    return replace(state, profile=profile)


def _later(known: Timed | None, new: Timed | str | None) -> Timed | None:
    """Of two facts that know no stricter side: the later time, at a tie the later arrival (exact reading 11)."""
    if not new or isinstance(new, str):
        return known
    return new if known is None or new.at >= known.at else known


def _all_of(known: Facts | None, values: list[str], at: int) -> Facts:
    """Of two lists of what is refused or needed: the later time, at a tie both."""
    if known is None or at > known.at:
        return Facts(tuple(dict.fromkeys(values)), at)
    if at == known.at:
        return Facts(tuple(dict.fromkeys((*known.values, *values)))[:MAX_LIST], at)
    return known


def _granted(state: State, event: Event, data: ConsentChanged) -> State:
    until = None if data.expires_at is None else instant(data.expires_at)
    return _consents(state, data, granted=True, at=event.time, until=until)


def _withdrawn(state: State, event: Event, data: ConsentChanged) -> State:
    return _consents(state, data, granted=False, at=event.time, until=None)


def _consents(state: State, data: ConsentChanged, *, granted: bool, at: int, until: int | None) -> State:
    known = {(one.purpose, one.channel): one for one in state.consents}
    # An empty list grants nothing and withdraws everything: what we do not know is silent.
    named = data.channels if data.channels or (granted and data.channels is not None) else [""]
    for channel in named:
        new = Consent(data.purpose, channel, granted, at, until)
        old = known.get((data.purpose, channel))
        if old is None or new.at >= old.at:
            known[data.purpose, channel] = new if old is None or new.at > old.at else _stricter(new, old)
            if channel == "":
                known = {
                    key: one for key, one in known.items() if key[0] != data.purpose or key[1] == "" or one.at >= at
                }
    return replace(state, consents=_bounded(tuple(known.values())))


def _stricter(one: Consent, other: Consent) -> Consent:
    """Of two facts of one time: a withdrawal before a grant, the earlier end of two grants."""
    if not (one.granted and other.granted):
        return other if one.granted else one
    ends = [end for end in (one.until, other.until) if end is not None]
    lapses = one.lapses or other.lapses or len(ends) == 1
    return replace(one, until=min(ends, default=None), lapses=lapses)


def _bounded(consents: tuple[Consent, ...]) -> tuple[Consent, ...]:
    """Within the bound: the oldest grant goes first; a withdrawal that must go takes all channels with it."""
    while len(consents) > MAX_CONSENTS:
        grants = [one for one in consents if one.granted and one.channel]
        gone = min(grants or [one for one in consents if one.channel], key=lambda one: one.at)
        consents = tuple(one for one in consents if one is not gone)
        if not gone.granted:
            rest = tuple(one for one in consents if (one.purpose, one.channel) != (gone.purpose, ""))
            consents = (*rest, Consent(gone.purpose, "", False, gone.at))
    return consents


def _life(state: State, event: Event, data: CustomerLifeEvent) -> State:
    return replace(state, deceased=True) if data.kind == "deceased" else state


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


def _cancelled(state: State, event: Event, data: OrderNamed) -> State:
    return orders.cancelled(state, event, data.order_id)


FOLDS: Final[dict[str, Callable[[State, Event, Data], State]]] = {
    "purchase.completed": _fold(PurchaseCompleted, orders.bought),
    "purchase.returned": _fold(PurchaseReturned, orders.returned),
    "order.cancelled": _fold(OrderNamed, _cancelled),
    "customer.updated": _fold(CustomerUpdated, _updated),
    "customer.preference_set": _fold(CustomerPreferenceSet, _preferred),
    "consent.granted": _fold(ConsentChanged, _granted),
    "consent.withdrawn": _fold(ConsentChanged, _withdrawn),
    "customer.life_event": _fold(CustomerLifeEvent, _life),
    "customer.erased": _fold(Data, _erased),
    "survey.answered": _fold(SurveyAnswered, _survey_answered),
    "response.recalled": _fold(ResponseRecalled, _responded),
    **{f"response.{kind}": _fold(Response, _responded) for kind in RESPONSES},
}
"""Event type -> how it becomes memory; a type that is not here leaves none."""

__all__ = ["FOLDS", "fold", "names_unknown"]
