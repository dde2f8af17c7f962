"""Identities and merges: one customer under many names (contract.md, section 4, "An identity ...")."""

from __future__ import annotations

from typing import Final

import pytest
from msgspec.structs import replace

from decisioning import moves
from decisioning.decision import Decision, Trigger
from decisioning.engine import Step, on_event, on_relay
from decisioning.event import Event
from decisioning.moves import Adopted, Claim, Forward, Moved, Relay
from decisioning.state import State, dumps, memory
from decisioning.state.model import MAX_DEFERRED, Absorbed
from tests.builders import (
    CUSTOMER,
    Happening,
    Story,
    asked,
    at,
    bought,
    erased,
    event,
    granted,
    lives,
    nothing_new,
    of,
    offer,
    only,
    response,
    returned,
    said,
    withdrawn,
)
from tests.legible import legible

PHONE: Final = "tel:+44123"
TRIGGER: Final = Trigger("/shop", "e-9", "identity.linked")


def linked(identity: str = PHONE) -> Happening:
    """An identity turns out to be the customer's."""
    return Happening("identity.linked", {"identity": identity})


def merged(into: str = CUSTOMER) -> Happening:
    """The subject disappears into another customer."""
    return Happening("customer.merged", {"into": into})


def case(kind: str, id_: str, **more: object) -> Happening:
    """A problem is opened or resolved."""
    return Happening(f"support.case_{kind}", {"case_id": id_, **more})


def who(decisions: list[Decision]) -> list[tuple[str, str, str]]:
    """Subject, outcome and reason of each decision, in order."""
    return [(one.subject, one.outcome.value, one.reason) for one in decisions]


def guest(story: Story, subject: str = PHONE) -> None:
    """Someone under another name, in UTC, who agreed to marketing."""
    story.at("2026-01-05 09:00", lives(time_zone="UTC").by(subject), granted().by(subject))


def test_an_identity_is_a_customer_of_its_own_until_it_is_linked(story: Story) -> None:
    """Its facts count for it alone, afterwards for the customer, and its events are answered for the customer."""
    assert said(story.at("2026-03-02 10:00", asked().by(PHONE))) == [("suppress", "consent.missing")]
    story.at("2026-03-02 10:01", bought("PEN").by(PHONE))
    assert said(story.at("2026-03-02 10:02", asked(offer(sku="CUP")))) == [("act", "allowed.clear")]
    recalled, hold, release = story.at("2026-03-02 10:03", linked())
    assert who([recalled, hold, release]) == [
        (CUSTOMER, "recall", "recent_purchase.cooldown"),
        (CUSTOMER, "hold", "recent_purchase.same_item"),
        (PHONE, "release", "recent_purchase.same_item"),
    ]
    assert {one.trigger.type for one in (recalled, hold, release)} == {"identity.linked"}
    [answer] = story.at("2026-03-05 10:00", asked(offer(sku="PEN")).by(PHONE))
    assert who([answer]) == [(CUSTOMER, "suppress", "recent_purchase.same_item")]


def test_a_merged_customer_gives_all_away_and_forwards(story: Story) -> None:
    """The same way, told by the one that disappears."""
    guest(story, "c-7")
    act = only(story.at("2026-03-02 10:00", asked().by("c-7")))
    assert story.at("2026-03-02 10:01", merged().by("c-7")) == []
    left = story.run.states["c-7"]
    assert (left.moved_to, left.acts, left.consents, left.seen) == (CUSTOMER, (), (), ())
    assert [one.id for one in story.state.acts] == [act.id]
    story.at("2026-03-02 10:02", response("failed", act).by("c-7"))
    assert not story.state.acts[0].counts
    assert story.run.states["c-7"] is left


def test_a_promise_moves_along(story: Story) -> None:
    """Its further answer is the customer's, at its time; nothing wakes under the old name."""
    guest(story)
    defer = only(story.at("2026-03-02 22:00", asked().by(PHONE)))
    story.at("2026-03-02 23:00", linked())
    assert story.run.states[PHONE].wake_at is None
    [answer] = story.until("2026-03-04")
    assert who([answer]) == [(CUSTOMER, "act", "allowed.clear")]
    assert answer.cause == defer.trigger


