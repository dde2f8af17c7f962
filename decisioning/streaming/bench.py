"""What an event costs: the pure engine over the demo's recorded days, split by stage, beside its floor.

The floor is `orjson` decoding and encoding the very same event, state and decision bytes: what any engine must pay.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

import orjson

from decisioning import decision, engine, event, rulebook, state
from decisioning.catalogue import Catalogue
from decisioning.errors import EventRejected
from decisioning.policy import Policy
from decisioning.streaming.demo.sample import invoices
from decisioning.streaming.demo.shop import history

STAGES: Final = ("parse", "load", "decide", "dump", "say")
"""Bytes to event; bytes to state; fold, suppress, rank and record; state to bytes; decisions to bytes."""


class Round:
    """One run over all events: nanoseconds by stage, the floor's, and what it handled."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys((*STAGES, "floor"), 0)
        self.events = self.decisions = self.state_bytes = 0

    def timed(self, stage: str, work: Callable[[], Any]) -> Any:
        """The result of `work`, its time added to the stage."""
        began = perf_counter_ns()
        found = work()
        self.spent[stage] += perf_counter_ns() - began
        return found

    def report(self) -> dict[str, float]:
        """Microseconds an event by stage, their sum, the floor and the ratio."""
        found = {stage: round(spent / self.events / 1000, 2) for stage, spent in self.spent.items()}
        total = sum(self.spent[stage] for stage in STAGES)
        return {**found, "total": round(total / self.events / 1000, 2), "ratio": round(total / self.spent["floor"], 2)}


def bench_engine(rules: Path, *, rounds: int, seed: int, as_json: bool, events: int | None = None) -> int:
    """Run it over the first `events` (None: all) and print medians with their spread, or JSON; the exit code."""
    values = [fact.value for fact in history(invoices(), seed).facts[:events]]
    book = rulebook.parse(rules.read_bytes(), str(rules))
    done = [_round(values, Policy(book, Catalogue())) for _ in range(rounds)]
    reports = [one.report() for one in done]
    if as_json:
        print(orjson.dumps({"events": done[0].events, "rounds": reports}).decode())
        return 0
    one = done[0]
    print(f"{one.events:,} events, {one.decisions:,} decisions, {one.state_bytes // one.events:,} bytes of state")
    print(f"{'stage':8} {'median':>9} {'min':>9} {'max':>9}   us an event, {rounds} rounds")
    for name in (*STAGES, "total", "floor", "ratio"):
        column = [report[name] for report in reports]
        print(f"{name:8} {statistics.median(column):9.2f} {min(column):9.2f} {max(column):9.2f}")
    return 0


def _round(values: list[bytes], policy: Policy) -> Round:
    kept: dict[str, bytes] = {}
    run = Round()
    for value in values:
        try:
            found = run.timed("parse", lambda: event.parse(value))  # noqa: B023  # called at once
        except EventRejected:
            continue
        policy.catalogue.fold(found)
        if found.data is None or found.type == "product.described":
            continue
        body = kept.get(found.subject)
        before = None if body is None else run.timed("load", lambda: state.loads(body))  # noqa: B023  # called at once
        if before is not None and before.wake_at is not None and before.wake_at < found.time:
            before = engine.on_wake(policy, before, before.wake_at).state
        step = run.timed("decide", lambda: engine.on_event(policy, before, found, found.time))  # noqa: B023  # at once
        after = run.timed("dump", lambda: state.dumps(step.state))  # noqa: B023  # called at once
        said = run.timed("say", lambda: [decision.dumps(one) for one in step.outputs])  # noqa: B023  # called at once
        kept[found.subject] = after
        run.events += 1
        run.decisions += len(said)
        run.state_bytes += len(after)
        _floor(run, [value, after[1:], *said], [] if body is None else [body[1:]])
    return run


def _floor(run: Round, written: list[bytes], loaded: list[bytes]) -> None:
    """Decode the event and the state that was; encode the state that is and what was said."""
    event_bytes, *rest = written
    trees = [orjson.loads(one) for one in rest]
    run.timed("floor", lambda: [orjson.loads(one) for one in (event_bytes, *loaded)])
    run.timed("floor", lambda: [orjson.dumps(tree) for tree in trees])
