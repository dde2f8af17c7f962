"""The job that the chassis runs: where each record goes, and what the engine's answer becomes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from decisioning import rulebook
from decisioning.catalogue import Catalogue
from decisioning.errors import EventRejected, Fault
from decisioning.instant import HOUR, MINUTE, parse_instant
from decisioning.policy import Policy
from decisioning.state import State
from decisioning.stops import Stop, Stops, What, Word, key_of
from decisioning.stops import dumps as dumps_stop
from decisioning.streaming import relay
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.metrics import Labels, Metrics
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import partition_of
from decisioning.streaming.worker import EVENT_TYPES, Worker
from tests.streaming.records import PARTITIONS, Rec, event, record

RETAIL = Path(__file__).parents[2] / "rules" / "retail.yaml"
NOON = parse_instant("2026-03-02T12:00:00Z")
WELCOME = {"action": "hello", "class": "marketing", "channels": ["email"]}


class Bench:
    """A worker with a clock that the test sets, and its metrics."""

    def __init__(self, **settings: Any) -> None:
        self.registry = CollectorRegistry()
        labels = Labels(EVENT_TYPES, [], list(Fault), ["customers", "relay"])
        self.metrics = Metrics(self.registry, labels)
        self.wall = NOON
        policy = Policy(rulebook.parse(RETAIL.read_bytes(), "retail.yaml"), Catalogue())
        chosen = Settings(partitions=PARTITIONS, **settings)
        self.worker = Worker(policy, chosen, self.metrics, lambda: self.wall)
        self.states: dict[bytes, State] = {}

    def take(self, arrived: Rec) -> list[Output]:
        """What one record makes the worker publish, keeping the state it leaves."""
        found = self.worker.read(arrived)
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], bytes)):
            return list(found)
        key, message = found
        applied = self.worker.apply(key, self.states.get(key), message)
        if applied is None:
            return []
        assert applied.state is not None
        self.states[key] = applied.state
        return list(applied.outputs)

    def arrived(self, output: Output) -> Rec:
        """A relay record as its lane fetches it."""
        lane = partition_of(output.key or b"", PARTITIONS) if output.partition is None else output.partition
        return Rec("relay", lane, 0, output.timestamp or 0, output.key, output.value, output.headers)

    def deliver(self, outputs: Sequence[Output]) -> list[Output]:
        """Everything that these and what they bring about make the worker publish, but for the relay records."""
        waiting, said = list(outputs), list[Output]()
        while waiting:
            output = waiting.pop(0)
            if output.topic == "relay":
                waiting += self.take(self.arrived(output))
            else:
                said.append(output)
        return said

    def count(self, name: str, **labels: str) -> float:
        """The value of a metric's child."""
        return self.registry.get_sample_value(f"decisioning_{name}", labels) or 0.0


def asked(time: str, *, id_: str = "q-1", **more: Any) -> bytes:
    """A request for one welcome by e-mail."""
    return event("contact.requested", time, id_=id_, request_id=f"r-{id_}", candidates=[{**WELCOME, **more}])


def outcomes(outputs: Sequence[Output]) -> list[tuple[str, str, str]]:
    """Outcome, reason and time of each decision."""
    found = [json.loads(output.value or b"") for output in outputs if output.topic == "decisions"]
    return [(each["data"]["outcome"], each["data"]["reason"], each["time"]) for each in found]


def welcome_guest(bench: Bench, time: str = "2026-03-02T11:00:00Z") -> None:
    """Consent and country, so that a welcome may go out by day."""
    bench.take(record(event("consent.granted", time, id_="c", purpose="marketing")))
    bench.take(record(event("customer.updated", time, id_="u", country="GB")))


def test_a_request_becomes_a_decision_under_its_customers_key() -> None:
    """Structured by default: the whole CloudEvent is the value."""
    bench = Bench(clock="event")
    welcome_guest(bench)
    (output,) = bench.take(record(asked("2026-03-02T12:00:00Z"), topic="contact-requests"))
    assert (output.topic, output.key) == ("decisions", b"c-1")
    assert outcomes([output]) == [("act", "allowed.clear", "2026-03-02T12:00:00Z")]
    assert (
        bench.count("decisions_total", outcome="act", **{"class": "marketing"}, channel="other", reason="allowed.clear")
        == 1
    )


