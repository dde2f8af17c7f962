"""The verifier is no flatterer: what is planted into an honest run's remains is found, each under its own name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from decisioning.streaming.chassis.header import pack, unpack
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.outbox import decode, encode
from decisioning.streaming.chassis.store import OUTBOX, user_key
from tests.streaming.history import history, products
from tests.streaming.invariants import Moment, committed_too_far, handled, leaks, swollen, torn_stores
from tests.streaming.live import Live, policy
from tests.streaming.records import Rec
from tests.streaming.verifier import Evidence, Report, verify

_PARTITIONS = 2
_DRAWN = 11


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """What a worker leaves behind of a few hundred records, rubbish, wakes and forwarded ones among them."""
    with Live(tmp_path_factory.mktemp("honest"), _PARTITIONS) as broker:
        broker.tell(products())
        broker.tell(history(_DRAWN, 800, 60, _PARTITIONS, days=3))
        worker = broker.worker().ready()
        broker.settle()
        assert worker.term() == 0, worker.output
        return broker.evidence("w")


def without(records: Sequence[Rec], gone: Rec) -> list[Rec]:
    """The records but for one; later ones keep their offsets."""
    return [record for record in records if record is not gone]


def found(evidence: Evidence) -> Report:
    """What the verifier says."""
    return verify(evidence, policy())


def kinds(report: Report) -> set[str]:
    """Under which names it found something."""
    return {line.split(":")[0] for line in report.problems()}


def test_an_honest_run_has_no_finding(honest: Evidence) -> None:
    """A run without faults: nothing found, nothing repeated, and all that is checked did happen."""
    report = found(honest)
    assert not report.problems()
    assert report.repeats == 0
    assert min(report.applied, report.decisions, report.dead_letters, report.due) > 0


def test_a_repeat_of_the_same_bytes_is_counted_and_no_finding(honest: Evidence) -> None:
    """Redelivery may say a thing again, byte for byte."""
    again = honest.decisions[-1]._replace(offset=honest.decisions[-1].offset + 1)
    report = found(honest._replace(decisions=[*honest.decisions, again]))
    assert not report.problems()
    assert report.repeats == 1


def test_a_lost_decision_is_found(honest: Evidence) -> None:
    """One decision less is one lost."""
    gone = next(one for one in honest.decisions if b'"decision.suppress"' in (one.value or b""))
    report = found(honest._replace(decisions=without(honest.decisions, gone)))
    assert kinds(report) == {"lost"}
    assert len(report.lost) == 1


def test_a_lost_dead_letter_is_found(honest: Evidence) -> None:
    """A record that cannot be read and has no dead letter is lost."""
    report = found(honest._replace(dead_letters=honest.dead_letters[1:]))
    assert kinds(report) == {"lost"}


def test_an_event_that_was_never_applied_is_found(honest: Evidence) -> None:
    """A readable record that no outbox names is lost, though nobody would miss a decision."""
    told = honest.sources["customers"]
    skipped = told[-1]._replace(offset=told[-1].offset + 1, value=told[0].value, key=told[0].key)
    assert found(honest._replace(sources={**honest.sources, "customers": [*told, skipped]})).lost


def test_a_promise_that_was_not_kept_is_found(honest: Evidence) -> None:
    """A `defer` that fell due without its further answer."""
    gone = next(one for one in honest.decisions if b'"type":"wake"' in (one.value or b""))
    assert kinds(found(honest._replace(decisions=without(honest.decisions, gone)))) == {"lost", "unanswered"}


def test_two_payloads_of_one_id_are_found(honest: Evidence) -> None:
    """The same id with another reason is a decision torn in two."""
    first = honest.decisions[0]
    torn = first._replace(offset=10**6, value=(first.value or b"").replace(b"consent.", b"timezone.", 1) + b" ")
    assert kinds(found(honest._replace(decisions=[*honest.decisions, torn]))) == {"divergent"}


def test_a_decision_that_differs_from_the_sequential_run_is_found(honest: Evidence) -> None:
    """One payload, but the wrong one."""
    wrong = honest.decisions[0]._replace(value=(honest.decisions[0].value or b"") + b" ")
    assert kinds(found(honest._replace(decisions=[wrong, *honest.decisions[1:]]))) == {"divergent"}


def test_an_invented_decision_is_found(honest: Evidence) -> None:
    """A decision that no record asked for."""
    made_up = msgspec.json.decode(honest.decisions[0].value or b"") | {"id": "made-up"}
    added = honest.decisions[0]._replace(value=msgspec.json.encode(made_up))
    assert kinds(found(honest._replace(decisions=[*honest.decisions, added]))) == {"invented"}


def test_an_altered_dead_letter_is_found(honest: Evidence) -> None:
    """A dead letter that does not hold the record as it came."""
    altered = [honest.dead_letters[0]._replace(key=b"another"), *honest.dead_letters[1:]]
    assert kinds(found(honest._replace(dead_letters=altered))) == {"divergent"}


def test_decisions_in_another_order_are_found(honest: Evidence) -> None:
    """Two decisions of one customer that changed places."""
    said = list(honest.decisions)
    first = next(i for i, one in enumerate(said) if sum(one.key == other.key for other in said) > 1)
    last = max(i for i, one in enumerate(said) if one.key == said[first].key)
    said[first], said[last] = said[last], said[first]
    assert kinds(found(honest._replace(decisions=said))) == {"disorder"}


def _older(raw: bytes) -> bytes:
    """The record with a state of another content, as if an older one had won."""
    header, body = unpack(raw)
    return pack(header, body[:3] + b"x" + body[3:])


def _later(raw: bytes) -> bytes:
    """The record with another wake."""
    header, body = unpack(raw)
    header.wake_at = 1
    return pack(header, body)


@pytest.mark.parametrize("change", [_older, _later])
def test_a_stale_state_is_found_in_the_changelog(honest: Evidence, change: Callable[[bytes], bytes]) -> None:
    """The last record of a customer holds another state, or another wake, than the sequential run's."""
    changelog = list(honest.changelog)
    place = max(i for i, one in enumerate(changelog) if one.value and one.key and user_key(one.key) is not None)
    changelog[place] = changelog[place]._replace(value=change(changelog[place].value or b""))
    assert kinds(found(honest._replace(changelog=changelog))) == {"stale"}


