"""A channel's side of the contract: once, in time, never after a recall; and whom nobody may speak to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from decisioning.decision import dumps, dumps_binary
from decisioning.errors import EventRejected
from decisioning.event import parse
from decisioning.inbox import KEEP, Fleeting, Inbox, Received, Verdict, read, response
from decisioning.instant import DAY, HOUR, MINUTE, format_instant
from decisioning.payload import Response, ResponseRecalled
from tests.builders import Story, asked, at, case_opened, erased, of, offer, only, withdrawn
from tests.properties.histories import histories, live, often

NOON = at("2026-03-02 12:00")


def act(id_: str = "a-1", *, channel: str = "sms", until: int = NOON + HOUR, made: int = NOON) -> Received:
    """Say it before `until`."""
    data = {"outcome": "act", "action": "news", "channel": channel, "valid_until": format_instant(until)}
    return Received(id_, "c-42", made, data)


def recall(of_: str = "a-1", *, channel: str = "sms") -> Received:
    """Take it back."""
    return Received(f"r-{of_}", "c-42", NOON, {"outcome": "recall", "recalls": of_, "channel": channel})


def hold(id_: str = "h-1", *, until: int | None = None, scope: Mapping[str, list[str]] | None = None) -> Received:
    """Nothing of this scope (none given: nothing at all)."""
    data: dict[str, Any] = {"outcome": "hold", "reason": "hold.open_issue", "scope": scope or {}}
    return Received(id_, "c-42", NOON, data if until is None else {**data, "until": format_instant(until)})


def release(hold_: str = "h-1") -> Received:
    """That hold is over."""
    return Received(f"f-{hold_}", "c-42", NOON, {"outcome": "release", "reason": "hold.open_issue", "releases": hold_})


def test_an_act_goes_out_once() -> None:
    """However often it comes: from the answer DELIVER of `dispatch` on it counts as sent."""
    inbox = Inbox(Fleeting(), {"sms"})
    assert [inbox.take(act(), NOON), inbox.take(act(), NOON)] == [Verdict.DELIVER] * 2, "nothing went out yet"
    assert inbox.dispatch(act(), NOON) is Verdict.DELIVER
    assert [inbox.dispatch(act(), NOON), inbox.take(act(), NOON)] == [Verdict.REPEAT] * 2
    assert inbox.take(act(), NOON + DAY) is Verdict.REPEAT, "it is not said to have come too late"


def test_what_went_out_is_known_after_a_restart() -> None:
    """By whoever has the same memory, another process of the channel included."""
    memory = Fleeting()
    assert Inbox(memory).dispatch(act(), NOON) is Verdict.DELIVER
    assert Inbox(memory).dispatch(act(), NOON) is Verdict.REPEAT


def test_an_act_that_is_not_valid_any_more_stays_unsaid() -> None:
    """`valid_until` itself is too late, and a clock that is set back does not bring it back."""
    inbox = Inbox(Fleeting())
    assert inbox.take(act(), NOON + HOUR - 1) is Verdict.DELIVER
    assert inbox.dispatch(act(), NOON + HOUR) is Verdict.TOO_LATE
    assert inbox.dispatch(act(), NOON) is Verdict.TOO_LATE
    memory = Fleeting()
    assert Inbox(memory).take(act(), NOON + HOUR) is Verdict.TOO_LATE
    assert Inbox(memory).dispatch(act(), NOON) is Verdict.TOO_LATE


def test_a_recall_stops_what_has_not_gone_out() -> None:
    """After it the act is not said, and the channel answers that it was in time."""
    inbox = Inbox(Fleeting(), {"sms"})
    assert inbox.take(act(), NOON) is Verdict.DELIVER
    assert inbox.take(recall(), NOON) is Verdict.CANCEL
    assert inbox.dispatch(act(), NOON) is Verdict.RECALLED
    assert inbox.take(recall(), NOON) is Verdict.CANCEL, "an answer that was lost is given again"


def test_a_recall_that_comes_first_is_honoured() -> None:
    """After a merge it lies in another partition than its act."""
    inbox = Inbox(Fleeting())
    assert inbox.take(recall(), NOON) is Verdict.CANCEL
    assert [inbox.take(act(), NOON), inbox.dispatch(act(), NOON)] == [Verdict.RECALLED] * 2


def test_a_recall_of_what_is_out_is_too_late() -> None:
    """And stays so, as often as it comes; of what came too late to be said it is in time."""
    inbox = Inbox(Fleeting())
    inbox.dispatch(act(), NOON)
    assert [inbox.take(recall(), NOON), inbox.take(recall(), NOON + HOUR)] == [Verdict.GONE] * 2
    inbox.dispatch(act("a-2"), NOON + HOUR)
    assert inbox.take(recall("a-2"), NOON + HOUR) is Verdict.CANCEL


def test_others_acts_are_not_ours() -> None:
    """Another channel's act and recall, and answers that nobody is to say."""
    inbox = Inbox(Fleeting(), {"email"})
    silent = Received("s-1", "c-42", NOON, {"outcome": "suppress", "channel": "email"})
    for one in (act(), recall(), silent):
        assert inbox.take(one, NOON) is Verdict.NOT_OURS
    assert Inbox(Fleeting()).take(silent, NOON) is Verdict.NOT_OURS