def test_binary_mode_puts_the_attributes_into_headers() -> None:
    """The data is the value; every attribute has its `ce_` header."""
    bench = Bench(clock="event", output_mode="binary")
    (output,) = bench.take(record(asked("2026-03-02T12:00:00Z")))
    headers = dict(output.headers)
    assert (headers["content-type"], headers["ce_type"]) == (b"application/json", b"decision.suppress")
    assert json.loads(output.value or b"")["reason"] == "consent.missing"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, Fault.TOMBSTONE),
        (b"", Fault.NOT_JSON),
        (b"{", Fault.NOT_JSON),
        (b"\xff\xfe", Fault.NOT_JSON),
        (b"null", Fault.NOT_AN_EVENT),
        (b"[]", Fault.NOT_AN_EVENT),
        (b'"text"', Fault.NOT_AN_EVENT),
        (b"{}", Fault.NOT_AN_EVENT),
        (event("purchase.completed", order_id=3), Fault.WRONG_TYPE),
        (event("purchase.completed"), Fault.MISSING_FIELD),
        (event("customer.erased").replace(b'"time"', b'"tame"'), Fault.NO_TIME),
        (event("customer.erased", of=""), Fault.NO_SUBJECT),
        (event("customer.erased", "2026-03-02T12:05:01Z"), Fault.FUTURE_TIME),
        (event("customer.updated", name="x" * 2_000_000), Fault.TOO_LARGE),
    ],
)
def test_rubbish_becomes_one_dead_letter(value: bytes | None, fault: Fault) -> None:
    """Whatever cannot be read ends in one dead letter with its bytes, and is counted by fault."""
    bench = Bench()
    (output,) = bench.take(record(value))
    assert (output.topic, output.key) == ("dead-letters", b"c-1")
    assert dict(output.headers)["decisioning.error.code"] == fault.value.encode()
    assert bench.count("dead_letters_total", code=fault.value) == 1
    if fault is not Fault.TOO_LARGE:
        assert output.value == value


def test_five_minutes_ahead_is_still_in_time() -> None:
    """Under the wall clock more than 5 minutes in the future is refused, 5 minutes are not."""
    assert Bench().take(record(event("customer.updated", "2026-03-02T12:05:00Z", name="Ann"))) == []


def test_an_unknown_type_is_counted_and_skipped() -> None:
    """No dead letter, no state."""
    bench = Bench()
    assert bench.take(record(event("weather.changed"))) == []
    assert (bench.count("events_total", type="other", result="skipped"), bench.states) == (1, {})


@pytest.mark.parametrize("key", [None, b"someone-else"])
def test_a_record_under_another_key_is_forwarded_to_its_customer(key: bytes | None) -> None:
    """It goes through the relay to the lane of its subject, as it came, and is counted as misrouted."""
    bench = Bench(clock="event")
    came = record(event("customer.updated", name="Ann"), key=key)
    (output,) = bench.take(came)
    assert (output.topic, output.key, output.value) == ("relay", b"c-1", came.value)
    assert bench.count("misrouted_records_total", topic="customers") == 1
    lane = partition_of(b"c-1", PARTITIONS)
    assert bench.take(Rec("relay", lane, 0, came.timestamp, output.key, output.value, output.headers)) == []
    assert bench.states[b"c-1"].profile.name is not None


def test_a_record_on_a_wrong_partition_is_forwarded() -> None:
    """Another partitioner put it into a lane that is not its customer's."""
    bench = Bench()
    came = record(event("customer.updated", name="Ann"))
    (output,) = bench.take(came._replace(partition=(came.partition + 1) % PARTITIONS))
    assert output.topic == "relay"


def test_a_record_that_never_arrives_is_given_up() -> None:
    """Past its hop limit it is a dead letter, so that two workers cannot play ball with it."""
    bench = Bench()
    hops = ((relay.KIND, b"event"), (relay.HOPS, str(relay.MAX_HOPS).encode()))
    came = record(event("customer.updated", name="Ann"), topic="relay", key=b"x")._replace(headers=hops)
    (output,) = bench.take(came)
    assert dict(output.headers)["decisioning.error.code"] == b"hop_limit"


