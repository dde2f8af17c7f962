"""The scenarios: what goes wrong, when, and to whom. Data; `play.py` plays them, the verifier judges what is left.

A scenario is a stream of events and a list of steps. A step waits for a time drawn from its range, in seconds after
the step before it (the first one: after the stream began), then does one thing to one target. Everything random follows
from the seed: the history, the waits, the choice among several ways. Whatever a scenario does, the same must hold
(reliability.md, section 3.2), unless it `ends` in a refusal:

    I1 every record has its outcome       I6 nobody is spoken to after they said no
    I2 one payload an id                  I7 it decides again within 15 s, 30 s where a broker was away
    I3 states are the sequential run's    I8 it works, says 503, or ends with a code and one clear line
    I4 log, stores and states agree       I9 nothing is committed before its work is done
    I5 sequences rise                     I10 no personal data in logs, pages and headers

Tier A is the embedded broker: seconds, in `make test`. Tier B is a real Kafka: for what the embedded one cannot tell
truly (sessions that expire, the network, compaction, who may do what).
"""

from __future__ import annotations

from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

Range = tuple[float, float]


class Do(StrEnum):
    """What a step does. Its target is a worker, a broker (1 is the first) or a topic; `how` says more."""

    KILL = "kill -9"
    STOP = "SIGTERM, and wait"
    FREEZE = "SIGSTOP"
    THAW = "SIGCONT"
    START = "start"
    WIPE = "remove the local store"
    CORRUPT = "damage a file of the local store"
    FILL = "no more room on the disk"
    RULES = "write another rulebook"
    DOWN = "a broker hangs up and listens no more"
    CRASH = "a broker is killed"
    UP = "a broker is back"
    DELAY = "a broker answers late, by so many ms"
    COORDINATE = "the group's coordinator is this broker now"
    LEAD = "this broker leads every partition now"
    REFUSE = "the next write to a partition of a topic is refused with this Kafka error code"
    RECREATE = "a topic is made anew, empty, with so many partitions"
    CUT = "a worker's network is cut"
    DEAFEN = "a worker hears nothing from Kafka, which hears it"
    HEAL = "a worker's network works again"


class Step(NamedTuple):
    """After so many seconds, drawn from the range, do this to that; of several ways in `how` one is drawn."""

    after: Range
    do: Do
    target: str = "w"
    how: tuple[str, ...] = ()


class Turn(NamedTuple):
    """A step whose lots are drawn: `at` is in seconds since the stream began."""

    at: float
    do: Do
    target: str
    how: str


class Stream(NamedTuple):
    """What is published: so many records of a drawn history within so many seconds, and what is wrong with them."""

    records: int = 700
    seconds: float = 5.0
    customers: int = 80
    waiting: int = 0
    """Of them, published before the first worker starts."""
    poison: float = 0.0
    """Unreadable records for each good one."""
    again: float = 0.0
    """Share that is published a second time, some records later."""
    shuffled: int = 0
    """Up to so many records change places: order within a topic and across topics is lost."""
    late: float = 0.0
    """Share that comes an hour or a day of events late."""
    clocks: float = 0.0
    """Hours by which the producers' clocks jump back and forth."""
    erased: float = 0.0
    """Erasures for each record."""
    keyless: float = 0.0
    """Share without a key, and half as many tombstones."""
    clean: bool = False
    """Without the unreadable records of every drawn history, each of which stalls stock Faust for five seconds, and
    without those on a wrong partition, which nothing in its job forwards."""


class Refusal(NamedTuple):
    """How a worker that must not go on ends: its exit code, and what its last line says."""

    code: int
    says: str


class Scenario(NamedTuple):
    """One fault of the matrix. `name` begins with its number; where it has several forms, a word follows."""

    name: str
    says: str
    steps: tuple[Step, ...] = ()
    stream: Stream = Stream()
    workers: tuple[str, ...] = ("w",)
    tier: str = "A"
    """A: embedded broker; B: real Kafka; AB: either."""
    brokers: int = 1
    ends: Refusal | None = None
    settings: tuple[tuple[str, object], ...] = ()
    """What its workers are told besides: names and values of decisioning's settings."""
    repeats: bool = True
    """Whether a decision may be published once more, byte for byte; without a crash or a rebalance none may."""