def test_a_stale_state_is_found_in_the_store(honest: Evidence) -> None:
    """RocksDB holds another record of a customer than the changelog, or none."""
    kept = dict(honest.stores[0])
    key = min(kept)
    for store in ({**kept, key: _older(kept[key])}, {other: kept[other] for other in kept if other != key}):
        report = found(honest._replace(stores={**honest.stores, 0: store}))
        assert kinds(report) == {"stale"}
        assert len(report.stale) == 1


def test_a_state_without_its_outbox_is_found(honest: Evidence) -> None:
    """Marks that moved though no outbox record says by what: an output could not be repeated."""
    place = min(i for i, one in enumerate(honest.changelog) if one.value and (one.key or b"").startswith(OUTBOX))
    assert found(honest._replace(changelog=without(honest.changelog, honest.changelog[place]))).lost


def test_an_event_applied_twice_is_found(honest: Evidence) -> None:
    """An outbox entry at or below its customer's mark: the state took the event in once more."""
    place = min(i for i, one in enumerate(honest.changelog) if one.value and (one.key or b"").startswith(OUTBOX))
    again = honest.changelog[place]
    last = max(i for i, one in enumerate(honest.changelog) if one.partition == again.partition)
    changelog = [*honest.changelog[: last + 1], again, *honest.changelog[last + 1 :]]
    assert "divergent" in kinds(found(honest._replace(changelog=changelog)))


def states(changelog: Sequence[Rec]) -> list[int]:
    """The places of state records."""
    return [i for i, one in enumerate(changelog) if one.value and one.key and user_key(one.key) is not None]


def test_a_sequence_that_falls_is_found(honest: Evidence) -> None:
    """I5: a state record with an older sequence than the one before it, as a writer without fencing would leave it."""
    places = states(honest.changelog)
    later = next(i for i in places[::-1] if unpack(honest.changelog[i].value or b"")[0].sequence > 1)
    header, body = unpack(honest.changelog[later].value or b"")
    header.sequence = 1
    changelog = list(honest.changelog)
    changelog[later] = changelog[later]._replace(value=pack(header, body))
    assert found(honest._replace(changelog=changelog)).falling


def _acted(evidence: Evidence) -> tuple[int, int, tuple[int, int, bytes, Sequence[Output]]]:
    """An outbox record and the place in it of an event that was answered with a marketing act, and that entry; of a
    customer whom nobody became a part of, because then consents come along that only the engine can tell."""
    moved = {one.key for one in evidence.sources[evidence.relay] if b"wake" not in dict(one.headers).values()}
    for place, one in enumerate(evidence.changelog):
        if one.value and (one.key or b"").startswith(OUTBOX):
            for number, entry in enumerate(decode(one.value)[0]):
                acts = [output.value for output in entry[3] if b'"decision.act"' in (output.value or b"")]
                spoke = any(b'"class":"marketing"' in (act or b"") for act in acts)
                if spoke and b'"type":"wake"' not in b"".join(act or b"" for act in acts) and entry[2] not in moved:
                    return place, number, entry
    raise AssertionError("nobody was spoken to")