def test_what_was_seen_under_one_name_is_a_repeat_under_the_other(story: Story) -> None:
    """A re-sent event of before the link says nothing, and a request id that was answered is a duplicate."""
    guest(story)
    again = asked(request="r-x").by(PHONE).named("e-x").since("2026-03-02 10:00")
    assert said(story.at("2026-03-02 10:00", again)) == [("act", "allowed.clear")]
    story.at("2026-03-02 10:05", linked())
    before = dumps(story.state)
    assert story.at("2026-03-02 10:06", again) == []
    assert dumps(story.state) == before
    assert said(story.at("2026-03-02 10:07", asked(request="r-x"))) == [("suppress", "duplicate.request")]


@pytest.mark.parametrize("again", [linked(), merged().by(PHONE), merged(PHONE), linked(CUSTOMER), merged(CUSTOMER)])
def test_a_repeated_merge_or_a_circle_does_nothing(story: Story, again: Happening) -> None:
    """Linked or merged once more, into itself, or the whole into its part: nothing is said, and only the event is
    remembered."""
    story.at("2026-03-02 09:59", withdrawn("survey").by(PHONE))
    story.at("2026-03-02 10:00", linked())
    before, part = story.state, story.run.states[PHONE]
    assert story.at("2026-03-02 10:01", again) == []
    assert replace(story.state, seen=before.seen, now=before.now) == before
    assert story.run.states[PHONE] is part


def test_a_chain_of_names_leads_to_the_last(story: Story) -> None:
    """Events go all the way; a claim on a part of someone else's part is that customer's."""
    story.at("2026-03-02 10:00", linked("mailto:a").by("c-7"), merged().by("c-7"))
    story.at("2026-03-02 10:01", lives(name="Ada").by("mailto:a"))
    assert story.state.profile.name is not None
    assert story.run.states["mailto:a"].moved_to == "c-7"
    story.at("2026-03-02 10:02", linked("mailto:a").by("c-7"))
    assert story.run.states["mailto:a"].moved_to == CUSTOMER


def test_a_number_that_changes_hands_is_the_new_owners_from_then_on(story: Story) -> None:
    """Its events go to whoever was linked last, by the time of the event; what moved before stays where it is."""
    story.at("2026-03-02 10:00", bought("PEN").by(PHONE), linked())
    story.at("2026-03-03 10:00", linked().by("c-new"))
    assert story.run.states[PHONE].moved_to == "c-new"
    assert not story.run.states["c-new"].orders
    assert story.at("2026-03-03 11:00", merged(PHONE).by("c-new")) == []
    assert story.run.states["c-new"].moved_to is None
    story.at("2026-03-04 10:00", linked().by("c-late").since("2026-03-02 12:00"))
    assert story.run.states[PHONE].moved_to == "c-new"


def test_holds_are_issued_anew_unless_an_equal_one_stands(story: Story) -> None:
    """New ones on the target first, then the release of the source's."""
    story.at("2026-03-02 09:00", withdrawn("survey"), withdrawn("survey").by(PHONE))
    found = story.at("2026-03-02 10:00", linked())
    assert who(found) == [(PHONE, "release", "consent.withdrawn")]
    assert story.run.states[PHONE].holds == ()
    assert story.at("2026-03-02 10:01", linked()) == []


def test_holds_that_stood_apart_stay_apart(story: Story) -> None:
    """Of two problems of the customer one is solved after the link: its own hold is released."""
    story.at("2026-03-02 09:00", case("opened", "k-1", severity="low"), case("opened", "k-2", severity="low"))
    story.at("2026-03-02 09:00", case("opened", "k-3", severity="low").by(PHONE))
    assert who(story.at("2026-03-02 10:00", linked())) == [(PHONE, "release", "hold.open_issue")]
    assert said(story.at("2026-03-02 11:00", case("resolved", "k-2"))) == [
        ("hold", "hold.recently_resolved"), ("release", "hold.open_issue")
    ]  # fmt: skip
    assert story.at("2026-03-02 12:00", case("resolved", "k-1")) == []  # its hold is k-3's as well
    assert said(story.at("2026-03-02 13:00", case("resolved", "k-3"))) == [
        ("hold", "hold.recently_resolved"), ("release", "hold.open_issue")
    ]  # fmt: skip


