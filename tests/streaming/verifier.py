"""Did anything get lost, said twice in two ways, or remembered wrongly? Told from what a run left behind, offline.

The order in which a lane handled its records stands in its own changelog: outbox records list topic, offset and key in
order; an entry at or below its key's marks in the state record that follows was applied, a later one is void and comes
again. Given that order, the pure engine is run over the source records once more, one after the other, and everything
that was published and stored must equal it: decisions byte for byte, states byte for byte, in changelog and RocksDB.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from decisioning import decision as decisions
from decisioning.engine import Step, on_event, on_relay, on_wake
from decisioning.errors import EventRejected
from decisioning.event import Event, parse
from decisioning.instant import format_instant, parse_instant
from decisioning.moves import Forward, Message, Relay
from decisioning.policy import Policy
from decisioning.state import State, dumps
from decisioning.streaming import relay
from decisioning.streaming.chassis.epoch import epoch_of
from decisioning.streaming.chassis.header import unpack
from decisioning.streaming.chassis.outbox import decode
from decisioning.streaming.chassis.store import OUTBOX, TOPICS, user_key
from decisioning.streaming.topics import partition_of
from tests.streaming.invariants import falling_sequences, spoken_to_in_silence
from tests.streaming.records import Rec

_NAMES: Final = msgspec.msgpack.Decoder(list[str])
Place = tuple[str, int]  # topic, offset
Told = Event | relay.Wake | Message


class Evidence(NamedTuple):
    """All that a run left behind, each topic by partition and offset. The catalogue must not have changed in it."""

    relay: str
    partitions: int
    sources: Mapping[str, Sequence[Rec]]
    products: Sequence[Rec]
    changelog: Sequence[Rec]
    decisions: Sequence[Rec]
    dead_letters: Sequence[Rec]
    stores: Mapping[int, Mapping[bytes, bytes]]
    """By lane: key to record, header included; of workers that have stopped in order."""
    largest: int = 1024 * 1024


@dataclass
class Report:
    """What was found. Each list holds lines that name places and ids; all empty is what a worker promises."""

    lost: list[str] = field(default_factory=list)
    divergent: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    falling: list[str] = field(default_factory=list)
    outspoken: list[str] = field(default_factory=list)
    records: int = 0
    applied: int = 0
    decisions: int = 0
    repeats: int = 0
    """Decisions that were published once more, byte for byte: what a crash costs."""
    dead_letters: int = 0
    intruders: int = 0
    """Changelog records of superseded workers, which must change nothing."""
    due: int = 0
    """Promised answers that fell due."""

    def problems(self) -> list[str]:
        """Every finding, one line each; empty: nothing was lost, torn or forgotten."""
        kinds = ("lost", "divergent", "invented", "disorder", "stale", "unanswered", "falling", "outspoken")
        return [f"{kind}: {line}" for kind in kinds for line in getattr(self, kind)]


class Fate(StrEnum):
    """What must become of a source record."""

    APPLIED = "applied to its customer"
    REFUSED = "a dead letter"
    SKIPPED = "nothing: its type is unknown"
    FORWARDED = "forwarded through the relay"
    PRODUCT = "forwarded to the products"


class Lane(NamedTuple):
    """What a lane's changelog says: places in the order applied, and the last record, both by key."""

    applied: dict[bytes, list[Place]]
    last: dict[bytes, bytes]


