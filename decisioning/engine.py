"""Something just happened to this customer. May we speak to them now, and if so, what is the best thing to say?

That question is answered here, in two functions and nothing else. `on_event` is asked when something happened,
`on_wake` when an answer that we promised is due. Both are pure: all they know is handed in, all they do is handed
back as a `Step`.

    event ──▶ fold ──▶ recall what no longer holds ──▶ weigh what is asked ──▶ rank ──▶ decisions
                ▲                                                                          │
                └────────────────────────── record (the only loop) ◀───────────────────────┘

*Respect comes first.* An event is folded into memory before anything is weighed, so the purchase that arrives with a
request already counts. Then every act that could still be stopped is judged again as if it had not been made; what
would now be refused is recalled with that reason. Recall therefore has no rules of its own: whoever adds a suppressor
has also added a reason to take words back. Only then do we weigh what is asked.

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

*Repeats.* A re-sent event changes nothing and says nothing. A decision's id is made from its trigger, so a decision
that is published again is recognised as the same one; for that, one id must have one payload, for ever, and so
nothing that differs between two runs (the clock of a machine, the order of a dict, chance) may reach a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from decisioning.decision import (
    Candidate,
    Decision,
    Outcome,
    Trigger,
    Verdict,
    candidate,
    trigger_of,
    wake_of,
)
from decisioning.event import Event
from decisioning.judge import Judge
from decisioning.payload import ContactRequested, CustomerErased
from decisioning.policy import Policy
from decisioning.rank import by_liking, by_rank
from decisioning.state import Act, Deferred, State, erase, fold, full, memory, names_unknown, postpone, record, sweep
from decisioning.suppress.base import PROMOTIONAL


class Step(NamedTuple):
    """What one question brought: the memory after it, what to say in order, and when to ask again (None: not at
    all)."""

    state: State
    outputs: tuple[Decision, ...]
    wake_at: int | None
    unknown: bool = False
    """Whether the event named a decision or an order that we do not know; it folded what it could."""


class _Question(NamedTuple):
    """Candidates that compete for one answer: as asked (`asked_at` set), or as they waited since `cause`."""

    candidates: tuple[Candidate, ...]
    trigger: Trigger
    request_id: str | None
    campaign: str | None
    traceparent: str | None
    origin: Trigger
    asked_at: int | None = None

    @property
    def cause(self) -> Trigger | None:
        return None if self.trigger == self.origin else self.origin


def on_event(policy: Policy, state: State | None, event: Event, now: int) -> Step:
    """What follows from an event: `state` is the customer's (None: never met), `now` the instant of handling.

    An unknown type, a product and a repeat change nothing and say nothing. Never raises for an event that `parse` took.
    """
    state = state if state is not None else State(event.subject)
    now = max(now, state.now)
    if event.data is None or event.type == "product.described" or memory.is_repeat(state, event, now):
        return Step(state, (), state.wake_at)
    asked = event.data if isinstance(event.data, ContactRequested) else None
    known_request = asked is not None and memory.was_answered(state, asked.request_id, now)
    unknown = names_unknown(state, event)
    state = memory.see(replace(state, now=now), event, now)
    state = sweep(fold(state, event), now, orders_for=policy.orders_for, acts_for=policy.acts_for)
    state, outputs = _recall(policy, state, event)
    if isinstance(event.data, CustomerErased):
        state, answers = _answer_all(policy, state, state.deferred)
        outputs += answers
        state = erase(state)
    if asked is not None:
        seen_as = memory.mark(event.source, event.id)
        for question in _questions(policy, event, asked):
            if known_request:
                outputs.append(_duplicate(policy, state, question))
            else:
                state, answer = _answer(policy, state, question)
                outputs.append(answer)
        state = memory.answer(state, asked.request_id, seen_as, now, duplicate=known_request)
    return Step(state, tuple(outputs), state.wake_at, unknown)


def on_wake(policy: Policy, state: State, now: int) -> Step:
    """What follows when a promised answer is due; a customer with nothing due is left as they are."""
    now = max(now, state.now)
    due = tuple(waiting for waiting in state.deferred if waiting.not_before <= now)
    if not due:
        return Step(state, (), state.wake_at)
    state = sweep(replace(state, now=now), now, orders_for=policy.orders_for, acts_for=policy.acts_for)
    state, outputs = _answer_all(policy, state, due)
    return Step(state, tuple(outputs), state.wake_at)


def _recall(policy: Policy, state: State, event: Event) -> tuple[State, list[Decision]]:
    """Judge every live act again, oldest first, as if it and all later ones had not been made; take back what fails."""
    in_order = tuple(sorted(state.acts, key=lambda act: (act.made, act.id)))
    outputs: list[Decision] = []
    judge = Judge(policy, state, state.now)
    for place, act in enumerate(in_order):
        if not act.live(state.now):
            continue
        before = in_order[:place] if act.candidate.class_ in PROMOTIONAL else ()
        verdict = judge.verdict(judge.ask(act.candidate, act.channel, before))
        if verdict.allowed:
            continue
        outputs.append(
            Decision(
                outcome=Outcome.RECALL,
                subject=state.subject,
                time=state.now,
                trigger=trigger_of(event),
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
                traceparent=event.traceparent,
            )
        )
    taken_back = {output.recalls for output in outputs}
    acts = tuple(replace(act, ended=True) if act.id in taken_back else act for act in state.acts)
    return (replace(state, acts=acts) if outputs else state), outputs


def _questions(policy: Policy, event: Event, asked: ContactRequested) -> list[_Question]:
    """The questions of a request in its order: one for marketing and survey together, one for each other candidate."""
    candidates = [candidate(one, index, event.time, policy.lifetime) for index, one in enumerate(asked.candidates)]
    promotional = tuple(one for one in candidates if one.class_ in PROMOTIONAL)
    groups = [promotional if one.class_ in PROMOTIONAL else (one,) for one in candidates]
    trigger = trigger_of(event)
    return [
        _Question(group, trigger, asked.request_id, asked.campaign, event.traceparent, trigger, event.time)
        for group in dict.fromkeys(groups)
    ]


def _answer(policy: Policy, state: State, question: _Question) -> tuple[State, Decision]:
    judge = Judge(policy, state, state.now)
    verdicts = _weigh(judge, question)
    return _speak(judge, state, question, verdicts, _best([one for one in verdicts if one.allowed]))


def _answer_all(policy: Policy, state: State, due: Sequence[Deferred]) -> tuple[State, list[Decision]]:
    """Answer what waited: all are judged on one memory, then the best of all speaks and the others learn of it."""
    judge = Judge(policy, state, state.now)
    state = replace(state, deferred=tuple(waiting for waiting in state.deferred if waiting not in due))
    questions = [_waited(waiting) for waiting in due]
    weighed = [_weigh(judge, question) for question in questions]
    rivals = [one for verdicts in weighed for one in verdicts if one.allowed]
    winner = _best([one for one in rivals if one.candidate.class_ in PROMOTIONAL])
    order = sorted(range(len(due)), key=lambda place: not any(one is winner for one in weighed[place]))
    answers: dict[int, Decision] = {}
    for place in order:
        verdicts, question = weighed[place], questions[place]
        speaks = winner if any(one is winner for one in verdicts) else None
        if question.candidates[0].class_ not in PROMOTIONAL:
            speaks = _best([one for one in verdicts if one.allowed])
        state, answers[place] = _speak(judge, state, question, verdicts, speaks)
        if question.request_id is not None:
            state = memory.answer(state, question.request_id, None, state.now)
    return state, [answers[place] for place in range(len(due))]


def _waited(waiting: Deferred) -> _Question:
    trigger = wake_of(waiting.cause, waiting.not_before)
    return _Question(
        waiting.candidates, trigger, waiting.request_id, waiting.campaign, waiting.traceparent, waiting.cause
    )


def _weigh(judge: Judge, question: _Question) -> list[Verdict]:
    """Every candidate on every channel, in the order of the request and of the customer's liking."""
    return [
        judge.verdict(judge.ask(one, channel, judge.state.acts, question.asked_at))
        for one in question.candidates
        for channel in by_liking(judge.state, one.channels)
    ]


