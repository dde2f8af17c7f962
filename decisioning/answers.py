"""Answers: the candidates of a question weighed together, and the one thing said of them.

A question is a request, a request that waited, or an action of the rulebook that an event called. All are weighed by
the same judge and end in one of three ways: the best speaks, or what may wait is promised, or the answer is no.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from decisioning import make_good
from decisioning.decision import Candidate, Decision, Outcome, Trigger, Verdict, candidate, trigger_of, wake_of
from decisioning.event import Event
from decisioning.instant import format_instant
from decisioning.judge import ALLOWED, Judge
from decisioning.payload import ContactRequested
from decisioning.policy import Policy
from decisioning.rank import by_liking, by_rank
from decisioning.recall import Withdrawal, fact_gone
from decisioning.state import Act, Deferred, State, full, memory, orders, postpone, record
from decisioning.state.model import About, Said
from decisioning.suppress.base import PROMOTIONAL

CALLED: Final = {
    "order.eta_changed": "order.delayed",
    "order.shipped": "order.shipped",
    "order.delivered": "order.delivered",
}
"""Type of the event that called an action -> the reason of its act; any other is allowed like what was asked."""


class Question(Struct, frozen=True, gc=False):
    """Candidates that compete for one answer: as asked (`asked_at` set), or as they waited since `origin`.

    `about` is the fact that an action of the rulebook stands on.
    """

    candidates: tuple[Candidate, ...]
    trigger: Trigger
    request_id: str | None
    campaign: str | None
    traceparent: str | None
    origin: Trigger
    asked_at: int | None = None
    about: About | None = None

    @property
    def cause(self) -> Trigger | None:
        """The event that began it, where the answer comes at a wake."""
        return None if self.trigger == self.origin else self.origin


def questions(policy: Policy, event: Event, asked: ContactRequested) -> list[Question]:
    """The questions of a request in its order: one for marketing and survey together, one for each other candidate."""
    candidates = [candidate(one, index, event.time, policy.lifetime) for index, one in enumerate(asked.candidates)]
    trigger = trigger_of(event)
    return [
        Question(group, trigger, asked.request_id, asked.campaign, event.traceparent, trigger, event.time)
        for group in rivals(candidates)
    ]


def rivals(candidates: Sequence[Candidate]) -> list[tuple[Candidate, ...]]:
    """Who competes with whom: marketing and survey together, in the place of the first of them, each other alone."""
    promotional = tuple([one for one in candidates if one.class_ in PROMOTIONAL])
    groups: list[tuple[Candidate, ...]] = []
    for one in candidates:
        if one.class_ not in PROMOTIONAL:
            groups.append((one,))
        elif one is promotional[0]:
            groups.append(promotional)
    return groups


def answer(policy: Policy, state: State, question: Question) -> tuple[State, Decision]:
    """The one answer to a question that was just asked."""
    judge = Judge(policy, state, state.now)
    verdicts = _weigh(judge, question)
    return _speak(judge, state, question, verdicts, _best([one for one in verdicts if one.allowed]))


def answer_all(policy: Policy, state: State, due: Sequence[Deferred]) -> tuple[State, list[Decision]]:
    """Answer what waited: all are judged on one memory, then the best of all speaks and the others learn of it."""
    judge = Judge(policy, state, state.now)
    state = _no_longer_waits(state, due)
    asked = [_waited(waiting) for waiting in due]
    weighed = [_weigh(judge, question) for question in asked]
    rivals = [one for verdicts in weighed for one in verdicts if one.allowed]
    winner = _best([one for one in rivals if one.candidate.class_ in PROMOTIONAL])
    order = sorted(range(len(due)), key=lambda place: not any(one is winner for one in weighed[place]))
    answers: dict[int, Decision] = {}
    for place in order:
        verdicts, question = weighed[place], asked[place]
        speaks = winner if any(one is winner for one in verdicts) else None
        if question.candidates[0].class_ not in PROMOTIONAL:
            speaks = _best([one for one in verdicts if one.allowed])
        state, answers[place] = _speak(judge, state, question, verdicts, speaks)
        state = _answered(state, question)
    return state, [answers[place] for place in range(len(due))]


def withdraw(policy: Policy, state: State, reason: Withdrawal) -> tuple[State, list[Decision]]:
    """The further answer, at once, of everything that waits and that `reason(request_id, campaign)` names."""
    due = [waiting for waiting in state.deferred if reason(waiting.request_id, waiting.campaign) is not None]
    if not due:
        return state, []
    judge = Judge(policy, state, state.now)
    state = _no_longer_waits(state, due)
    outputs = []
    for question in map(_waited, due):
        outputs.append(_refusal(judge, question, reason(question.request_id, question.campaign) or ""))
        state = _answered(state, question)
    return state, outputs


def duplicate(policy: Policy, state: State, question: Question) -> Decision:
    """A request we already answered: one no, without `allowed_from`, and no memory but of the event."""
    return _refusal(Judge(policy, state, state.now), question, "duplicate.request")


def call(policy: Policy, state: State, question: Question) -> tuple[State, list[Decision]]:
    """What an action of the rulebook brings that an event called: an act or a promise; a refusal is not published."""
    judge = Judge(policy, state, state.now)
    verdicts = _weigh(judge, question)
    winner = _best([one for one in verdicts if one.allowed])
    after, decision = _speak(judge, state, question, verdicts, winner)
    return (state, []) if decision.outcome is Outcome.SUPPRESS else (after, [decision])


def _no_longer_waits(state: State, due: Sequence[Deferred]) -> State:
    return replace(state, deferred=tuple(waiting for waiting in state.deferred if waiting not in due))


def _answered(state: State, question: Question) -> State:
    if question.request_id is None:
        return state
    return memory.answer(state, question.request_id, None, state.now)


def _waited(waiting: Deferred) -> Question:
    return Question(
        waiting.candidates,
        wake_of(waiting.cause, waiting.not_before),
        waiting.request_id,
        waiting.campaign,
        waiting.traceparent,
        waiting.cause,
        about=waiting.about,
    )


def _weigh(judge: Judge, question: Question) -> list[Verdict]:
    """Every candidate on every channel, in the order of the request and of the customer's liking."""
    gone = fact_gone(judge.state, question.about)
    if gone is not None:
        return _all_refused(judge, question, gone)
    return [
        judge.verdict(judge.ask(one, channel, judge.state.acts, question.asked_at, question.campaign))
        for one in question.candidates
        for channel in by_liking(judge.state, one.channels)
    ]


