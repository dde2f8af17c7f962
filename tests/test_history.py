"""History: it folds as late events do, asks and calls nothing, and its holds are said once, at the end of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest

from decisioning.catalogue import Catalogue
from decisioning.decision import Decision
from decisioning.engine import Step, on_event, on_relay, on_wake
from decisioning.instant import DAY, HOUR, MINUTE, format_instant
from decisioning.moves import Forward
from decisioning.policy import Policy
from decisioning.rulebook import parse
from decisioning.state import State
from tests.builders import (
    CUSTOMER,
    RETAIL,
    Happening,
    answered,
    asked,
    at,
    bereaved,
    bought,
    case_opened,
    case_resolved,
    delivered,
    erased,
    eta_changed,
    event,
    granted,
    lives,
    offer,
    only,
    placed,
    response,
    returned,
    said,
    shipped,
    withdrawn,
)

NOW = at("2026-03-02 12:00")
QUIET = 15 * MINUTE
CALM = {"classes": ["marketing", "survey"]}


class Newcomer:
    """Customers of the retail policy whose past is told at noon; `at` is the clock, which only goes on."""

    def __init__(self) -> None:
        self.policy = Policy(parse(RETAIL.read_bytes(), "retail.yaml"), Catalogue())
        self.states: dict[str, State] = {}
        self.now = NOW
        self._count = 0

    def past(self, when: str, *happenings: Happening) -> list[Decision]:
        """What is said when these, of the past, are told now."""
        return self._tell(when, happenings, self.now + QUIET)

    def live(self, *happenings: Happening) -> list[Decision]:
        """What is said when these happen now."""
        return self._tell(None, happenings, None)

    def after(self, span: int) -> list[Decision]:
        """What is said when so long has gone by."""
        self.now += span
        outputs = []
        for subject, state in list(self.states.items()):
            if state.wake_at is not None and state.wake_at <= self.now:
                outputs += self._keep(subject, on_wake(self.policy, state, self.now))
        return outputs

    def state(self, subject: str = CUSTOMER) -> State:
        """What is remembered."""
        return self.states[subject]

    def _tell(self, when: str | None, happenings: Sequence[Happening], say_at: int | None) -> list[Decision]:
        outputs = []
        for one in happenings:
            self._count += 1
            data = dict(one.data)
            if one.type == "contact.requested":
                data["request_id"] = f"r-{self._count}"
            subject = one.subject or CUSTOMER
            told = event(one.type, when or format_instant(self.now), data, one.id or f"e-{self._count}", subject)
            outputs += self._keep(
                subject, on_event(self.policy, self.states.get(subject), told, self.now, say_at=say_at)
            )
        return outputs

    def _keep(self, subject: str, step: Step) -> list[Decision]:
        self.states[subject] = step.state
        outputs = list(step.outputs)
        for relay in step.relays:
            state = self.states.get(relay.to)
            if isinstance(relay.message, Forward):
                told = on_event(self.policy, state, relay.message.event, self.now, say_at=self.now + QUIET)
            else:
                told = on_relay(self.policy, state, relay.to, relay.message, self.now)
            outputs += self._keep(relay.to, told)
        return outputs


@pytest.fixture
def shop() -> Newcomer:
    """A policy that has met nobody."""
    return Newcomer()


AGREED = (granted(), lives(time_zone="UTC"))


def test_nothing_is_said_while_history_is_told(shop: Newcomer) -> None:
    """Neither holds nor status messages nor delay alerts, whatever it tells; the quiet after it says what stands."""
    shop.past("2024-05-01", withdrawn(), case_opened("k-1"))
    shop.past("2024-06-01", case_resolved("k-1"))
    shop.past("2026-02-01", placed("o-2", promised="2026-03-01"), eta_changed("2026-03-20", "o-2"), shipped("o-2"))
    shop.past("2026-02-20", bought("A"), bought("B", order="o-3"), returned("B", order="o-3"))
    assert shop.past("2026-02-25", bereaved(), answered("complained")) == []
    assert shop.after(QUIET - 1) == []
    told = shop.after(1)
    assert [(one.reason, one.scope) for one in told] == [
        ("empathy.bereavement", CALM),
        ("consent.withdrawn", {"classes": ["marketing"]}),
        ("recent_purchase.same_item", {"categories": [], "skus": ["A"]}),
    ]
    assert {one.outcome.value for one in told} == {"hold"}
    assert {one.trigger.type for one in told} == {"history"}
    assert shop.after(DAY) == []


def test_only_what_stands_at_the_end_is_said(shop: Newcomer) -> None:
    """A withdrawal that was taken back, an old purchase, one that came back: nobody hears of them."""
    shop.past("2024-05-01", withdrawn(), bought("OLD"))
    shop.past("2025-05-01", granted())
    shop.past("2026-02-20", bought("A", order="o-2"), returned("A", order="o-2"))
    assert shop.after(DAY) == []
    assert shop.state().holds == ()
    assert shop.state().unsaid is None


def test_more_history_moves_the_end_of_it(shop: Newcomer) -> None:
    """The quiet begins anew with each event that concerns a hold."""
    shop.past("2026-02-20", bought("A"))
    assert shop.after(10 * MINUTE) == []
    shop.past("2026-02-21", returned("A"))
    assert shop.after(10 * MINUTE) == []
    assert shop.after(10 * MINUTE) == []
    assert shop.state().unsaid is None


def test_a_shorter_quiet_does_not_end_a_longer_one(shop: Newcomer) -> None:
    """Two imports at once: the later end holds."""
    shop.past("2026-02-20", bought("A"))
    end = shop.state().unsaid
    told = event("order.cancelled", "2026-02-21", {"order_id": "o-1"}, "late")
    shop.states[CUSTOMER] = on_event(shop.policy, shop.state(), told, shop.now, say_at=shop.now + 1).state
    assert shop.state().unsaid == end


def test_another_rulebook_holds_nothing_anew_of_which_all_was_said(shop: Newcomer) -> None:
    """A purchase whose hold was over is looked for only where history is unsaid."""
    shop.now = at("2026-02-01 12:00")
    assert said(shop.live(bought("A"))) == [("hold", "recent_purchase.same_item")]
    shop.now = at("2026-03-10 12:00")
    longer = (
        RETAIL.read_bytes()
        .replace(b"same_item: 30d", b"same_item: 90d")
        .replace(b"substitute: 30d", b"substitute: 90d")
    )
    assert longer != RETAIL.read_bytes()
    shop.policy = Policy(parse(longer, "longer.yaml"), Catalogue())
    assert said(shop.live(case_opened())) == [("hold", "hold.open_issue")]


def test_a_past_purchase_forbids_what_a_purchase_forbids(shop: Newcomer) -> None:
    """Long before the holds are said: that is the point."""
    shop.past("2026-02-20", *AGREED, bought("A", price="100.00"), delivered())
    cheaper = offer(sku="A", price="80.00", currency="GBP")
    hold, answer = shop.live(asked(cheaper))
    assert hold.reason == "recent_purchase.same_item"
    assert hold.until == at("2026-03-22")
    assert (answer.outcome.value, answer.reason) in {
        ("act", "make_good.price_drop"),
        ("suppress", "recent_purchase.price_drop"),
    }
    assert [one.reason for one in shop.live(asked(offer(sku="A")))] == ["recent_purchase.same_item"]
    assert shop.after(DAY) == []


@pytest.mark.parametrize(
    ("past", "reason"),
    [
        (granted(), "allowed.clear"),
        (withdrawn(), "consent.withdrawn"),
        (answered("complained"), "dnc.complained"),
        (answered("unsubscribed"), "dnc.unsubscribed"),
        (bereaved(), "empathy.bereavement"),
        (erased(), "dnc.erased"),
    ],
)
def test_the_next_request_gets_the_answer_that_history_demands(shop: Newcomer, past: Happening, reason: str) -> None:
    """Consents and do-not-contact lists count from the moment they are told; an old grant counts as long as any."""
    shop.past("2025-06-01", *AGREED)
    shop.past("2025-07-01", past)
    assert [one.reason for one in shop.live(asked(offer())) if one.outcome.value != "hold"] == [reason]


def test_a_live_event_says_what_is_unsaid_once(shop: Newcomer) -> None:
    """Whoever acts on a customer is told all that stands of them, and the quiet brings nothing more."""
    shop.past("2026-02-20", bought("A"), withdrawn())
    told = shop.live(Happening("support.interaction", {"interaction_id": "i", "channel": "phone"}))
    assert said(told) == [("hold", "consent.withdrawn"), ("hold", "recent_purchase.same_item")]
    assert shop.after(DAY) == []


def test_requests_of_the_past_do_nothing(shop: Newcomer) -> None:
    """They are neither answered nor remembered."""
    shop.past("2026-02-20", *AGREED)
    before = shop.state()
    assert shop.past("2026-02-21", asked(offer()), Happening("contact.withdrawn", {"campaign": "x"})) == []
    assert shop.state() is before


def test_history_takes_back_what_is_live(shop: Newcomer) -> None:
    """An act of the present that the past forbids is recalled at once; nothing else is said."""
    shop.past("2026-01-01", *AGREED)
    act = only(shop.live(asked(offer())))
    recall = only(shop.past("2026-02-25", withdrawn()))
    assert (act.outcome.value, recall.outcome.value, recall.recalls) == ("act", "recall", act.id)
    assert recall.reason == "consent.withdrawn"


def test_an_erasure_of_the_past_answers_what_waits(shop: Newcomer) -> None:
    """A promise is kept, and the hold of everything is said at once: nobody may speak on meanwhile."""
    shop.past("2026-01-01", *AGREED)
    shop.now = at("2026-03-02 22:00")
    assert said(shop.live(asked(offer()))) == [("defer", "quiet_hours.night")]
    assert said(shop.past("2026-02-25", erased())) == [("hold", "dnc.erased"), ("suppress", "dnc.erased")]
    assert said(shop.after(QUIET)) == []


def test_holds_are_never_said_under_the_name_of_an_instant_that_is_over(shop: Newcomer) -> None:
    """A worker whose clock is behind, or one that moved back: one decision id would have two payloads."""
    shop.past("2026-02-25", withdrawn())
    assert [one.outcome.value for one in shop.after(QUIET)] == ["hold"]
    until = shop.now
    shop.now -= 2 * QUIET
    shop.past("2026-02-26", case_opened())
    unsaid = shop.state().unsaid
    assert unsaid is not None
    assert unsaid > until


def test_a_long_past_crowds_out_no_question_of_today(shop: Newcomer) -> None:
    """More events than are remembered, told while a request waits behind them: it is answered."""
    began = shop.now
    for number in range(600):
        shop.now += 200_000
        shop.past(format_instant(at("2026-01-01") + number * 60_000_000), bought(f"S-{number}", order=f"o-{number}"))
    assert shop.state().seen_floor is None
    asked_then = event(
        "contact.requested", format_instant(began + 10_000_000), asked(offer(), request="r-w").data, "w-1"
    )
    step = on_event(shop.policy, shop.state(), asked_then, shop.now)
    assert len(step.outputs) == 1


def test_who_was_erased_stays_erased(shop: Newcomer) -> None:
    """An export from before the erasure brings nothing back."""
    assert said(shop.past("2026-02-25", erased())) == [("hold", "dnc.erased")]
    shop.past("2026-02-24", *AGREED, bought("A"))
    assert said(shop.after(QUIET)) == []
    assert shop.state().erased
    assert (shop.state().orders, shop.state().consents) == ((), ())


def test_a_response_to_what_was_never_ours_changes_nothing_more(shop: Newcomer) -> None:
    """Nothing but a complaint and an unsubscribe count without their decision."""
    shop.past("2026-01-01", *AGREED)
    for kind in ("delivered", "opened", "clicked", "accepted", "declined", "ignored"):
        shop.past("2026-02-01", answered(kind))
    assert [one.reason for one in shop.live(asked(offer()))] == ["allowed.clear"]


def test_the_same_history_again_changes_nothing(shop: Newcomer) -> None:
    """Neither before its holds are said nor afterwards."""
    told = [bought("A", quantity=2).named("b"), returned("A").named("r"), withdrawn().named("w")]
    shop.past("2026-02-20", *told)
    before = shop.state()
    shop.past("2026-02-20", *told)
    assert shop.state() is before
    assert len(shop.after(QUIET)) == 2
    before = shop.state()
    shop.past("2026-02-20", *told)
    assert shop.state() is before


def test_the_order_in_which_history_is_told_matters_only_where_events_do() -> None:
    """Facts with times of their own give one memory, whichever comes first."""
    told = [
        ("2024-01-01", granted()), ("2025-01-01", withdrawn(on=["sms"])), ("2026-02-20", bought("A")),
        ("2026-02-22", delivered()), ("2025-11-01", case_opened()), ("2025-11-03", case_resolved()),
    ]  # fmt: skip
    ends = set()
    for order in list(permutations(range(len(told))))[::37]:
        shop = Newcomer()
        for place in order:
            when, one = told[place]
            shop.past(when, one.named(f"h-{place}"))
        ends.add(str(sorted(str((one.reason, one.scope, one.until)) for one in shop.after(QUIET))))
        state = shop.state()
        ends.add(str((sorted(map(str, state.consents)), state.cases, state.orders, state.bought_at)))
    assert len(ends) == 2


def test_an_identity_of_the_past_brings_its_holds_at_the_end(shop: Newcomer) -> None:
    """What it knew is the customer's, and is said with the customer's own, once."""
    shop.past("2026-02-20", bought("A").by("tel:1"), withdrawn().by("tel:1"))
    assert shop.past("2026-02-21", Happening("identity.linked", {"identity": "tel:1"})) == []
    assert said(shop.after(QUIET)) == [("hold", "consent.withdrawn"), ("hold", "recent_purchase.same_item")]
    assert {one.reason for one in shop.state().holds} == {"consent.withdrawn", "recent_purchase.same_item"}
    assert shop.state("tel:1").holds == ()


def test_what_stood_before_a_merge_of_the_past_stands_after_it(shop: Newcomer) -> None:
    """A hold that was said is not left without one on the other side, whatever is unsaid there."""
    shop.past("2026-02-20", granted(), withdrawn("survey"), returned("A"))
    shop.past("2026-02-21", granted("survey"))
    hold = only(shop.live(case_opened().by("c-2")))
    told = shop.past("2026-02-21", Happening("customer.merged", {"into": CUSTOMER}, subject="c-2"))
    assert said(told) == [("hold", "hold.open_issue"), ("release", "hold.open_issue")]
    assert told[1].releases == hold.id
    assert [one.reason for one in shop.state().holds] == ["hold.open_issue"]


def test_a_live_purchase_later_brings_only_its_own_hold(shop: Newcomer) -> None:
    """After the end of history a purchase of then is not looked for again."""
    shop.past("2026-02-20", bought("A"))
    first = only(shop.after(QUIET))
    assert first.until == at("2026-03-22")
    shop.now += HOUR
    assert [one.scope for one in shop.live(bought("B", order="o-2"))] == [{"categories": [], "skus": ["B"]}]


def test_an_act_of_ours_is_answered_by_its_response_of_the_past(shop: Newcomer) -> None:
    """Responses are facts, whoever tells them late."""
    shop.past("2026-01-01", *AGREED)
    act = only(shop.live(asked(offer())))
    shop.past("2026-03-02 12:00", response("delivered", act))
    assert shop.state().acts[0].ended
