"""Problems and promises as they are remembered: open or resolved, made or kept, in whatever order they arrive."""

from __future__ import annotations

from msgspec.structs import replace

from decisioning.event import Event
from decisioning.instant import instant
from decisioning.payload import SupportCaseOpened, SupportCaseResolved, SupportPromiseKept, SupportPromiseMade
from decisioning.state.model import MAX_CASES, MAX_NAME, MAX_PROMISES, Case, Promise, State


def opened(state: State, event: Event, data: SupportCaseOpened) -> State:
    """A problem is open from the event's time, also one that was resolved before; the newest opening describes it."""
    case = _case(state, data.case_id)
    if case.opened_at is not None and event.time < case.opened_at:
        return state
    details = replace(case, severity=data.severity, topic=data.topic, order_id=data.order_id)
    return _with(state, replace(details, opened_at=event.time))


def resolved(state: State, event: Event, data: SupportCaseResolved) -> State:
    """A problem is solved; one that we never saw open is remembered all the same (exact reading 6)."""
    case = _case(state, data.case_id)
    if case.resolved_at is not None and event.time <= case.resolved_at:
        return state
    return _with(state, replace(case, resolved_at=event.time))


def promised(state: State, event: Event, data: SupportPromiseMade) -> State:
    """Our word to the customer; given again, the later time holds."""
    promise = _promise(state, data.promise_id)
    if promise.made_at is not None and event.time < promise.made_at:
        return state
    return _with_promise(
        state, replace(promise, made_at=event.time, what=data.what[:MAX_NAME], due_at=instant(data.due_at))
    )


def promise_kept(state: State, event: Event, data: SupportPromiseKept) -> State:
    """Our word was kept, even where it is only heard of now."""
    promise = _promise(state, data.promise_id)
    return _with_promise(state, replace(promise, kept_at=max(promise.kept_at or 0, event.time)))


def bounded(cases: tuple[Case, ...], lost: tuple[str, ...]) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """Cases within their bound, and the names of the lists that lost something: what is resolved goes first, the oldest
    before the newer; an open case that must go forbids for ever."""
    while len(cases) > MAX_CASES:
        gone = min(cases, key=lambda case: (case.open, case.resolved_at or 0, case.opened_at or 0, case.id))
        cases = tuple(case for case in cases if case is not gone)
        if gone.open and "cases" not in lost:
            lost = (*lost, "cases")
    return cases, lost


def bounded_promises(promises: tuple[Promise, ...]) -> tuple[Promise, ...]:
    """Promises within their bound: what is kept goes first, the oldest before the newer."""
    while len(promises) > MAX_PROMISES:
        gone = min(promises, key=lambda one: (one.kept_at is None, one.made_at or one.kept_at or 0, one.id))
        promises = tuple(one for one in promises if one is not gone)
    return promises


def _case(state: State, id_: str) -> Case:
    return next((case for case in state.cases if case.id == id_), Case(id_))


def _with(state: State, case: Case) -> State:
    others = tuple(known for known in state.cases if known.id != case.id)
    cases, lost = bounded((*others, case), state.lost)
    return replace(state, cases=cases, lost=lost)


def _promise(state: State, id_: str) -> Promise:
    return next((promise for promise in state.promises if promise.id == id_), Promise(id_))


def _with_promise(state: State, promise: Promise) -> State:
    others = tuple(known for known in state.promises if known.id != promise.id)
    return replace(state, promises=bounded_promises((*others, promise)))