def test_what_nobody_can_ask_for_any_more_is_forgotten() -> None:
    """A fate lasts as long as the topic keeps its act, a hold as long as it stands: the memory is bounded."""
    memory = Fleeting()
    inbox = Inbox(memory)
    for number in range(100):
        inbox.dispatch(act(f"a-{number}"), NOON)
    inbox.take(recall("a-never"), NOON)
    inbox.take(hold(until=NOON + DAY), NOON)
    inbox.take(hold("h-2"), NOON)
    inbox.take(release("h-2"), NOON)
    assert inbox.dispatch(act("a-7"), NOON + HOUR + KEEP - 1) is Verdict.REPEAT
    inbox.take(hold(until=NOON), NOON + HOUR + KEEP)
    assert len(memory) == 0


SKUS = {"skus": ["PEN"], "categories": ["ink"]}


@pytest.mark.parametrize(
    ("scope", "asked_for", "forbidden"),
    [
        ({}, {"class_": "service", "channel": "sms"}, True),
        ({"classes": ["marketing"]}, {"class_": "marketing", "channel": "sms"}, True),
        ({"classes": ["marketing"]}, {"class_": "service", "channel": "sms"}, False),
        ({"classes": ["marketing"], "channels": ["sms"]}, {"class_": "marketing", "channel": "sms"}, True),
        ({"classes": ["marketing"], "channels": ["sms"]}, {"class_": "marketing", "channel": "email"}, False),
        ({"classes": ["marketing"], "channels_except": ["sms"]}, {"class_": "marketing", "channel": "email"}, True),
        ({"classes": ["marketing"], "channels_except": ["sms"]}, {"class_": "marketing", "channel": "sms"}, False),
        (SKUS, {"class_": "marketing", "channel": "ads", "sku": "PEN"}, True),
        (SKUS, {"class_": "marketing", "channel": "ads", "sku": "BRUSH", "category": "ink"}, True),
        (SKUS, {"class_": "marketing", "channel": "ads", "sku": "BRUSH"}, False),
        (SKUS, {"class_": "marketing", "channel": "ads"}, False),
        ({"moons": ["full"]}, {"class_": "marketing", "channel": "ads"}, True),
    ],
)
def test_a_hold_forbids_what_its_scope_names(
    scope: dict[str, list[str]], asked_for: dict[str, str], forbidden: bool
) -> None:
    """And only that; a part of a scope that is not known yet counts as if it covered everything."""
    inbox = Inbox(Fleeting())
    inbox.take(hold(scope=scope), NOON)
    assert (inbox.held("c-42", NOON, **asked_for) is not None) is forbidden
    assert inbox.held("c-43", NOON, **asked_for) is None


def test_a_hold_ends_at_its_time_or_with_its_release() -> None:
    """While another stands, nothing is free; a hold that comes again after its release stays over."""
    inbox = Inbox(Fleeting())
    inbox.take(hold(scope={"classes": ["marketing"]}), NOON)
    inbox.take(hold("h-2", until=NOON + HOUR), NOON)
    question = {"class_": "marketing", "channel": "sms"}
    assert inbox.take(release(), NOON) is Verdict.NOTED
    inbox.take(hold(scope={"classes": ["marketing"]}), NOON)
    found = inbox.held("c-42", NOON + HOUR - 1, **question)
    assert found is not None
    assert (found.id, found.reason) == ("h-2", "hold.open_issue")
    assert inbox.held("c-42", NOON + HOUR, **question) is None