def test_an_open_problem_names_the_hold_before_a_solved_one(story: Story) -> None:
    """Of one scope born of one link they are one hold, with the reason that comes first."""
    story.at("2026-03-02 09:00", case("opened", "k-2", severity="low").by(PHONE), case("resolved", "k-2").by(PHONE))
    story.at("2026-03-02 09:30", case("resolved", "k-2").by(PHONE), case("opened", "k-1", severity="low").by(PHONE))
    [hold] = of("hold", story.at("2026-03-02 10:00", linked()))
    assert (hold.reason, hold.until) == ("hold.open_issue", None)


def test_an_erasure_does_not_forget_who_is_part_of_whom(story: Story) -> None:
    """Later events under the old name are the erased customer's still, and merging them into it is a circle."""
    story.at("2026-03-02 10:00", linked())
    story.at("2026-03-02 11:00", erased())
    assert PHONE.encode() not in legible(dumps(story.state))
    assert story.at("2026-03-02 12:00", merged(PHONE)) == []
    assert story.state.moved_to is None
    assert who(story.at("2026-03-02 13:00", asked().by(PHONE))) == [(CUSTOMER, "suppress", "dnc.erased")]


def test_purchases_that_share_a_hold_since_a_move_end_apart(story: Story) -> None:
    """The later end is the hold's; when the purchase of that end came back, a new one lasts as long as the other."""
    story.at("2026-03-02 09:00", bought("PEN", order="o-1").by(PHONE))
    story.at("2026-03-03 09:00", bought("PEN", order="o-2").by(PHONE))
    shared = of("hold", story.at("2026-03-03 10:00", linked()))
    assert [hold.until for hold in shared] == [at("2026-04-02 09:00")]
    new, release = story.at("2026-03-04 10:00", returned("PEN", order="o-2"))
    assert (new.until, release.releases) == (at("2026-04-01 09:00"), shared[0].id)


def test_an_erased_source_adds_nothing_and_its_holds_stay(story: Story) -> None:
    """What comes later under its name is the customer's; what the erasure covers is forgotten."""
    guest(story)
    story.at("2026-03-02 09:00", lives(name="Ada").by(PHONE))
    [hold] = story.at("2026-03-02 09:30", erased().by(PHONE))
    assert story.at("2026-03-02 10:00", linked()) == []
    assert [one.id for one in story.run.states[PHONE].holds] == [hold.id]
    assert story.state.profile.name is None
    assert not story.state.erased
    story.at("2026-03-02 10:01", lives(name="Old").by(PHONE).since("2026-03-02 09:29"))
    assert story.state.profile.name is None
    story.at("2026-03-02 10:02", lives(name="New").by(PHONE))
    assert story.state.profile.name is not None


@pytest.mark.parametrize("late", [linked(), merged("c-9")])
def test_a_link_from_before_an_erasure_is_forgotten(story: Story, late: Happening) -> None:
    """Nothing at or before it folds, whoever hears of it last."""
    story.at("2026-03-02 10:00", linked("mailto:a"), erased())
    assert story.at("2026-03-02 10:01", late.since("2026-03-02 10:00")) == []
    assert PHONE not in story.run.states
    assert story.state.moved_to is None
    story.at("2026-03-02 10:02", linked())
    assert story.run.states[PHONE].moved_to == CUSTOMER


def test_a_hold_that_lost_its_scope_in_an_erasure_is_only_released(story: Story) -> None:
    """It is never issued anew, least of all for everything."""
    story.at("2026-03-02 09:00", bought("PEN").by("c-7"))
    story.at("2026-03-02 09:10", erased().by("c-7"))
    story.at("2026-03-02 09:20", granted().by("c-7"))
    found = story.at("2026-03-02 10:00", merged().by("c-7"))
    assert who(found) == [("c-7", "release", "recent_purchase.same_item")]