def _best(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict of the best-ranked candidate on its most-liked channel, of those given in the order of `_weigh`."""
    if not verdicts:
        return None
    if verdicts[0].candidate is verdicts[-1].candidate:  # there is no other
        return verdicts[0]
    first = by_rank(one.candidate for one in verdicts)[0]
    return next(one for one in verdicts if one.candidate is first)


def _speak(
    judge: Judge, state: State, question: Question, verdicts: list[Verdict], winner: Verdict | None
) -> tuple[State, Decision]:
    """The one answer: the winner acts; else what may wait is promised; else no, with the first candidate's reason."""
    if winner is not None:
        state, decision = _act(judge, state, question, winner)
        return state, replace(decision, considered=_outranked(judge, state, question, verdicts, winner))
    considered = _outranked(judge, state, question, verdicts, None)
    waiting = [one for one in considered if one.verdict is Outcome.DEFER]
    if waiting and not full(state):
        not_before = min(one.not_before for one in waiting if one.not_before is not None)
        return _promise(judge, state, question, _named(waiting), not_before, considered)
    named = _named(considered)
    if not waiting:
        better = make_good.adjustment(judge, state, named, question.asked_at)
        if better is not None and better.verdict.allowed:
            state, decision = _adjust(judge, state, question, better)
            return state, replace(decision, replaces=named.candidate.action, considered=considered)
        if better is not None and better.verdict.not_before is not None and not full(state):
            state, decision = _promise(judge, state, question, better.verdict, better.verdict.not_before, considered)
            return state, replace(decision, replaces=named.candidate.action)
    return state, replace(_decision(judge, question, Outcome.SUPPRESS, named), considered=considered)


def _named(verdicts: Sequence[Verdict]) -> Verdict:
    found = _best(verdicts)
    assert found is not None  # a question has a candidate, and a candidate a channel
    return found


def _outranked(
    judge: Judge, state: State, question: Question, verdicts: list[Verdict], winner: Verdict | None
) -> list[Verdict]:
    """The verdicts as they are told: whatever was allowed and does not speak lost, and counts the winner's slot."""
    return [
        judge.outranked(one, judge.ask(one.candidate, one.channel, state.acts, question.asked_at, question.campaign))
        if one.allowed and one is not winner
        else one
        for one in verdicts
    ]


def _promise(
    judge: Judge, state: State, question: Question, named: Verdict, not_before: int, considered: list[Verdict]
) -> tuple[State, Decision]:
    waiting = Deferred(
        cause=question.origin,
        request_id=question.request_id,
        campaign=question.campaign,
        candidates=question.candidates,
        not_before=not_before,
        traceparent=question.traceparent,
        about=question.about,
    )
    decision = _decision(judge, question, Outcome.DEFER, named)
    return postpone(state, waiting), replace(decision, not_before=not_before, considered=considered)


def _act(judge: Judge, state: State, question: Question, winner: Verdict) -> tuple[State, Decision]:
    policy, chosen, about = judge.policy, winner.candidate, question.about
    if about is not None and winner.reason == ALLOWED:
        winner = replace(winner, reason=CALLED.get(about.event, ALLOWED))
    valid_until = judge.valid_until(chosen, winner.channel)
    decision = replace(
        _decision(judge, question, Outcome.ACT, winner),
        valid_until=valid_until,
        treatment=policy.treatment(chosen.action, winner.channel),
        context=context(state) or None,
    )
    act = Act(
        id=decision.id,
        made=judge.now,
        valid_until=valid_until,
        candidate=chosen,
        channel=winner.channel,
        request_id=question.request_id,
        campaign=question.campaign,
        about=about,
    )
    state = record(state, act)
    if about is not None and about.sku is None:
        said = Said(act.id, act.made, f"{chosen.action}:{about.event}", promised_at=about.promised_at)
        state = orders.say(state, about.order_id, said)
    return state, decision


def _adjust(judge: Judge, state: State, question: Question, better: make_good.Adjustment) -> tuple[State, Decision]:
    """The adjustment speaks in place of the offer that would have been refused."""
    named = replace(better.verdict, reason=make_good.REASON)
    state, decision = _act(judge, state, replace(question, about=better.about), named)
    state = orders.say(state, better.about.order_id, better.said(decision.id, judge.now))
    money = {"refund": better.refund, "currency": better.currency, "order_id": better.about.order_id}
    return state, replace(decision, context={**(decision.context or {}), **money})


def _decision(judge: Judge, question: Question, outcome: Outcome, named: Verdict) -> Decision:
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


def _refusal(judge: Judge, question: Question, reason: str) -> Decision:
    verdicts = _all_refused(judge, question, reason)
    return replace(_decision(judge, question, Outcome.SUPPRESS, _named(verdicts)), considered=verdicts)


def _all_refused(judge: Judge, question: Question, reason: str) -> list[Verdict]:
    return [
        Verdict(one, channel, Outcome.SUPPRESS, reason)
        for one in question.candidates
        for channel in by_liking(judge.state, one.channels)
    ]


def context(state: State) -> dict[str, object]:
    """What whoever speaks should know of the customer: name, language, what they own, open problem, last promise (P7,
    P35); of a test or seed customer that they are one."""
    profile = state.profile
    owned = set[str]().union(*[order.owned for order in state.orders if order.lines and order.stands])
    found: dict[str, object] = {}
    if profile.name is not None:
        found["name"] = profile.name.value
    if profile.language is not None:
        found["language"] = profile.language.value
    if owned:
        found["owned_skus"] = sorted(owned)[:50]
    problems = [case for case in state.cases if case.open]
    if problems:
        newest = max(problems, key=lambda case: (case.opened_at or 0, case.id))
        found["open_case"] = {"case_id": newest.id, **({"topic": newest.topic} if newest.topic else {})}
    given = [promise for promise in state.promises if promise.made_at is not None]
    if given:
        last = max(given, key=lambda promise: (promise.made_at or 0, promise.id))
        kept = last.kept_at is not None
        found["last_promise"] = {"what": last.what, "due_at": format_instant(last.due_at), "kept": kept}
    for mark in ("test", "seed") if state.attributes else ():
        if any(one.name == mark and one.value is True for one in state.attributes):
            found[mark] = True
    return found
