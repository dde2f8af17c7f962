"""What must hold whatever happens: respect, silence at repeats, one answer a question, one payload an id, bounds.

Each test lives through random histories (`histories`) and asks one thing of all of them. PROPERTY_FACTOR=20 asks it of
twenty times as many, and of other ones every time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import product

import msgspec
from hypothesis import given, note
from hypothesis import strategies as st
from msgspec.structs import replace

from decisioning.decision import Candidate, Decision, dumps, wake_of
from decisioning.event import Event, parse
from decisioning.instant import DAY, HOUR, format_instant
from decisioning.judge import Judge
from decisioning.payload import ContactRequested
from decisioning.replay import Replay
from decisioning.state import dumps as dump_state
from decisioning.state import loads as load_state
from tests.properties.histories import flood, histories, live, often, policy, replay
from tests.properties.names import Names
from tests.properties.watcher import Watcher

ANSWERS = ("act", "suppress", "defer")


def told(events: Iterable[Event], said: list[list[Decision]]) -> str:
    """A history in lines, for the report of a failure."""
    lines = []
    for event, decisions in zip([*events, None], said, strict=True):
        if event is not None:
            lines.append(f"{format_instant(event.time)} {event.type} {event.subject} {event.id} {event.data}")
        lines += [f"    {dumps(one).decode()}" for one in decisions]
    return "\n".join(lines)


def watched(events: list[Event], said: list[list[Decision]]) -> list[str]:
    """All that speaks against an act of this history, each customer watched under all of their names."""
    watchers: dict[str, Watcher] = defaultdict(Watcher)
    names, found = Names(), list[str]()
    for event, decisions in zip([*events, None], said, strict=True):
        acts = [one for one in decisions if one.outcome == "act"]
        woken = [one for one in acts if one.trigger.type == "wake"]
        found += [objection for one in woken for objection in watchers[one.subject].objections(one)]
        if event is not None:
            moved = names.tell(event)
            if moved is not None:
                watchers[moved[1]].join(watchers[moved[0]])
            if kept(event, watchers[event.subject] if event.subject in names.moved else None):
                watchers[names.of(event.subject)].tell(event)
        answered = [one for one in acts if one.trigger.type != "wake"]
        found += [objection for one in answered for objection in watchers[one.subject].objections(one)]
    return found


def kept(event: Event, erased: Watcher | None) -> bool:
    """Whether what came under a name that was erased before it moved is told at all: what protects, and what is
    later."""
    if erased is None or erased.erased_at is None or event.time > erased.erased_at:
        return True
    return event.type in ("response.complained", "response.unsubscribed", "customer.erased")


@given(histories)
@often(400)
def test_nobody_is_spoken_to_against_their_will(drawn: bytes) -> None:
    """Never a marketing or survey act without consent, at night, outside windows, within 48 h of a purchase, above a
    cap, with an open case, in mourning, after a complaint, while an order is late; never any to the erased and the
    dead."""
    events, said = live(drawn)
    found = watched(events, said)
    note(told(events, said))
    assert not found


@given(histories)
@often(80)
def test_every_question_has_one_answer_and_every_promise_one_more(drawn: bytes) -> None:
    """Marketing and survey candidates share one answer, service and care have each their own; no answer comes
    uncalled."""
    events, said = live(drawn)
    decisions = [one for some in said for one in some]
    answers = [one for one in decisions if one.outcome in ANSWERS and one.request_id is not None]
    due: Counter[tuple[str, str]] = Counter()
    now = 0
    for event in events:
        now = max(now, event.time)
        if isinstance(event.data, ContactRequested) and now < event.time + 7 * DAY:  # older ones count as re-sent
            classes = [one.class_ for one in event.data.candidates]
            questions = sum(one in ("service", "care") for one in classes) + any(
                one in ("marketing", "survey") for one in classes
            )
            due[event.source, event.id] += questions
    for one in answers:
        if one.outcome == "defer":
            assert one.not_before is not None
            assert one.time < one.not_before <= one.time + 30 * DAY
            promised = wake_of(one.cause or one.trigger, one.not_before)
            due[promised.source, promised.id] += 1
    note(told(events, said))
    assert Counter((one.trigger.source, one.trigger.id) for one in answers) == due


@given(histories)
@often(80)
def test_holds_and_recalls_name_what_stands(drawn: bytes) -> None:
    """Every hold has a scope of its own and is released at most once, by its own subject; every act is recalled at most
    once, and only while it is live; under an old name only releases are said."""
    events, said = live(drawn)
    note(told(events, said))
    holds: dict[str, Decision] = {}
    acts: dict[str, Decision] = {}
    names = Names()
    for event, decisions in zip([*events, None], said, strict=True):
        if event is not None:
            names.tell(event)
        for one in decisions:
            assert one.outcome == "release" or one.trigger.type == "wake" or one.subject not in names.moved
            if one.outcome == "hold":
                assert one.scope is not None
                assert one.until is None or one.until > one.time
                holds[one.id] = one
            elif one.outcome == "release":
                hold = holds.pop(one.releases or "")
                assert (hold.subject, hold.reason) == (one.subject, one.reason)
            elif one.outcome == "act":
                acts[one.id] = one
            elif one.outcome == "recall":
                act = acts.pop(one.recalls or "")
                assert one.time < (act.valid_until or 0)
                assert names.of(act.subject) == one.subject


@given(histories)
@often(40)
def test_a_hold_stands_wherever_the_engine_is_silent_for_a_fact_of_it(drawn: bytes) -> None:
    """Whoever died, was erased or has a problem has a standing hold that says so to all others."""
    events, said = live(drawn)
    note(told(events, said))
    run, _ = replay(events)
    standing: dict[str, list[Decision]] = defaultdict(list)
    for one in [one for some in said for one in some]:
        if one.outcome == "hold":
            standing[one.subject].append(one)
        elif one.outcome == "release":
            standing[one.subject] = [hold for hold in standing[one.subject] if hold.id != one.releases]
    for subject, state in run.states.items():
        if state.moved_to is None:
            reasons = {hold.reason for hold in standing[subject]}
            assert not state.erased or "dnc.erased" in reasons
            assert not state.deceased or "empathy.deceased" in reasons
            assert not any(case.open for case in state.cases) or "hold.open_issue" in reasons


@given(histories, st.integers(0, 255), st.integers(0, 255))
@often(80)
def test_a_repeat_says_nothing_and_changes_nothing(drawn: bytes, which: int, later: int) -> None:
    """Any event sent again within 7 days, at once or some events later, leaves states and decisions as they were."""
    events, _ = live(drawn)
    place = which % len(events)
    behind = place + later % 4
    run, said = Replay(policy()), list[Decision]()
    for number, event in enumerate(events):
        said += run.feed(event)
        if number == behind and run.now < events[place].time + 7 * DAY:
            before = {subject: dump_state(state) for subject, state in run.states.items()}
            assert list(run.feed(events[place])) == []
            assert {subject: dump_state(state) for subject, state in run.states.items()} == before
    said += run.finish(run.now + 400 * DAY)
    straight, expected = replay(events)
    assert [dumps(one) for one in said] == [dumps(one) for one in expected]
    assert run.states == straight.states


@given(histories)
@often(80)
def test_a_run_that_is_stored_and_read_again_goes_on_as_if_nothing_were(drawn: bytes) -> None:
    """Snapshot and resume between any two events equals straight through, byte for byte, decisions and states."""
    events, _ = live(drawn)
    run, said = Replay(policy()), list[Decision]()
    for event in events:
        said += run.feed(event)
        for subject, state in run.states.items():
            body = dump_state(state)
            run.states[subject] = load_state(body)
            assert dump_state(run.states[subject]) == body
    said += run.finish(run.now + 400 * DAY)
    straight, expected = replay(events)
    assert [dumps(one) for one in said] == [dumps(one) for one in expected]
    assert {subject: dump_state(state) for subject, state in run.states.items()} == {
        subject: dump_state(state) for subject, state in straight.states.items()
    }


@given(histories)
@often(80)
def test_one_id_has_one_payload_and_is_said_once(drawn: bytes) -> None:
    """No decision id comes twice in a run, and another run of the same events says the same bytes."""
    events, said = live(drawn)
    decisions = [one for some in said for one in some]
    note(told(events, said))
    assert not [one for one, times in Counter(one.id for one in decisions).items() if times > 1]
    _, again = replay(events)
    assert [dumps(one) for one in again] == [dumps(one) for one in decisions]
    for one in decisions:
        assert one.recalls is None or one.recalls in {act.id for act in decisions if act.outcome == "act"}


def test_memory_stays_bounded_however_much_happens() -> None:
    """The largest texts in the greatest numbers fill the memory once, before it is packed; then it grows no more."""
    run = Replay(policy())
    sizes = []
    for part in range(2):
        for sent in flood(part):
            list(run.feed(parse(sent)))
        sizes.append(max(len(msgspec.msgpack.encode(state)) for state in run.states.values()))
    assert sizes[0] < 12_000_000, "below the largest record that the chassis can store"
    assert sizes[1] <= sizes[0] * 1.02


@often(40)
@given(histories)
def test_what_fades_is_silent_for_good(drawn: bytes) -> None:
    """Time alone brings no objection of a suppressor that says so, or it would be missing from an `allowed_from`."""
    run = Replay(policy())
    for event in live(drawn)[0]:
        list(run.feed(event))
    for state in run.states.values():
        judge = Judge(run.policy, state, state.now)
        for suppressor, sku in product(run.policy.suppressors("marketing"), ("READER", "LAMP", None)):
            offer = Candidate(0, "offer", "marketing", ("sms",), state.now + DAY, sku=sku, topic="shop", price="1.00")
            ask = judge.ask(offer, "sms", state.acts)
            heard = [suppressor.check(replace(ask, now=state.now + later)) for later in LATER]
            silent = [objection is None for objection in heard]
            assert not suppressor.fades or silent == sorted(silent), (suppressor.section, heard)


LATER = (0, HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 31 * DAY, 90 * DAY, 366 * DAY, 800 * DAY)
