"""Something just happened to this customer. May we speak to them now, and if so, what is the best thing to say?

That question is answered here, in four functions and nothing else. `on_event` is asked when something happened,
`on_wake` when an answer that we promised is due, `on_relay` when two subjects become one, `on_sweep` when somebody
pulled the stop switch, and now and then. All are pure: all they know is handed in, all they do is handed back as a
`Step`.

    event ──▶ fold ──▶ recall what no longer holds ──▶ holds ──▶ weigh what is asked ──▶ rank ──▶ decisions
                ▲                                                                                     │
                └────────────────────────── record (the only loop) ◀──────────────────────────────────┘

*Respect comes first.* An event is folded into memory before anything is weighed, so the purchase that arrives with a
request already counts. Then every act that could still be stopped is judged again as if it had not been made; what
would now be refused is recalled with that reason. Recall therefore has no rules of its own: whoever adds a suppressor
has also added a reason to take words back. Holds tell all who might speak, us or not, what is silent from now on: they
are read from the facts and renewed when those change. Only then do we weigh what is asked, by a request or by an
action of the rulebook that the event calls.

*Weighing.* A candidate is judged on each of its channels; the marketing and survey candidates of one request compete
for one answer, a service or care candidate is answered by itself. If any is allowed, the best speaks. If none is but
some may speak later, we promise to ask ourselves again (`defer`) and keep the request. Else the answer is no, with
the reason of the candidate that would have been first. Silence is an answer: whoever asks is answered exactly once,
and once more for each promise.

*Waking.* At a wake all requests that are due compete as if they had come together, on the memory of that moment. All
are judged before the winner's act is recorded; the losers learn that they were outranked and when the winner's slot
is free.

*Time.* `now` is handed in, never runs backwards for one customer, and is the only clock. Slots of the frequency caps
are taken in the same step that decides, so two requests of one microsecond cannot both pass.

*Becoming one.* A subject may turn out to be part of another. It then gives away all that it knows and forwards what
comes later; `on_relay` is asked when the other side of such a move has something to tell (`moves`).

*History.* Who comes to us with years behind them tells us the past as events of the past. They fold as late events do
and what they show is weighed from then on, but nothing is asked about them and nothing is called by them; the holds
that stand by them are said once, when no more of it comes. What is live or promised in the present is kept to: a past
withdrawal takes back today's act.

*Repeats.* A re-sent event changes nothing and says nothing. A decision's id is made from its trigger, so a decision
that is published again is recognised as the same one; for that, one id must have one payload, for ever, and so
nothing that differs between two runs (the clock of a machine, the order of a dict, chance) may reach a decision.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec.structs import replace

from decisioning import answers, holds, moves
from decisioning.decision import SOURCE, Decision, Trigger, trigger_of
from decisioning.event import Event
from decisioning.instant import format_instant
from decisioning.payload import ContactRequested, ContactWithdrawn, CustomerErased
from decisioning.policy import Policy
from decisioning.recall import recall, recall_stopped, withdrawal
from decisioning.state import State, erase, fold, memory, names_unknown, sweep
from decisioning.triggers import called

REQUESTS: Final = (ContactRequested, ContactWithdrawn)
"""What is asked of us, and cannot be asked of the past."""


class Step(NamedTuple):
    """What one question brought: the memory after it, what to say in order, and when to ask again (None: not at
    all)."""

    state: State
    outputs: tuple[Decision, ...]
    wake_at: int | None
    unknown: bool = False
    """Whether the event named a decision or an order that we do not know; it folded what it could."""
    errors: tuple[str, ...] = ()
    """Clauses that erred: of a called action, which was dropped (`action.clause`), and of a refusal (`clause`)."""
    relays: tuple[moves.Relay, ...] = ()
    """What other subjects are to be told, in order: events that are theirs, and the parts of a move."""


def on_event(policy: Policy, state: State | None, event: Event, now: int, *, say_at: int | None = None) -> Step:
    """What follows from an event: `state` is the customer's (None: never met), `now` the instant of handling.

    `say_at`: the event is history, and the instant at which its holds are said unless more of it comes. An unknown
    type, a product, a repeat and a request of the past change nothing and say nothing. Never raises for an event that
    `parse` took.
    """
    state = state if state is not None else State(event.subject)
    now = max(now, state.now)
    if event.data is None or event.type == "product.described":
        return Step(state, (), state.wake_at)
    if say_at is not None and isinstance(event.data, REQUESTS):
        return Step(state, (), state.wake_at)
    if state.moved_to is not None:
        return Step(state, (), state.wake_at, relays=tuple(moves.forwarded(state, event)))
    if memory.is_repeat(state, event, now):
        return Step(state, (), state.wake_at)
    asked = event.data if isinstance(event.data, ContactRequested) else None
    known_request = asked is not None and memory.was_answered(state, asked.request_id, now)
    unknown = names_unknown(state, event)
    before = memory.see(replace(state, now=now), event, now, of_the_past=say_at is not None)
    into = moves.asked_to_leave(before, event)
    if into is not None:
        state, moving = moves.leave(before, into, event.time, trigger_of(event), event.traceparent)
        return Step(state, (), state.wake_at, relays=tuple(moving))
    before = _swept(policy, before)  # here too: what is too old now is not known, whenever it was last looked at
    state = fold(before, event)
    holds_change = before.unsaid is not None or holds.concerns(before, state)
    if state.orders is not before.orders or state.acts is not before.acts:
        state = _swept(policy, state)
    state, outputs = recall(policy, state, event)
    state, said = answers.withdraw(policy, state, withdrawal(event))
    if isinstance(event.data, CustomerErased):
        state, said = answers.answer_all(policy, state, state.deferred)
        state = erase(state)
        say_at = None  # who asks to be forgotten is spared at once, whenever they asked
    if say_at is not None:
        if holds_change:
            # After now: under the name of an instant that is over, holds may have been said already.
            state = replace(state, unsaid=max(say_at, before.unsaid or 0, now + 1))
        return Step(state, (*outputs, *said), state.wake_at, unknown, (), tuple(moves.claims(state, event)))
    if holds_change:
        state, changed = holds.renew(policy, state, trigger_of(event), event=event, traceparent=event.traceparent)
        outputs += changed
    outputs += said
    calls = called(policy, state, event)
    for question in calls.questions:
        state, told = answers.call(policy, state, question)
        outputs += told
    if asked is not None:
        seen_as = memory.mark(event.source, event.id)
        for question in answers.questions(policy, event, asked):
            if known_request:
                outputs.append(answers.duplicate(policy, state, question))
            else:
                state, answer = answers.answer(policy, state, question)
                outputs.append(answer)
        state = memory.answer(state, asked.request_id, seen_as, now, duplicate=known_request)
    relays = tuple(moves.claims(state, event))
    return Step(state, tuple(outputs), state.wake_at, unknown, (*calls.errors, *_errors(outputs)), relays)


def on_wake(policy: Policy, state: State, now: int) -> Step:
    """What follows when a promised answer is due, or holds that history brought; a customer with nothing due is left
    as they are."""
    now = max(now, state.now)
    due = tuple(waiting for waiting in state.deferred if waiting.not_before <= now)
    unsaid = state.unsaid if state.unsaid is not None and state.unsaid <= now else None
    if not due and unsaid is None:
        return Step(state, (), state.wake_at)
    state = _swept(policy, replace(state, now=now))
    outputs: list[Decision] = []
    if unsaid is not None:
        state, outputs = holds.renew(policy, state, Trigger(SOURCE, f"history@{format_instant(unsaid)}", "history"))
    state, said = answers.answer_all(policy, state, due)
    outputs += said
    return Step(state, tuple(outputs), state.wake_at, errors=_errors(outputs))


def on_relay(policy: Policy, state: State | None, subject: str, message: moves.Message, now: int) -> Step:
    """What follows from a part of a move that `subject` is told of; one that came before changes and says nothing."""
    known = state if state is not None else State(subject)
    before = replace(known, now=max(now, known.now))
    after, outputs, relays = moves.told(policy, before, message)
    if after is before and not relays:
        return Step(known, (), known.wake_at)
    return Step(after, tuple(outputs), after.wake_at, relays=tuple(relays))


def on_sweep(policy: Policy, state: State, cause: str, now: int) -> Step:
    """What follows though nothing happened to the customer: what is stopped is taken back, and what has ended is
    forgotten. `cause` is what a recall names as its trigger.

    A customer of whom nothing is to be said or forgotten is left as they are. What waits is refused when its time
    comes.
    """
    before = replace(state, now=max(now, state.now))
    after, outputs = recall_stopped(policy, before, cause)
    after = holds.drop_ended(after)
    if after is before:
        return Step(state, (), state.wake_at)
    return Step(after, tuple(outputs), after.wake_at)


def _swept(policy: Policy, state: State) -> State:
    return sweep(state, state.now, orders_for=policy.orders_for, acts_for=policy.acts_for)


def _errors(outputs: list[Decision]) -> tuple[str, ...]:
    """Clauses that erred while candidates were weighed: such a candidate is refused, and the author should know."""
    erred = "rule_error."
    reasons = [verdict.reason for output in outputs for verdict in output.considered]
    return tuple([reason.removeprefix(erred) for reason in reasons if reason.startswith(erred)])


__all__ = ["REQUESTS", "Step", "on_event", "on_relay", "on_sweep", "on_wake"]