def test_rubbish_on_the_relay_becomes_a_dead_letter() -> None:
    """Nobody else writes there; whoever does is told."""
    (output,) = Bench().take(record(b"rubbish", topic="relay"))
    assert output.topic == "dead-letters"


def test_a_repeated_event_says_nothing() -> None:
    """Same source and id: no output, no change, counted as repeated."""
    bench = Bench(clock="event")
    again = record(asked("2026-03-02T12:00:00Z"))
    assert len(bench.take(again)) == 1
    before = bench.states[b"c-1"]
    assert bench.take(again) == []
    assert bench.states[b"c-1"] is before
    assert bench.count("events_total", type="contact.requested", result="repeated") == 1


def test_a_product_on_a_customer_topic_finds_its_own() -> None:
    """It is forwarded to the products topic, where every worker reads it."""
    value = event("product.described", of="A", sku="A", category="x", price="1", currency="GBP")
    (output,) = Bench().take(record(value))
    assert (output.topic, output.key, output.value) == ("products", b"A", value)


def test_a_described_product_speaks_in_the_next_decision() -> None:
    """The broadcast feeds the catalogue that the policy reads."""
    bench = Bench()
    bench.worker.describe(
        record(event("product.described", of="A", sku="A", category="x", price="1", currency="GBP"), topic="products")
    )
    assert bench.worker.policy.catalogue.get("A") is not None
    with pytest.raises(EventRejected):
        bench.worker.describe(record(event("customer.erased"), topic="products"))


def test_a_wake_gives_the_promised_answer_once() -> None:
    """At night a request is deferred; its wake answers at the due time, a second wake says nothing."""
    bench = Bench(clock="event")
    welcome_guest(bench)
    (output,) = bench.take(record(asked("2026-03-02T22:00:00Z")))
    assert outcomes([output]) == [("defer", "quiet_hours.night", "2026-03-02T22:00:00Z")]
    due = bench.states[b"c-1"].wake_at
    assert due == parse_instant("2026-03-03T08:00:00Z")
    sent = bench.worker.wake(partition_of(b"c-1", PARTITIONS), b"c-1", due)
    came = Rec("relay", sent.partition or 0, 0, 0, sent.key, sent.value, sent.headers)
    assert outcomes(bench.take(came)) == [("act", "allowed.clear", "2026-03-03T08:00:00Z")]
    assert bench.take(came) == []


def test_under_the_event_clock_a_due_wake_goes_before_the_next_event() -> None:
    """However far the relay lags, a customer's answers come in the order of their times."""
    bench = Bench(clock="event")
    welcome_guest(bench)
    bench.take(record(asked("2026-03-02T22:00:00Z")))
    outputs = bench.take(record(event("consent.withdrawn", "2026-03-03T09:00:00Z", id_="w", purpose="marketing")))
    assert outcomes(outputs) == [
        ("act", "allowed.clear", "2026-03-03T08:00:00Z"),
        ("recall", "consent.withdrawn", "2026-03-03T09:00:00Z"),
        ("hold", "consent.withdrawn", "2026-03-03T09:00:00Z"),
    ]


def test_under_the_event_clock_one_customers_progress_makes_nobody_late() -> None:
    """Now is the newest time of this customer, not of all: another's events may have come further."""
    bench = Bench(clock="event")
    welcome_guest(bench)
    bench.take(record(event("customer.updated", "2026-03-09T12:00:00Z", of="c-2", name="Bo"), key=b"c-2"))
    assert outcomes(bench.take(record(asked("2026-03-02T12:00:00Z")))) == [
        ("act", "allowed.clear", "2026-03-02T12:00:00Z")
    ]


def test_under_the_wall_clock_a_late_wake_is_answered_late() -> None:
    """Late rather than never: now is the wall's, not the due time."""
    bench = Bench()
    welcome_guest(bench)
    bench.wall = parse_instant("2026-03-02T22:00:00Z")
    bench.take(record(asked("2026-03-02T22:00:00Z")))
    due = bench.states[b"c-1"].wake_at
    assert due is not None
    bench.wall = due + HOUR
    sent = bench.worker.wake(0, b"c-1", due)
    outputs = bench.take(Rec("relay", 0, 0, 0, sent.key, sent.value, sent.headers))
    assert outcomes(outputs) == [("act", "allowed.clear", "2026-03-03T09:00:00Z")]