def test_a_release_that_comes_first_is_honoured() -> None:
    """Its hold never stands."""
    inbox = Inbox(Fleeting())
    inbox.take(release(), NOON)
    inbox.take(hold(), NOON)
    assert inbox.held("c-42", NOON, class_="service", channel="sms") is None


def test_the_engines_own_words_are_understood(story: Story) -> None:
    """Act, recall, hold and release as the engine says them, structured and binary."""
    inbox = Inbox(Fleeting(), {"email"})
    made = only(story.at("2026-03-02 10:00", asked(offer(on=("email",)))))
    told = story.at("2026-03-02 10:05", case_opened())
    assert read(dumps(made)) == read(*dumps_binary(made))
    assert inbox.take(read(dumps(made)), made.time) is Verdict.DELIVER
    assert [inbox.take(read(dumps(one)), made.time) for one in told] == [Verdict.CANCEL, Verdict.NOTED]
    assert inbox.dispatch(read(dumps(made)), made.time) is Verdict.RECALLED
    assert inbox.held("c-42", made.time, class_="survey", channel="ads") is not None
    gone = only(of("hold", story.at("2026-03-02 10:06", erased())))
    inbox.take(read(dumps(gone)), gone.time)
    found = inbox.held("c-42", gone.time, class_="service", channel="phone")
    assert found is not None
    assert found.reason == "dnc.erased"


def test_answers_are_events_that_the_engine_reads() -> None:
    """One id a decision and kind, so that an answer that is given again is a repeat."""
    told = {
        verdict: response(one, verdict, NOON, source="/channel/sms")
        for verdict, one in [
            (Verdict.DELIVER, act()), (Verdict.TOO_LATE, act()), (Verdict.CANCEL, recall()), (Verdict.GONE, recall()),
        ]
    }  # fmt: skip
    events = {verdict: parse(value) for verdict, value in told.items()}
    assert {verdict: (event.type, event.data) for verdict, event in events.items()} == {
        Verdict.DELIVER: ("response.delivered", Response("a-1", "sms")),
        Verdict.TOO_LATE: ("response.expired", Response("a-1", "sms")),
        Verdict.CANCEL: ("response.recalled", ResponseRecalled("a-1", in_time=True)),
        Verdict.GONE: ("response.recalled", ResponseRecalled("a-1", in_time=False)),
    }
    assert {event.id for event in events.values()} == {"a-1-delivered", "a-1-expired", "a-1-recalled"}
    bounced = response(act(), Verdict.DELIVER, NOON, source="/channel/sms", failed=True)
    assert parse(bounced).type == "response.failed"
    for verdict in (Verdict.REPEAT, Verdict.RECALLED, Verdict.NOTED, Verdict.NOT_OURS):
        assert response(act(), verdict, NOON, source="/channel/sms") is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b'{"type": "purchase.completed", "id": "e-1", "subject": "c", "time": "2026-03-02T10:15:00Z", "data": {}}',
        b'{"type": "decision.shout", "id": "d", "subject": "c", "time": "2026-03-02T10:15:00Z", "data": {}}',
        b'{"type": "decision.recall", "id": "d", "subject": "c", "time": "2026-03-02T10:15:00Z",'
        b' "data": {"outcome": "recall"}}',
        b'{"type": "decision.act", "id": "d", "subject": "c", "time": "2026-03-02T10:15:00Z",'
        b' "data": {"outcome": "act", "valid_until": "soon"}}',
    ],
)
def test_what_is_no_decision_is_refused(value: bytes | None) -> None:
    """It might be a recall: nothing is guessed."""
    with pytest.raises(EventRejected):
        read(value)
    with pytest.raises(EventRejected):
        read(value, (("ce_type", b"decision.act"),))


class Wire:
    """A channel under fire: what was shown to its inbox, what went out when, and what its answers claimed."""

    def __init__(self) -> None:
        self.memory = Fleeting()
        self.inbox = Inbox(self.memory, {"sms"})
        self.out: dict[str, list[int]] = defaultdict(list)
        self.recalled: set[str] = set()
        self.claims: dict[str, set[Verdict]] = defaultdict(set)
        self.waiting: list[Received] = []

    def shows(self, one: Received, now: int) -> None:
        """One record of the topic."""
        verdict = self.inbox.take(one, now)
        if one.outcome == "recall":
            self.recalled.add(one.data["recalls"])
            self.claims[one.data["recalls"]].add(verdict)
        elif verdict is Verdict.DELIVER:
            self.waiting.append(one)
        elif verdict is Verdict.TOO_LATE:
            self.claims[one.id].add(verdict)

    def goes(self, one: Received, now: int) -> None:
        """The channel has come to an act that waited."""
        if self.inbox.dispatch(one, now) is Verdict.DELIVER:
            assert one.id not in self.recalled, "said after its recall was seen"
            self.out[one.id].append(now)
        else:
            assert self.out[one.id] or one.id in self.recalled or now >= (one.valid_until or 0), "silent for no reason"

    def restarts(self) -> None:
        """Kill -9: what waited is gone, what was decided is not."""
        self.inbox, self.waiting = Inbox(self.memory, {"sms"}), []