def verify(evidence: Evidence, policy: Policy) -> Report:
    """Compare everything published and stored with a sequential run. `policy` comes with an empty catalogue."""
    report = Report()
    for record in evidence.products:
        _take_in(policy, record)
    expected: dict[bytes, list[bytes]] = {}
    applied: set[tuple[str, int, int]] = set()
    events = {(rec.topic, rec.partition, rec.offset): rec for topic in evidence.sources.values() for rec in topic}
    newest = 0
    for number in range(evidence.partitions):
        lane = _read_lane(number, evidence, report)
        states = {}
        for key, places in lane.applied.items():
            applied |= {(topic, number, offset) for topic, offset in places}
            records = [events[topic, number, offset] for topic, offset in places]
            told = [_message(evidence, record) for record in records]
            newest = max([newest, *(message.time for message in told if isinstance(message, Event))])
            state, said, passed_on = sequential(policy, key.decode(), told)
            report.lost += _not_relayed(evidence, key, records, passed_on)
            expected.setdefault(key, []).extend(said)
            if state is not None:
                states[key] = state
        _compare_states(number, states, lane, evidence.stores.get(number), report)
    report.applied = len(applied)
    _check_fates(evidence, applied, report)
    _compare_decisions(expected, evidence.decisions, report)
    _check_promises(evidence.decisions, newest, report)
    report.falling = falling_sequences(evidence.changelog, evidence.partitions)
    report.outspoken = spoken_to_in_silence(evidence.changelog, evidence.sources, evidence.partitions)
    return report


def sequential(
    policy: Policy, subject: str, messages: Sequence[Told | None]
) -> tuple[State | None, list[bytes], list[tuple[int, Relay]]]:
    """One customer's state and decisions, one message after the other, under the customer's own event clock; and what
    was passed on to others, with the number of the message that made it so."""
    state: State | None = None
    said: list[bytes] = []
    passed_on: list[tuple[int, Relay]] = []

    def keep(number: int, step: Step) -> State:
        said.extend(decisions.dumps(decision) for decision in step.outputs)
        passed_on.extend((number, one) for one in step.relays)
        return step.state

    for number, message in enumerate(messages):
        if isinstance(message, relay.Wake):
            if state is not None and state.wake_at == message.due:
                state = keep(number, on_wake(policy, state, max(message.due, state.now)))
        elif message is not None:
            at = message.time if isinstance(message, Event) else message.now
            now = max(at, state.now if state is not None else 0)
            while state is not None and state.wake_at is not None and state.wake_at < now:
                state = keep(number, on_wake(policy, state, state.wake_at))
            if isinstance(message, Event):
                state = keep(number, on_event(policy, state, message, now))
            else:
                state = keep(number, on_relay(policy, state, subject, message, now))
    return state, said, passed_on


def _not_relayed(
    evidence: Evidence, key: bytes, records: Sequence[Rec], passed_on: Sequence[tuple[int, Relay]]
) -> list[str]:
    """What one customer should have passed on to another and is not on the relay: events as they came, and moves."""
    relayed = {(record.key, record.value) for record in evidence.sources[evidence.relay]}
    lost = []
    for number, one in passed_on:
        output = None if isinstance(one.message, Forward) else relay.tell(evidence.relay, one.to, one.message)
        if (one.to.encode(), records[number].value if output is None else output.value) not in relayed:
            lost.append(f"customer {key!r} passed on nothing to {one.to!r}, though it should have")
    return lost


def _take_in(policy: Policy, record: Rec) -> None:
    try:
        policy.catalogue.fold(parse(record.value, record.headers))
    except EventRejected:
        return  # who reads the catalogue leaves it out, too