def test_wakes_of_the_newest_instant_wait_for_its_events() -> None:
    """While records still come the event clock fires only what lies before its newest instant."""
    bench = Bench(clock="event")
    bench.take(record(event("customer.updated", "2026-03-02T12:00:00Z", name="Ann")))
    assert bench.worker.now() == NOON - 1


def test_the_event_clock_goes_on_where_the_memory_left_it() -> None:
    """After a restart without new events, due wakes are still due."""
    bench = Bench(clock="event")
    bench.worker.restored(NOON)
    bench.worker.restored(NOON - MINUTE)
    assert bench.worker.now() == NOON


def moved_guest(bench: Bench) -> Rec:
    """A phone number with consent that turns out to be c-1's; all messages are delivered. The link's record."""
    phone = {"of": "tel:1", "purpose": "marketing"}
    bench.take(record(event("consent.granted", "2026-03-02T11:00:00Z", id_="p", **phone), key=b"tel:1"))
    link = record(event("identity.linked", "2026-03-02T11:30:00Z", id_="l", identity="tel:1"))
    bench.deliver(bench.take(link))
    return link


def test_a_linked_identity_moves_through_the_relay() -> None:
    """Claim, move and adoption are records under the key of whom they concern; then the customer has the consent."""
    bench = Bench(clock="event")
    bench.take(record(event("customer.updated", "2026-03-02T11:00:00Z", id_="u", country="GB")))
    link = moved_guest(bench)
    assert bench.states[b"tel:1"].moved_to == "c-1"
    assert outcomes(bench.take(record(asked("2026-03-02T12:00:00Z")))) == [
        ("act", "allowed.clear", "2026-03-02T12:00:00Z")
    ]
    assert bench.take(link) == []


def test_an_event_under_a_linked_identity_is_handed_on_as_it_came() -> None:
    """Its bytes are not touched; the key says whose it is now, and the customer is answered."""
    bench = Bench(clock="event")
    welcome_guest(bench)
    moved_guest(bench)
    came = record(asked("2026-03-02T12:00:00Z").replace(b'"c-1"', b'"tel:1"'), key=b"tel:1")
    (handed_on,) = bench.take(came)
    assert (handed_on.topic, handed_on.key, handed_on.value) == ("relay", b"c-1", came.value)
    assert bench.count("events_total", type="contact.requested", result="forwarded") == 1
    (decision,) = bench.deliver([handed_on])
    assert decision.key == b"c-1"
    assert outcomes([decision]) == [("act", "allowed.clear", "2026-03-02T12:00:00Z")]
    assert bench.deliver([handed_on]) == []


def test_a_handed_on_event_on_a_wrong_partition_stays_its_new_subjects() -> None:
    """A forward on the way does not give it back to the old name."""
    bench = Bench(clock="event")
    moved_guest(bench)
    (handed_on,) = bench.take(record(event("customer.updated", of="tel:1", name="Ada"), key=b"tel:1"))
    lane = partition_of(b"c-1", PARTITIONS)
    astray = bench.arrived(handed_on)._replace(partition=(lane + 1) % PARTITIONS)
    (again,) = bench.take(astray)
    assert again.key == b"c-1"
    bench.deliver([again])
    assert bench.states[b"c-1"].profile.name is not None


def test_an_event_that_is_handed_on_for_ever_is_given_up() -> None:
    """Past the limit it is a dead letter."""
    bench = Bench(clock="event")
    moved_guest(bench)
    came = record(event("customer.updated", of="tel:1", name="Ada"), topic="relay", key=b"tel:1")
    counts = ((relay.KIND, b"event"), (relay.HOPS, b"0"), (relay.MOVES, str(relay.MAX_MOVES).encode()))
    (output,) = bench.take(came._replace(headers=counts))
    assert output.topic == "dead-letters"
    assert dict(output.headers)["decisioning.error.code"] == b"hop_limit"