steps = st.lists(
    st.tuples(st.sampled_from("aaarrgggggk"), st.integers(0, 5), st.sampled_from([0, 1, 10, 70])), max_size=60
)
"""Show an act or a recall (again), go on with what waits, kill; which act; minutes that pass before."""


@given(steps, st.lists(st.integers(5, 200), min_size=6, max_size=6))
@settings(max_examples=400, derandomize=True, deadline=None, database=None)
def test_whatever_comes_however_often(drawn: list[tuple[str, int, int]], valid: list[int]) -> None:
    """In any order, with repeats and restarts: at most once, never too late, never after its recall; what is claimed
    of a recall is true; and an act that was shown in time and let go on is not silently lost."""
    wire, now = Wire(), NOON
    acts = [act(f"a-{number}", until=NOON + minutes * MINUTE) for number, minutes in enumerate(valid)]
    for kind, which, minutes in drawn:
        now += minutes * MINUTE
        if kind == "a":
            wire.shows(acts[which], now)
        elif kind == "r":
            wire.shows(recall(f"a-{which}"), now)
        elif kind == "k":
            wire.restarts()
        elif wire.waiting:
            wire.goes(wire.waiting.pop(which % len(wire.waiting)), now)
    while wire.waiting:
        wire.goes(wire.waiting.pop(), now)
    note(f"out {dict(wire.out)}, claims {dict(wire.claims)}")
    for one in acts:
        times, claims = wire.out[one.id], wire.claims[one.id]
        assert len(times) <= 1
        assert all(time < (one.valid_until or 0) for time in times)
        assert not (claims & {Verdict.CANCEL, Verdict.TOO_LATE} and times), "claimed to be unsaid, and was said"
        assert Verdict.GONE not in claims or times, "claimed to be said, and was not"
        assert len(claims & {Verdict.CANCEL, Verdict.GONE}) <= 1, "two stories of one recall"


@given(histories, st.randoms(use_true_random=False))
@often(60)
def test_the_engines_days_through_a_channel(drawn: bytes, chance: Any) -> None:
    """Whole histories, each record once or more: every act that nobody took back goes out once, the rest never, and
    what is held at the end is what stands."""
    _, said = live(drawn)
    decisions = [one for some in said for one in some]
    inbox, out, last = Inbox(Fleeting(), keep=500 * DAY), list[str](), 0
    shown: list[Received] = []
    for one in decisions:
        again = [shown[chance.randrange(len(shown))]] if shown and chance.random() < 0.4 else []
        shown.append(read(dumps(one)))
        for record in (shown[-1], *again):
            last = max(last, one.time)
            if inbox.take(record, last) is Verdict.DELIVER and inbox.dispatch(record, last) is Verdict.DELIVER:
                out.append(record.id)
    assert sorted(out) == sorted(one.id for one in decisions if one.outcome == "act")
    for subject in {one.subject for one in decisions}:
        over = {one.releases for one in decisions}
        standing = {
            one.id
            for one in decisions
            if one.outcome == "hold"
            and one.subject == subject
            and one.id not in over
            and (one.until or last + 1) > last
        }
        assert {hold.id for hold in inbox._standing(subject, last)} == standing


def test_a_hold_of_a_withdrawal_is_what_an_audience_obeys(story: Story) -> None:
    """Nobody asks the engine, and still nobody is spoken to."""
    inbox = Inbox(Fleeting())
    for one in story.at("2026-03-02 10:00", withdrawn(on=["sms"])):
        inbox.take(read(dumps(one)), one.time)
    assert inbox.held("c-42", NOON, class_="marketing", channel="sms") is not None
    assert inbox.held("c-42", NOON, class_="marketing", channel="email") is None