def _read_lane(number: int, evidence: Evidence, report: Report) -> Lane:
    names: list[str] = []
    lane = Lane(defaultdict(list), {})
    pending: dict[bytes, dict[tuple[int, int], None]] = defaultdict(dict)
    marks: dict[bytes, dict[int, int]] = defaultdict(dict)
    epoch = 0
    for record in evidence.changelog:
        if record.partition != number or record.key is None:
            continue
        theirs = epoch_of(record, 0)
        if theirs < epoch:
            report.intruders += 1
            continue  # of a writer that had been superseded: nobody believes it
        epoch = theirs
        key = user_key(record.key)
        if key is not None and record.value is not None:
            header, _ = unpack(record.value)
            for topic, offset in [entry for entry in pending[key] if entry[1] <= header.marks.get(entry[0], -1)]:
                del pending[key][topic, offset]
                lane.applied[key].append((names[topic], offset))
                marks[key][topic] = max(offset, marks[key].get(topic, -1))
            if header.marks != marks[key]:
                report.lost.append(f"lane {number}, changelog {record.offset}: marks that no outbox record explains")
            lane.last[key] = record.value
        elif key is not None:  # nothing is left to remember of it, not even marks
            lane.last.pop(key, None)
            marks.pop(key, None)
        elif record.key == TOPICS and record.value is not None:
            names = _NAMES.decode(record.value)
        elif record.key.startswith(OUTBOX) and record.value is not None:
            for topic, offset, owner, _ in decode(record.value)[0]:
                if offset <= marks[owner].get(topic, -1):
                    report.divergent.append(f"{names[topic]}[{number}]@{offset} was applied twice")
                pending[owner].pop((topic, offset), None)  # an earlier entry is void: only its redo counts
                pending[owner][topic, offset] = None
    void = [(names[topic], offset) for entries in pending.values() for topic, offset in entries]
    report.lost += [f"{topic}[{number}]@{offset} was begun and never applied" for topic, offset in void]
    return lane


def _compare_states(
    number: int, states: Mapping[bytes, State], lane: Lane, store: Mapping[bytes, bytes] | None, report: Report
) -> None:
    known = {key: raw for key, raw in lane.last.items() if not unpack(raw)[0].forgotten}
    for key in sorted(states.keys() | known.keys()):
        state, raw = states.get(key), known.get(key)
        if state is None or raw is None:
            report.stale.append(f"lane {number}, customer {key!r}: {'not ' if raw is None else ''}in the changelog")
            continue
        header, body = unpack(raw)
        if body != dumps(state):
            report.stale.append(f"lane {number}, customer {key!r}: the changelog's state is not the sequential run's")
        if header.wake_at != state.wake_at:
            report.stale.append(f"lane {number}, customer {key!r}: would be woken at another time than promised")
    kept = None if store is None else {key: raw for key, raw in store.items() if not unpack(raw)[0].forgotten}
    if kept is not None and kept != known:
        wrong = sorted(key for key in kept.keys() | known.keys() if kept.get(key) != known.get(key))
        report.stale += [f"lane {number}, customer {key!r}: RocksDB is not what the changelog says" for key in wrong]


def _message(evidence: Evidence, record: Rec) -> Told | None:
    """What a record says; None where it should never have been applied."""
    found = relay.read(record) if record.topic == evidence.relay else relay.Forwarded(record.headers, 0)
    assert not isinstance(found, relay.Swept), "a sequential run knows no sweeps"
    if not isinstance(found, relay.Forwarded):
        return found
    if len(record.value or b"") > evidence.largest:
        return None
    try:
        event = parse(record.value, found.headers)
    except EventRejected:
        return None
    return replace(event, subject=(record.key or b"").decode()) if found.moves else event


def _fate(evidence: Evidence, record: Rec) -> Fate:
    message = _message(evidence, record)
    if message is None:
        return Fate.REFUSED
    if not isinstance(message, Event):
        return Fate.APPLIED
    if message.data is None:
        return Fate.SKIPPED
    if message.type == "product.described":
        return Fate.PRODUCT
    key = message.subject.encode()
    at_home = record.key == key and record.partition == partition_of(key, evidence.partitions)
    return Fate.APPLIED if at_home else Fate.FORWARDED