def test_under_the_event_clock_a_due_wake_goes_before_a_move() -> None:
    """What was promised before is answered from what was known then."""
    bench = Bench(clock="event")
    welcome_guest(bench)
    bench.take(record(asked("2026-03-02T22:00:00Z")))
    merged = record(event("customer.merged", "2026-03-03T09:00:00Z", of="c-9", into="c-1"), key=b"c-9")
    said = bench.deliver(bench.take(merged))
    assert outcomes(said) == [("act", "allowed.clear", "2026-03-03T08:00:00Z")]


def test_a_move_that_comes_again_says_nothing() -> None:
    """Sent twice by a worker that died in between: no record, no change."""
    bench = Bench(clock="event")
    bench.take(record(event("consent.withdrawn", "2026-03-02T11:00:00Z", of="tel:1", purpose="survey"), key=b"tel:1"))
    sent = bench.take(record(event("identity.linked", "2026-03-02T11:30:00Z", id_="l", identity="tel:1")))
    for _ in range(3):  # claim, move, adoption
        (output,) = [one for one in sent if one.topic == "relay"]
        came = bench.arrived(output)
        sent = bench.take(came)
        before = dict(bench.states)
        assert bench.take(came) == []
        assert bench.states == before
    assert outcomes(sent) == [("release", "consent.withdrawn", "2026-03-02T11:30:00Z")]


def switched(bench: Bench, *things: tuple[What, str]) -> None:
    """These are stopped by hand, and nothing else."""
    known = Stops()
    for what, name in things:
        stop = Stop(what, name, Word("anna", "2026-03-02T13:00:00Z", "because"))
        known.take(key_of(stop), dumps_stop(stop))
    bench.worker.follow(bench.worker.policy.under(known.stopped))


def test_a_stop_is_told_to_those_whose_live_words_it_names() -> None:
    """A record of the relay in the customer's own lane, and the recall when it comes back; nothing for the others."""
    bench = Bench()
    welcome_guest(bench)
    bench.take(record(asked("2026-03-02T12:00:00Z"), topic="contact-requests"))
    body = bench.worker.dump(b"c-1", bench.states[b"c-1"])
    assert bench.worker.sweep == 0
    switched(bench, (What.CHANNEL, "sms"))
    assert (bench.worker.sweep, bench.worker.swept(2, b"c-1", body)) == (1, None)
    switched(bench, (What.CHANNEL, "sms"), (What.CHANNEL, "email"))
    told = bench.worker.swept(2, b"c-1", body)
    assert bench.worker.sweep == 2
    assert told is not None
    assert (told.topic, told.key, told.partition) == ("relay", b"c-1", 2)
    assert bench.worker.swept(2, b"c-2", bench.worker.dump(b"c-2", State("c-2"))) is None
    said = bench.take(bench.arrived(told))
    assert outcomes(said) == [("recall", "stopped.channel", "2026-03-02T12:00:00Z")]
    assert bench.take(bench.arrived(told)) == []
    bench.wall += 4 * HOUR
    assert bench.worker.swept(2, b"c-1", body) is None


def test_only_more_that_is_stopped_is_looked_for() -> None:
    """Less is no reason to look, and once nothing is stopped no sweep stands; the next has a number of its own."""
    bench = Bench()
    seen = []
    for things in (
        [What.MARKETING],
        [What.MARKETING],
        [What.MARKETING, What.CHANNEL],
        [What.CHANNEL],
        [],
        [What.CHANNEL],
    ):
        switched(bench, *((what, "sms" if what is What.CHANNEL else "") for what in things))
        seen.append(bench.worker.sweep)
    assert seen == [1, 1, 2, 2, 0, 3]


def test_a_stop_that_is_over_when_it_arrives_takes_nothing_back() -> None:
    """Who resumed in the meantime is heard; so is nobody of whom nothing is known."""
    bench = Bench()
    welcome_guest(bench)
    bench.take(record(asked("2026-03-02T12:00:00Z"), topic="contact-requests"))
    stopped = relay.sweep("relay", 0, b"c-1", "marketing@2026-03-02T13:00:00Z")
    assert bench.take(bench.arrived(stopped)) == []
    assert bench.take(bench.arrived(stopped._replace(key=b"c-9"))) == []