def _best(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict of the best-ranked candidate on its most-liked channel, of those given in the order of `_weigh`."""
    if not verdicts:
        return None
    first = by_rank(one.candidate for one in verdicts)[0]
    return next(one for one in verdicts if one.candidate is first)


def _speak(
    judge: Judge, state: State, question: _Question, verdicts: list[Verdict], winner: Verdict | None
) -> tuple[State, Decision]:
    """The one answer: the winner acts; else what may wait is promised; else no, with the first candidate's reason."""
    if winner is not None:
        state, decision = _act(judge, state, question, winner)
        return state, replace(decision, considered=_outranked(judge, state, question, verdicts, winner))
    considered = _outranked(judge, state, question, verdicts, None)
    waiting = [one for one in considered if one.verdict is Outcome.DEFER]
    if waiting and not full(state):
        not_before = min(one.not_before for one in waiting if one.not_before is not None)
        named = _best(waiting)
        assert named is not None
        state = postpone(
            state,
            Deferred(
                cause=question.origin,
                request_id=question.request_id,
                campaign=question.campaign,
                candidates=question.candidates,
                not_before=not_before,
                traceparent=question.traceparent,
            ),
        )
        decision = _decision(judge, question, Outcome.DEFER, named)
        return state, replace(decision, not_before=not_before, considered=considered)
    named = _best(considered)
    assert named is not None
    return state, replace(_decision(judge, question, Outcome.SUPPRESS, named), considered=considered)


def _outranked(
    judge: Judge, state: State, question: _Question, verdicts: list[Verdict], winner: Verdict | None
) -> list[Verdict]:
    """The verdicts as they are told: whatever was allowed and does not speak lost, and counts the winner's slot."""
    return [
        judge.outranked(one, judge.ask(one.candidate, one.channel, state.acts, question.asked_at))
        if one.allowed and one is not winner
        else one
        for one in verdicts
    ]


def _act(judge: Judge, state: State, question: _Question, winner: Verdict) -> tuple[State, Decision]:
    valid_until = judge.valid_until(winner.candidate, winner.channel)
    decision = replace(
        _decision(judge, question, Outcome.ACT, winner), valid_until=valid_until, context=_context(state) or None
    )
    act = Act(
        id=decision.id,
        made=judge.now,
        valid_until=valid_until,
        candidate=winner.candidate,
        channel=winner.channel,
        request_id=question.request_id,
        campaign=question.campaign,
    )
    return record(state, act), decision


def _decision(judge: Judge, question: _Question, outcome: Outcome, named: Verdict) -> Decision:
    return Decision(
        outcome=outcome,
        subject=judge.state.subject,
        time=judge.now,
        trigger=question.trigger,
        ref=str(named.candidate.index),
        reason=named.reason,
        rulebook=judge.policy.stamp,
        action=named.candidate.action,
        class_=named.candidate.class_,
        channel=named.channel,
        request_id=question.request_id,
        cause=question.cause,
        allowed_from=named.allowed_from if outcome is not Outcome.ACT else None,
        traceparent=question.traceparent,
    )


def _duplicate(policy: Policy, state: State, question: _Question) -> Decision:
    """A request we already answered: one no, without `allowed_from`, and no memory but of the event."""
    judge = Judge(policy, state, state.now)
    verdicts = [
        Verdict(one, channel, Outcome.SUPPRESS, "duplicate.request")
        for one in question.candidates
        for channel in by_liking(state, one.channels)
    ]
    named = _best(verdicts)
    assert named is not None
    return replace(_decision(judge, question, Outcome.SUPPRESS, named), considered=verdicts)


def _context(state: State) -> dict[str, object]:
    """What whoever speaks should know of the customer: name, language, what they already own (P7, P35)."""
    profile = state.profile
    owned = {line.sku for order in state.orders if order.stands for line in order.lines if order.kept(line.sku) > 0}
    found: dict[str, object] = {}
    if profile.name is not None:
        found["name"] = profile.name.value
    if profile.language is not None:
        found["language"] = profile.language.value
    if owned:
        found["owned_skus"] = sorted(owned)[:50]
    return found


__all__ = ["Step", "on_event", "on_wake"]
