"""What an event costs: the pure engine over the demo's recorded days and the rulebook's cases, by stage, beside its
floor.

The floor is `orjson` decoding and encoding the very same event, state and decision bytes: what any engine must pay.
Times are those of this thread, so that neighbours on the machine hardly count; each is measured beside what it is
compared with, in one run.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import thread_time_ns as clock
from typing import Any, Final

import msgspec
import orjson

from decisioning import decision, engine, event, rulebook, state
from decisioning.cases import script, trial
from decisioning.catalogue import Catalogue
from decisioning.decision import Decision
from decisioning.errors import EventRejected
from decisioning.event import Event
from decisioning.instant import format_instant
from decisioning.policy import Policy
from decisioning.replay import Replay
from decisioning.rulebook import Rulebook
from decisioning.streaming.bench import growth
from decisioning.streaming.bench.stages import PARTS, REST, Watch
from decisioning.streaming.demo.sample import invoices
from decisioning.streaming.demo.shop import history

WHOLE: Final = ("parse", "load", "decide", "dump", "say")
"""Bytes to event; bytes to state; what the engine does; state to bytes; decisions to bytes."""
STAGES: Final = ("parse", "load", *PARTS, REST, "dump", "say")
_json: Final = msgspec.json.Encoder().encode
"""The same with `decide` by its stages: `holds` are those renewed, `rest` the questions and decisions made."""
Work = Sequence[Sequence[bytes]]
"""Event bytes in their order; each run of them begins with nobody known and an empty catalogue."""


class Round:
    """One pass over the work: nanoseconds by stage, the floor's, and what it handled."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys((*WHOLE, "floor"), 0)
        self.events = self.decisions = 0
        self.states: dict[tuple[int, str], bytes] = {}

    def report(self, shares: Watch) -> dict[str, float]:
        """Microseconds an event by stage, their sum, the floor and the ratio; `shares` says how `decide` is divided."""
        each = {name: spent / self.events / 1000 for name, spent in self.spent.items()}
        whole = sum(shares.spent.values())
        parts = {name: each["decide"] * spent / whole for name, spent in shares.spent.items()}
        total = sum(each[name] for name in WHOLE)
        found = {name: round({**each, **parts}[name], 2) for name in STAGES}
        rest = {"decide": each["decide"], "total": total, "floor": each["floor"], "ratio": total / each["floor"]}
        return {**found, **{name: round(value, 2) for name, value in rest.items()}}


def bench_engine(
    rules: Path, *, rounds: int, seed: int, as_json: bool, events: int | None = None, customers: int | None = 10_000
) -> int:
    """Measure and print medians with their spread, or JSON; the exit code.

    `events`: only the first so many of the recorded days; `customers`: up to how many the growth is measured, None:
    no growth at all.
    """
    book = rulebook.parse(rules.read_bytes(), str(rules))
    found: dict[str, Any] = {"days": measured(book, days(seed, events), rounds)}
    cases = rules.with_suffix(".cases.yaml")
    if cases.exists():
        found["cases"] = measured(book, played(book, cases), rounds)
    if customers is not None:
        found["growth"] = growth.measured(book, rounds, customers)
    found["ratios"] = {"engine_vs_floor": _over_all([found[work] for work in ("days", "cases") if work in found])}
    if customers is not None:
        found["ratios"]["rules_1000_vs_10"] = found["growth"]["rules_1000_vs_10"]
    print(orjson.dumps(found).decode() if as_json else "\n".join(_tables(found, rounds)))
    return 0


def days(seed: int, events: int | None = None) -> Work:
    """The demo's recorded shop days, as one run."""
    return [[fact.value for fact in history(invoices(), seed).facts[:events]]]


def played(book: Rulebook, cases: Path) -> Work:
    """The events of a rulebook's cases, as they were told when they were played, a run a case."""
    return [
        [as_bytes(one) for one in _events(book, case) if one.data is not None]
        for case in script.parse(cases.read_bytes(), str(cases))
    ]


def _events(book: Rulebook, case: script.Script) -> list[Event]:
    told: list[Event] = []

    class Listening(Replay):
        """Notes what it is fed."""

        def feed(self, happened: Event) -> Iterator[Decision]:
            told.append(happened)
            return super().feed(happened)

    trial.play_run(Listening(Policy(book, Catalogue())), case)
    return told


def as_bytes(happened: Event) -> bytes:
    """An event as a structured CloudEvent."""
    found = {
        "specversion": "1.0",
        "id": happened.id,
        "source": happened.source,
        "type": happened.type,
        "time": format_instant(happened.time),
        "subject": happened.subject,
        "data": happened.data,
    }
    return msgspec.json.encode(found)