@pytest.mark.parametrize("says", ["consent.withdrawn", "customer.erased"])
def test_speaking_to_somebody_who_said_no_is_found(honest: Evidence, says: str) -> None:
    """I6: an act after a withdrawal, or an erasure, that stood before it in its lane: planted right before the act."""
    place, number, entry = _acted(honest)
    outbox = honest.changelog[place]
    entries, forgotten = decode(outbox.value or b"")
    told = honest.sources["customers"]
    offset = 1 + max(record.offset for record in told if record.partition == outbox.partition)
    data = {"purpose": "marketing"} if says == "consent.withdrawn" else {}
    time = msgspec.json.decode(entry[3][-1].value or b"")["time"]
    no = {"specversion": "1.0", "id": "no", "source": "/t", "type": says, "subject": entry[2].decode(), "time": time}
    planted = told[0]._replace(
        partition=outbox.partition, offset=offset, key=entry[2], value=msgspec.json.encode({**no, "data": data})
    )
    # The table of topics lists the sources in their order.
    entries.insert(number, (list(honest.sources).index("customers"), offset, entry[2], ()))
    changelog = list(honest.changelog)
    changelog[place] = outbox._replace(value=encode(entries, forgotten))
    report = found(honest._replace(changelog=changelog, sources={**honest.sources, "customers": [*told, planted]}))
    assert len(report.outspoken) >= 1
    assert not found(honest).outspoken


def test_a_store_that_is_not_its_changelog_is_found(honest: Evidence) -> None:
    """I4: one record older, or one missing, in a store that claims to be further."""
    kept = [("w", lane, honest.changelog[-1].offset + 10**6, states) for lane, states in honest.stores.items()]
    assert not torn_stores(honest.changelog, kept)
    stale = dict(honest.stores[0])
    stale[min(stale)] = _older(stale[min(stale)])
    assert len(torn_stores(honest.changelog, [("w", 0, 10**6, stale)])) == 1
    assert torn_stores(honest.changelog, [("w", 0, 0, honest.stores[0])]), "it holds more than it claims"


def test_a_state_that_is_too_large_is_found(honest: Evidence) -> None:
    """F16: named with the size that it reached."""
    largest = max(len(one.value or b"") for one in honest.changelog if user_key(one.key or b"") is not None)
    assert not swollen(honest.changelog, largest)
    (line,) = swollen(honest.changelog, largest - 1)
    assert f"{largest} bytes" in line


def test_a_commit_before_its_work_is_done_is_found(honest: Evidence) -> None:
    """I9: all is committed, but what was said last does not stand in the topic at that moment."""
    written = {"decisions": honest.decisions}
    committed = {topic: dict.fromkeys(range(_PARTITIONS), 10**6) for topic in honest.sources}
    whole = {topic: dict.fromkeys(range(_PARTITIONS), 10**6) for topic in ("state-changelog", "decisions")}
    assert not committed_too_far(Moment(committed, whole), honest.changelog, written, _PARTITIONS)
    last = max(one.offset for one in honest.decisions if one.partition == 0)
    short = {**whole, "decisions": {0: last, 1: 10**6}}
    assert len(committed_too_far(Moment(committed, short), honest.changelog, written, _PARTITIONS)) == 1
    assert not committed_too_far(Moment({}, short), honest.changelog, written, _PARTITIONS)


def test_a_customer_in_a_log_or_header_is_found(honest: Evidence) -> None:
    """I10: canaries in a log, in a header of ours, and a secret; what the sender wrote is the sender's."""
    assert not leaks({"log": b"ready"}, honest.dead_letters)
    assert leaks({"log": b"cannot read c-0001"}, ()) == ["log names c-0001"]
    assert leaks({"page": b"<tel:0001>"}, ()) == ["page names tel:0001"]
    assert leaks({"log": b"password=hunter2"}, (), [b"hunter2"]) == ["log holds a secret"]
    assert not leaks({"log": b"id 0f3c-0001-77"}, ()), "a part of a longer number is nobody"
    letter = honest.dead_letters[0]
    ours = letter._replace(headers=(*letter.headers, ("__streams.errors.message", b"bad value c-0001")))
    theirs = letter._replace(headers=(("trace", b"c-0001"), *letter.headers))
    assert leaks({}, [ours])
    assert not leaks({}, [theirs])


def test_what_a_lane_handled_is_told_in_its_order(honest: Evidence) -> None:
    """Every offset once, rising within a topic, and with as many outputs as were ever published by it."""
    for number in range(_PARTITIONS):
        places: dict[str, list[int]] = {}
        for one in handled(honest.changelog, number):
            places.setdefault(one.topic, []).append(one.offset)
        assert places
        assert all(offsets == sorted(set(offsets)) for offsets in places.values())