def _check_fates(evidence: Evidence, applied: set[tuple[str, int, int]], report: Report) -> None:
    dead: dict[tuple[str, int, int], set[tuple[Any, ...]]] = defaultdict(set)
    for letter in evidence.dead_letters:
        told = {name: (content or b"").decode(errors="replace") for name, content in letter.headers}
        origin = (
            told["__streams.errors.topic"],
            int(told["__streams.errors.partition"]),
            int(told["__streams.errors.offset"]),
        )
        dead[origin].add((letter.key, letter.value, letter.timestamp, tuple(letter.headers)))
    relayed = {(record.value, record.timestamp) for record in evidence.sources[evidence.relay]}
    described = {record.value for record in evidence.products}
    for records in (*evidence.sources.values(), evidence.products):
        for record in records:
            place = (record.topic, record.partition, record.offset)
            fate, letters = _fate(evidence, record), dead.pop(place, set())
            if records is evidence.products and fate is not Fate.PRODUCT:
                fate = Fate.REFUSED  # only products belong there
            found = {
                Fate.APPLIED: place in applied, Fate.REFUSED: bool(letters), Fate.SKIPPED: True,
                Fate.FORWARDED: (record.value, record.timestamp) in relayed, Fate.PRODUCT: record.value in described,
            }  # fmt: skip
            name = f"{record.topic}[{record.partition}]@{record.offset}"
            report.records += 1
            report.dead_letters += fate is Fate.REFUSED
            if not found[fate]:
                report.lost.append(f"{name} should have become {fate.value}")
            if len(letters) > 1:
                report.divergent.append(f"{name} has dead letters that differ")
            if letters and fate is not Fate.REFUSED:
                report.invented.append(f"{name} has a dead letter and should have become {fate.value}")
            if place in applied and fate is not Fate.APPLIED:
                report.invented.append(f"{name} was applied and should have become {fate.value}")
            for key, value, timestamp, headers in letters:
                if (key, value, timestamp) != (record.key, record.value, record.timestamp):
                    report.divergent.append(f"{name} is not in its dead letter as it came")
                if headers[: len(record.headers)] != tuple(record.headers):
                    report.divergent.append(f"{name} has other headers in its dead letter")
    report.invented += [
        f"a dead letter from {topic}[{part}]@{offset}, where nothing is" for topic, part, offset in dead
    ]


def _compare_decisions(expected: Mapping[bytes, list[bytes]], published: Sequence[Rec], report: Report) -> None:
    payloads: dict[str, set[bytes]] = defaultdict(set)
    order: dict[bytes, dict[str, None]] = defaultdict(dict)
    for record in published:
        number = json.loads(record.value or b"")["id"]
        report.repeats += number in payloads
        payloads[number].add(record.value or b"")
        order[record.key or b""][number] = None
    report.decisions = len(payloads)
    report.divergent += [
        f"decision {number} has {len(said)} payloads" for number, said in payloads.items() if len(said) > 1
    ]
    for key, said in expected.items():
        wanted = {json.loads(value)["id"]: value for value in said}
        if len(wanted) != len(said):
            report.divergent.append(f"customer {key!r}: the sequential run itself says one id twice")
        for number, value in wanted.items():
            found = payloads.pop(number, None)
            if found is None:
                report.lost.append(f"decision {number} of customer {key!r}")
            elif len(found) == 1 and value not in found:
                report.divergent.append(f"decision {number} of customer {key!r} is not what the sequential run says")
        if [number for number in order[key] if number in wanted] != [n for n in wanted if n in order[key]]:
            report.disorder.append(f"customer {key!r}: decisions came in another order than they were made")
    report.invented += [f"decision {number}, which the sequential run never makes" for number in payloads]


def _check_promises(published: Sequence[Rec], newest: int, report: Report) -> None:
    """Every `defer` that fell due by the newest event has its further answer, and each only one."""
    said = {record.value: json.loads(record.value or b"") for record in published}.values()
    promised: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for one in said:
        trigger, data = one["data"]["trigger"], one["data"]
        if data["outcome"] == "defer" and parse_instant(data["not_before"]) <= newest:
            cause = data.get("cause", trigger)
            due = format_instant(parse_instant(data["not_before"]))
            promised[f"{cause['source']}#{cause['id']}@{due}"] += 1
        if trigger["type"] == "wake":
            answered[trigger["id"]] += 1
    report.due = promised.total()
    for name, count in promised.items():
        if answered[name] != count:
            report.unanswered.append(f"{answered[name]} answers to the promise {name}")