def test_an_erased_target_takes_nothing(story: Story) -> None:
    """What is live is recalled and what waits is answered, for the customer who is erased; nothing is remembered."""
    story.at("2026-03-02 08:00", erased())
    guest(story)
    story.at("2026-03-02 21:00", withdrawn("survey").by(PHONE), asked().by(PHONE))
    live = only(story.at("2026-03-02 21:01", asked(offer("alarm", kind="service")).by(PHONE)))
    found = story.at("2026-03-02 22:00", linked())
    assert who(found) == [
        (CUSTOMER, "recall", "dnc.erased"),
        (CUSTOMER, "suppress", "dnc.erased"),
        (PHONE, "release", "consent.withdrawn"),
    ]
    assert found[0].recalls == live.id
    assert (story.state.acts, story.state.deferred, story.state.consents) == ((), (), ())
    assert story.state.wake_at is None


def test_a_death_known_to_one_name_silences_all(story: Story) -> None:
    """Holds, recalls and all."""
    only(story.at("2026-03-02 10:00", asked()))
    story.at("2026-03-02 10:01", Happening("customer.life_event", {"kind": "deceased"}).by(PHONE))
    assert [one[1:] for one in who(story.at("2026-03-02 10:02", linked()))] == [
        ("recall", "empathy.deceased"), ("hold", "empathy.deceased"), ("release", "empathy.deceased")
    ]  # fmt: skip


def test_an_unknown_identity_is_linked_before_anything_is_known_of_it(story: Story) -> None:
    """Its first event already is the customer's."""
    assert story.at("2026-03-02 10:00", linked("member:1")) == []
    story.at("2026-03-02 10:01", lives(name="Ada").by("member:1"))
    assert story.state.profile.name is not None


def test_too_many_promises_are_answered_at_once(story: Story) -> None:
    """What the two sides together may not keep waiting gets its one further answer now: at night, no."""
    guest(story)
    for number in range(MAX_DEFERRED):
        for subject in (CUSTOMER, PHONE):
            story.at("2026-03-02 22:00", asked(offer(f"a{number}")).by(subject))
    found = story.at("2026-03-02 23:00", linked())
    assert len(found) == MAX_DEFERRED
    assert {(one.subject, one.outcome.value, one.reason, one.trigger.type) for one in found} == {
        (CUSTOMER, "suppress", "quiet_hours.night", "wake")
    }
    assert len(story.state.deferred) == MAX_DEFERRED


class Places:
    """Subjects on partitions of their own: messages wait until they are delivered, in any order between two places."""

    def __init__(self, story: Story) -> None:
        self.policy = story.policy
        self.states: dict[str, State] = {}
        self.waiting: list[tuple[str, Relay]] = []
        self.said: list[Decision] = []
        self.now = at("2026-03-02 10:00")

    def happens(self, one: Event) -> None:
        """An event at its subject."""
        self._keep(one.subject, on_event(self.policy, self.states.get(one.subject), one, self.now))

    def deliver(self, place: int = 0, times: int = 1) -> None:
        """The message at that place of those that wait, perhaps again and again; of one sender to one subject the
        first goes first."""
        sender, relay = self.waiting[place]
        first = next(pair for pair in self.waiting if (pair[0], pair[1].to) == (sender, relay.to))
        self.waiting.remove(first)
        for _ in range(times):
            self._tell(first[1])

    def _tell(self, relay: Relay) -> None:
        state = self.states.get(relay.to)
        if isinstance(relay.message, Forward):
            self._keep(relay.to, on_event(self.policy, state, relay.message.event, self.now))
        else:
            self._keep(relay.to, on_relay(self.policy, state, relay.to, relay.message, self.now))

    def _keep(self, subject: str, step: Step) -> None:
        self.states[subject] = step.state
        self.said += step.outputs
        self.waiting += [(subject, relay) for relay in step.relays]