def turns(scenario: Scenario, draw: Random) -> list[Turn]:
    """The scenario's steps with their lots drawn."""
    at, drawn = 0.0, []
    for step in scenario.steps:
        at += draw.uniform(*step.after)
        drawn.append(Turn(at, step.do, step.target, draw.choice(step.how) if step.how else ""))
    return drawn


AT_ONCE: Final = (0.0, 0.0)
SOON: Final = (0.05, 0.4)
AT_WORK: Final = (0.4, 1.6)
"""Somewhere in a worker's work; right after a start it is somewhere in that."""
OVER: Final = (2.0, 3.5)
"""Long enough to be at work again."""

_KILLED: Final = (Step(AT_WORK, Do.KILL), Step(AT_ONCE, Do.START))
_KILLED_AGAIN: Final = (Step(OVER, Do.KILL), Step(AT_ONCE, Do.START))
_KILLED_AND_WIPED: Final = (Step(OVER, Do.KILL), Step(AT_ONCE, Do.WIPE), Step(AT_ONCE, Do.START))
_REFUSED: Final = Step(OVER, Do.REFUSE, "state-changelog", how=("10", "19", "29", "87"))
_DAMAGED: Final = (
    Step(OVER, Do.KILL), Step(AT_ONCE, Do.CORRUPT, how=("CURRENT", "MANIFEST", "SST", "WAL")), Step(AT_ONCE, Do.START),
)  # fmt: skip

SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        "F1", "kill -9 at random moments, the store stays",
        steps=_KILLED + 2 * _KILLED_AGAIN, stream=Stream(seconds=8), tier="AB",
    ),
    Scenario(
        "F2", "kill -9 while a backlog waits, the store is gone",
        steps=_KILLED + _KILLED_AND_WIPED, stream=Stream(1200, 6, waiting=600), tier="AB",
    ),
    Scenario(
        "F3", "SIGTERM and a restart with a backlog, the store stays or is gone",
        steps=(
            Step(OVER, Do.STOP), Step((1.0, 2.0), Do.START),
            Step(OVER, Do.STOP), Step(AT_ONCE, Do.WIPE), Step((2.0, 3.0), Do.START),
        ),
        stream=Stream(1500, 12, waiting=300), repeats=False, tier="AB",
    ),
    Scenario(
        "F4", "a first start: two workers at once, a backlog, nothing committed yet",
        stream=Stream(1000, 3, waiting=700), workers=("w", "v"), tier="AB",
    ),
    Scenario(
        "F5", "slow writes while it is killed: nothing that is still under way counts as done",
        steps=(
            Step(SOON, Do.DELAY, "1", how=("100", "300")), *_KILLED_AGAIN, *_KILLED_AGAIN,
            Step(OVER, Do.DELAY, "1", how=("0",)),
        ),
        stream=Stream(seconds=7), settings=(("commit_interval_ms", 20),),
    ),
    Scenario(
        "F6", "the broker is away for some seconds",
        steps=(Step(AT_WORK, Do.DOWN, "1"), Step((1.0, 4.0), Do.UP, "1")), stream=Stream(seconds=6), tier="AB",
    ),
    Scenario(
        "F6 hard", "the broker is killed and started again",
        steps=(Step(AT_WORK, Do.CRASH, "1"), Step((4.0, 6.0), Do.UP, "1")), stream=Stream(seconds=9), tier="B",
    ),
    Scenario(
        "F7 coordinator", "the coordinator alone is away, then another one takes over",
        steps=(
            Step(SOON, Do.COORDINATE, "2"), Step(AT_WORK, Do.DOWN, "2"), Step((0.5, 2.0), Do.COORDINATE, "3"),
            Step((0.5, 1.0), Do.UP, "2"),
        ),
        stream=Stream(seconds=6), brokers=3,
    ),
    Scenario(
        "F7 leader", "the leader of half the partitions is away, then others lead them",
        steps=(
            Step(AT_WORK, Do.DOWN, "2"), Step((0.5, 2.0), Do.LEAD, "1", how=("2",)), Step((0.5, 1.0), Do.UP, "2"),
        ),
        stream=Stream(seconds=6), brokers=3,
    ),
    Scenario(
        "F7 hard", "one of three brokers, leader and coordinator of some, is killed",
        steps=(Step(AT_WORK, Do.CRASH, "2"), Step((6.0, 9.0), Do.UP, "2")),
        stream=Stream(seconds=14), brokers=3, tier="B",
    ),
    Scenario(
        "F8 cut", "one of two workers is cut off for twice its session",
        steps=(Step(AT_WORK, Do.CUT, "w"), Step((3.5, 5.0), Do.HEAL, "w")),
        stream=Stream(1200, 10), workers=("w", "v"), tier="B",
    ),
    Scenario(
        "F8 one way", "one of two workers hears nothing for twice its session, while Kafka hears it",
        steps=(Step(AT_WORK, Do.DEAFEN, "w"), Step((3.5, 5.0), Do.HEAL, "w")),
        stream=Stream(1200, 10), workers=("w", "v"), tier="B",
    ),
    Scenario(
        "F9", "one of two workers is frozen for twice its session and wakes as if nothing had been",
        steps=(Step(AT_WORK, Do.FREEZE, "w"), Step((3.5, 5.0), Do.THAW, "w")),
        stream=Stream(1200, 10), workers=("w", "v"), tier="B",
    ),
    Scenario(
        "F9 alone", "the only worker is frozen for twice its session",
        steps=(Step(AT_WORK, Do.FREEZE), Step((3.0, 4.0), Do.THAW)), stream=Stream(seconds=6),
    ),
    Scenario(
        "F10", "the broker refuses writes: too large, too few copies, not authorized, invalid",
        steps=(_REFUSED._replace(after=AT_WORK), _REFUSED._replace(target="decisions"), _REFUSED),
        stream=Stream(seconds=9),
    ),
    Scenario(
        "F11", "writes are acknowledged late while it commits often and is stopped",
        steps=(
            Step(SOON, Do.DELAY, "1", how=("200", "500", "700")), Step(OVER, Do.STOP),
            Step(AT_ONCE, Do.DELAY, "1", how=("0",)), Step(AT_ONCE, Do.START),
        ),
        stream=Stream(seconds=6), settings=(("commit_interval_ms", 50),),
    ),
    Scenario(
        "F12", "the disk is full, then it has room again",
        steps=(Step(AT_WORK, Do.FILL), Step(OVER, Do.KILL), Step(AT_ONCE, Do.START)),
        stream=Stream(1000, 6),
    ),
    Scenario(
        "F13", "files of the store are damaged while the worker is down",
        steps=_KILLED + _DAMAGED + _DAMAGED, stream=Stream(seconds=9),
    ),
    Scenario(
        "F14", "a storm of poison: as many unreadable records of every kind as good ones",
        stream=Stream(500, 4, poison=1.0), repeats=False, tier="AB",
    ),
    Scenario(
        "F15", "records without a key, and tombstones",
        stream=Stream(600, 4, keyless=0.4), repeats=False, tier="AB",
    ),
    Scenario(
        "F16", "all happens to one customer, whose state must stay small",
        steps=_KILLED_AGAIN, stream=Stream(450, 5, customers=1),
    ),
    Scenario(
        "F17", "records come twice, in another order, late by an hour or a day",
        steps=_KILLED_AGAIN, stream=Stream(800, 6, again=0.2, shuffled=40, late=0.1),
    ),
    Scenario(
        "F18", "the producers' clocks jump an hour forth and back",
        steps=_KILLED_AGAIN, stream=Stream(700, 6, clocks=1.0), settings=(("idle_wait_ms", 100),),
    ),
    Scenario(
        "F19", "a rebalance storm: two more workers come and go, in good order and not",
        steps=(
            Step(SOON, Do.START, "v"), Step((3.0, 4.0), Do.START, "u"), Step((3.0, 4.0), Do.KILL, "v"),
            Step((3.0, 4.0), Do.STOP, "u"), Step((3.0, 4.0), Do.START, "v"), Step((3.0, 4.0), Do.STOP, "v"),
        ),
        stream=Stream(1500, 24), tier="AB",
    ),
    Scenario(
        "F20", "two workers are restarted one after the other, with the next version of the rulebook",
        steps=(
            Step(OVER, Do.STOP, "w"), Step(AT_ONCE, Do.RULES, "w", how=("2",)), Step(AT_ONCE, Do.START, "w"),
            Step((4.0, 5.0), Do.STOP, "v"), Step(AT_ONCE, Do.RULES, "v", how=("2",)), Step(AT_ONCE, Do.START, "v"),
        ),
        stream=Stream(1000, 14), workers=("w", "v"), tier="AB",
    ),
    Scenario(
        "F21", "a worker starts slow, far behind, with little room for what it reads",
        stream=Stream(2500, 1, waiting=2400), settings=(("lane_records", 64), ("slice_budget_ms", 1)), repeats=False,
    ),
    Scenario(
        "F22", "the rulebook is broken, half written, huge, gone, and good again, while it decides",
        steps=(
            Step(SOON, Do.RULES, how=("broken",)), Step(SOON, Do.RULES, how=("half", "huge", "binary")),
            Step(SOON, Do.RULES, how=("gone",)), Step(SOON, Do.RULES, how=("linked", "2")),
        ),
        stream=Stream(500, 4), settings=(("rulebook_poll_ms", 20),), repeats=False,
    ),
    Scenario(
        "F24 behind", "the changelog is made anew while the store is kept: a memory that no log explains",
        steps=(Step(OVER, Do.STOP), Step(AT_ONCE, Do.RECREATE, "state-changelog"), Step(AT_ONCE, Do.START)),
        stream=Stream(400, 3), ends=Refusal(73, "changelog"), tier="AB",
    ),
    Scenario(
        "F24 gone", "changelog and store are both gone, though work was committed: a memory that is lost",
        steps=(
            Step(OVER, Do.STOP), Step(AT_ONCE, Do.RECREATE, "state-changelog"), Step(AT_ONCE, Do.WIPE),
            Step(AT_ONCE, Do.START),
        ),
        stream=Stream(400, 3), ends=Refusal(76, "what was remembered is lost"), tier="AB",
    ),
    Scenario(
        "F25", "a source topic has more partitions than the others",
        steps=(Step(OVER, Do.STOP), Step(AT_ONCE, Do.RECREATE, "orders", how=("6",)), Step(AT_ONCE, Do.START)),
        stream=Stream(300, 2), ends=Refusal(3, "partitions: "), tier="AB",
    ),
    Scenario(
        "F26 kill", "customers are erased while the worker is killed, the store kept and gone",
        steps=_KILLED + _KILLED_AND_WIPED, stream=Stream(800, 6, erased=0.15), tier="AB",
    ),
    Scenario(
        "F26 away", "customers are erased while the broker is away",
        steps=(Step(AT_WORK, Do.DOWN, "1"), Step((1.0, 3.0), Do.UP, "1")),
        stream=Stream(700, 5, erased=0.15), tier="AB",
    ),
    Scenario(
        "F26 storm", "customers are erased while workers come and go",
        steps=(Step(SOON, Do.START, "v"), Step((4.0, 5.0), Do.KILL, "w"), Step((3.0, 4.0), Do.START, "w")),
        stream=Stream(1000, 12, erased=0.15), tier="AB",
    ),
)  # fmt: skip

ELSEWHERE: Final[dict[str, str]] = {
    "F5": "tests/streaming/chassis/test_lane.py",
    "F22": "tests/streaming/test_swap.py",
    "F23": "tests/kafka",
    "F27": "tests/faults/soak.py",
}
"""Where a fault is met beside the scenarios above, or instead of them."""

QUICK: Final = ("F2", "F10")
"""What `make test` plays of tier A, one seed each."""


def chosen(tier: str, names: list[str]) -> list[Scenario]:
    """The scenarios of a tier, or of it those whose number or name is among `names`; KeyError for a name of none."""
    known = {scenario.name for scenario in SCENARIOS} | {scenario.name.split()[0] for scenario in SCENARIOS}
    for name in names:
        if name not in known:
            raise KeyError(f"no scenario {name!r}; there are: {', '.join(scenario.name for scenario in SCENARIOS)}")
    return [
        scenario
        for scenario in SCENARIOS
        if tier in scenario.tier and (not names or {scenario.name, scenario.name.split()[0]} & set(names))
    ]