def measured(book: Rulebook, work: Work, rounds: int) -> dict[str, Any]:
    """So many passes over the work, each with a second one that only says how deciding is divided."""
    done, reports = [], []
    for _ in range(rounds):
        done.append(one_round(book, work))
        watch = Watch()
        with watch.installed():
            one_round(book, work, watch.rest)
        reports.append(done[-1].report(watch))
    sizes = sorted(len(body) for body in done[0].states.values())
    return {
        "events": done[0].events,
        "decisions": done[0].decisions,
        "state_bytes": {"median": sizes[len(sizes) // 2], "mean": sum(sizes) // len(sizes), "largest": sizes[-1]},
        "rounds": reports,
    }


def one_round(book: Rulebook, work: Work, deciding: Callable[[Callable[[], Any]], Any] | None = None) -> Round:
    """One pass over the work; `deciding` is put around the engine's part of each event."""
    gc.collect()
    gc.freeze()  # as a worker does; else the collector would look at all that was ever loaded, mostly during the floor
    run, policy = Round(), Policy(book, Catalogue())
    try:
        for number, values in enumerate(work):
            policy.catalogue = Catalogue()
            for value in values:
                _handle(run, policy, number, value, deciding)
    finally:
        gc.unfreeze()
    return run


def _handle(
    run: Round, policy: Policy, number: int, value: bytes, deciding: Callable[[Callable[[], Any]], Any] | None
) -> None:
    began = clock()
    try:
        happened = event.parse(value)
    except EventRejected:
        return
    parsed = clock()
    policy.catalogue.fold(happened)
    if happened.data is None or happened.type == "product.described":
        return
    key = (number, happened.subject)
    body = run.states.get(key)
    loading = clock()
    before = state.loads(body) if body is not None else None
    loaded = clock()
    if before is not None and before.wake_at is not None and before.wake_at < happened.time:
        before = engine.on_wake(policy, before, before.wake_at).state
    asked = clock()
    if deciding is None:
        step = engine.on_event(policy, before, happened, happened.time)
    else:
        step = deciding(lambda: engine.on_event(policy, before, happened, happened.time))
    decided = clock()
    after = state.dumps(step.state)
    dumped = clock()
    said = [decision.dumps(one) for one in step.outputs]
    ended = clock()
    times = (parsed - began, loaded - loading, decided - asked, dumped - decided, ended - dumped)
    for name, spent in zip(WHOLE, times, strict=True):
        run.spent[name] += spent
    run.states[key] = after
    run.events += 1
    run.decisions += len(said)
    known = [] if before is None else [_json(before)]
    run.spent["floor"] += _floor([value, *known], [_json(step.state), *said])


def _floor(read: Iterable[bytes], written: Iterable[bytes]) -> int:
    """Decode the event and the state that was; encode the state that is and what was said. All as JSON, which our
    stored states no longer are: the floor is what a program that decides nothing would do."""
    trees = [orjson.loads(one) for one in written]
    began = clock()
    for one in read:
        orjson.loads(one)
    for tree in trees:
        orjson.dumps(tree)
    return clock() - began


def _over_all(works: Sequence[dict[str, Any]]) -> float:
    """What all events of all the work cost together against their floor: the median of the rounds."""
    found: list[float] = []
    for rounds in zip(*(work["rounds"] for work in works), strict=True):
        total, floor = (
            sum(one[name] * work["events"] for one, work in zip(rounds, works, strict=True))
            for name in ("total", "floor")
        )
        found.append(total / floor)
    return round(statistics.median(found), 2)


def _tables(found: dict[str, Any], rounds: int) -> Iterator[str]:
    for work in ("days", "cases"):
        if work not in found:
            continue
        one = found[work]
        sizes = one["state_bytes"]
        yield f"{work}: {one['events']:,} events, {one['decisions']:,} decisions"
        yield f"state of a customer: {sizes['median']:,} bytes (median), {sizes['mean']:,} (mean)"
        yield f"{'stage':10} {'median':>9} {'min':>9} {'max':>9}   us an event, {rounds} rounds"
        for name in (*STAGES, "total", "floor", "ratio"):
            column = [report[name] for report in one["rounds"]]
            yield f"{name:10} {statistics.median(column):9.2f} {min(column):9.2f} {max(column):9.2f}"
        yield ""
    yield f"all events against their floor: {found['ratios']['engine_vs_floor']} x"
    if "growth" in found:
        yield from growth.tables(found["growth"])