def test_messages_that_come_twice_do_nothing_again(story: Story) -> None:
    """A worker that died in between sends them again: one hold, one release, one memory."""
    places = Places(story)
    places.happens(event("consent.withdrawn", "2026-03-02 09:00", {"purpose": "survey"}, "w", PHONE))
    places.happens(event("identity.linked", "2026-03-02 10:00", {"identity": PHONE}, "l"))
    while places.waiting:
        places.deliver(times=3)
    assert [(one.subject, one.outcome.value) for one in places.said] == [
        (PHONE, "hold"), (CUSTOMER, "hold"), (PHONE, "release")
    ]  # fmt: skip
    assert places.states[PHONE].moved_to == CUSTOMER


@pytest.mark.parametrize("names", [["a", "b"], ["b", "a"], ["a", "b", "c"], ["c", "a", "b"], ["b", "c", "d", "a"]])
@pytest.mark.parametrize("order", [0, -1])
def test_merges_into_each_other_end_with_the_least_name(story: Story, names: list[str], order: int) -> None:
    """At one instant on as many partitions: one of them takes all in, whatever comes first, and no message runs for
    ever."""
    places = Places(story)
    for number, name in enumerate(names):
        into = names[(number + 1) % len(names)]
        places.happens(event("customer.updated", "2026-03-02 10:00", {"attributes": {name: 1}}, f"u-{name}", name))
        places.happens(event("customer.merged", "2026-03-02 10:00", {"into": into}, f"m-{name}", name))
    for number, name in enumerate(names):
        places.happens(
            event("customer.updated", "2026-03-02 10:01", {"attributes": {f"{name}-x": 1}}, f"x-{number}", name)
        )
    for _ in range(300):
        if places.waiting:
            places.deliver(order)
    assert not places.waiting
    roots = [name for name in names if places.states[name].moved_to is None]
    assert roots == ["a"]
    found = places.states["a"]
    assert {one.name for one in found.attributes} == {*names, *(f"{name}-x" for name in names)}
    assert all(one.name != memory.name("a") for one in found.absorbed)


def test_a_tail_of_a_circle_is_not_its_root(story: Story) -> None:
    """A lesser name that only leads into the circle does not take it in; the least of the circle does."""
    places = Places(story)
    for name, into in (("a", "b"), ("b", "c"), ("c", "b")):
        places.happens(event("customer.merged", "2026-03-02 10:00", {"into": into}, f"m-{name}", name))
    for _ in range(100):
        if places.waiting:
            places.deliver(-1)
    assert not places.waiting
    assert {name: places.states[name].moved_to for name in "abc"} == {"a": "b", "b": None, "c": "b"}


def test_a_claim_of_oneself_and_of_ones_part_is_none(story: Story) -> None:
    """It may have been on its way when the other became part of this one."""
    state = State("c-1", absorbed=(Absorbed(memory.name("c-2"), 1),))
    for into in ("c-1", "c-2"):
        step = on_relay(story.policy, state, "c-1", Claim(into, 5, TRIGGER, 5), 5)
        assert (step.state, step.outputs, step.relays) == (state, (), ())


def test_holds_are_released_once_and_only_for_the_move_that_was_taken_in(story: Story) -> None:
    """Another number is another move."""
    story.at("2026-03-02 09:00", withdrawn("survey").by(PHONE))
    left, relays = moves.leave(story.run.states[PHONE], CUSTOMER, 5, TRIGGER, None)
    assert isinstance(relays[0].message, Moved)
    for sequence, released in ((7, 0), (1, 1)):
        step = on_relay(story.policy, left, PHONE, Adopted(sequence, TRIGGER, 5), 5)
        assert len(of("release", list(step.outputs))) == released
    again = on_relay(story.policy, step.state, PHONE, Adopted(1, TRIGGER, 5), 5)
    assert (again.state, again.outputs) == (step.state, ())


def test_nothing_new_under_an_old_name_recalls_at_the_customer(story: Story) -> None:
    """Any forwarded event that is no repeat can matter."""
    story.at("2026-03-02 10:00", linked())
    only(story.at("2026-03-02 10:01", asked()))
    assert who(story.at("2026-03-02 10:02", withdrawn().by(PHONE)))[0] == (CUSTOMER, "recall", "consent.withdrawn")
    assert story.at("2026-03-02 10:03", nothing_new().by(PHONE)) == []
