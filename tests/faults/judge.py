"""What became of a scenario: the verifier's findings, and what only the whole of a run can tell."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from decisioning.streaming.chassis.store import StoreError
from tests.faults.play import SILENT, Mark, Play
from tests.faults.scenario import Scenario
from tests.faults.world import Exit, Kafka, Mock, Ours
from tests.streaming.invariants import committed_too_far, leaks, swollen, torn_stores
from tests.streaming.live import policy
from tests.streaming.records import Rec
from tests.streaming.verifier import Report, verify

SWOLLEN: Final = 64 * 1024
"""Bytes that the state of one customer may have, whatever happens to them (F16)."""
_STAMP: Final = re.compile(rb'"version":"[^"]*","digest":"sha256:[0-9a-f]*"')


class Result(NamedTuple):
    """What became of one scenario under one seed. No findings: all held."""

    scenario: str
    seed: int
    findings: list[str]
    lost: int
    divergent: int
    repeats: int
    decisions: int
    exits: list[Exit]
    waits: list[float]
    """Seconds from each fault that another worker mends, and each repair (a start, a broker's return), until every lane
    has said something new."""
    seconds: float


def silences(marks: Sequence[Mark], decisions: Sequence[Rec]) -> list[tuple[Mark, float]]:
    """After each mark, seconds until the last lane said something new; not where the next mark came before that."""
    first: dict[tuple[int, bytes | None], float] = {}
    for record in decisions:
        first.setdefault((record.partition, record.value), record.timestamp / 1000)
    said: dict[int, list[float]] = {}
    for (lane, _), at in first.items():
        said.setdefault(lane, []).append(at)
    found = []
    ends = [*(mark.at for mark in marks[1:]), float("inf")]
    for mark, end in zip(marks, ends, strict=False):  # without any mark there is nothing to measure
        later = [min((at for at in times if at > mark.at), default=None) for times in said.values()]
        until_then = max((at for at in later if at is not None), default=None)
        if until_then is not None and until_then <= end:
            found.append((mark, until_then - mark.at))
    return found


def judge(run: Play) -> Report:
    """The verifier's report, and its findings among those of the run. The workers have ended."""
    if run.scenario.ends is not None:
        return Report()
    live = run.world.live
    try:
        evidence, kept = live.evidence(*run.hands), live.kept(*run.hands)
    except StoreError as error:
        run.findings.append(f"I4: {error}")
        return Report()
    payloads: dict[bytes, set[bytes]] = {}
    for record in evidence.decisions:
        number = re.search(rb'"id":"([^"]+)"', record.value or b"")
        payloads.setdefault(number[1] if number else b"", set()).add(record.value or b"")
    run.findings += [f"I2: decision {n!r} has several payloads" for n, said in payloads.items() if len(said) > 1]
    # The rulebooks of a scenario differ in nothing but their version: told apart above, they are one to the engine.
    rules = policy()
    name = f'"version":"{rules.stamp["version"]}","digest":"{rules.stamp["digest"]}"'.encode()
    told = [record._replace(value=_STAMP.sub(name, record.value or b"")) for record in evidence.decisions]
    report = verify(evidence._replace(decisions=told), rules)
    run.findings += report.problems()
    run.findings += [f"I4: {line}" for line in torn_stores(evidence.changelog, kept)]
    for mark, wait in silences(run.marks, evidence.decisions):
        run.waits.append(wait)
        if wait > mark.limit:
            run.findings.append(f"I7: a lane said nothing new for {wait:.1f} s")
    run.findings += swollen(evidence.changelog, SWOLLEN)
    written = {"decisions": evidence.decisions, "dead-letters": evidence.dead_letters}
    written[evidence.relay] = evidence.sources[evidence.relay]
    for moment in run.moments:
        found = committed_too_far(moment, evidence.changelog, written, evidence.partitions)
        run.findings += [f"I9: {line}" for line in found]
    logs = {f"the log of {name}": hand.process.whole_output for name, hand in run.hands.items()}
    run.findings += [f"I10: {line}" for line in leaks({**logs, **run.pages}, evidence.dead_letters)]
    if report.repeats and not run.scenario.repeats and not run.exits:
        run.findings.append(f"{report.repeats} decisions were published twice without a crash")
    return report


def kafka_for(scenario: Scenario, tier: str, folder: Path, further: Sequence[str] = ()) -> Kafka:
    """The Kafka that a scenario plays on: an embedded one, or in tier B a real one that keeps its logs in `folder`;
    `further` topics are another program's."""
    if tier == "A":
        return Mock([*Ours.topics, *further], scenario.brokers)
    from tests.faults.real import real  # only here: it needs Java

    return real(folder, scenario, further)


@contextmanager
def played(
    scenario: Scenario, seed: int, tier: str, say: Callable[[str], None], patience: float | None = None
) -> Iterator[tuple[Play, Report]]:
    """A scenario played to our worker on a Kafka of its own, which stands until the block ends, and what was found."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        kafka = kafka_for(scenario, tier, Path(folder) / "kafka")
        ours = Ours(Path(folder), kafka, dict(scenario.settings))
        with closing(kafka), ours.live:
            run = Play(scenario, seed, ours, say)
            if patience is not None:
                run.patience = patience
            run.run()
            yield run, judge(run)


def play(
    scenario: Scenario, seed: int, *, tier: str = "A", patience: float = SILENT + 10, say: Callable[[str], None] = print
) -> Result:
    """Play a scenario under a seed on a Kafka of its own; `patience`: seconds in which a refusal must come."""
    began = time.monotonic()
    with played(scenario, seed, tier, say, patience) as (run, report):
        pass
    divergent = len(report.divergent) + sum(line.startswith("I2") for line in run.findings)
    return Result(
        scenario.name, seed, run.findings, len(report.lost) + len(report.unanswered), divergent, report.repeats,
        report.decisions, run.exits, run.waits, time.monotonic() - began,
    )  # fmt: skip
