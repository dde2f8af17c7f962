"""F27: an hour, or a night, of mixed faults: nothing is lost, and nothing grows. `make soak MINUTES=30`.

Two workers on a real Kafka (with `--tier A` on the embedded one, for minutes only: it keeps 5 MB a partition). What
happens to them is drawn from the seed: `v` is killed, stopped, wiped, frozen and cut off, brokers go and come back, the
stream is full of repeats, late records and poison. `w` is left alone, so that it lives long: its memory, descriptors,
threads and disk must be flat over the second half of its life (I11).
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from tests.faults.judge import judge, kafka_for
from tests.faults.play import Play
from tests.faults.scenario import AT_ONCE, Do, Range, Scenario, Step, Stream
from tests.faults.world import Ours

RATE: Final = 25
"""Records a second: the point is time, not load."""
_PAUSE: Final[Range] = (4.0, 14.0)
_GONE: Final[Range] = (0.5, 3.0)
_MIXED: Final = (
    (Step(_PAUSE, Do.KILL, "v"), Step(_GONE, Do.START, "v")),
    (Step(_PAUSE, Do.KILL, "v"), Step(AT_ONCE, Do.WIPE, "v"), Step(_GONE, Do.START, "v")),
    (Step(_PAUSE, Do.STOP, "v"), Step(_GONE, Do.START, "v")),
    (Step(_PAUSE, Do.FREEZE, "v"), Step((1.0, 5.0), Do.THAW, "v")),
    (Step(_PAUSE, Do.DOWN, "1"), Step((0.5, 4.0), Do.UP, "1")),
    (Step(_PAUSE, Do.DELAY, "1", how=("20", "100")), Step(_GONE, Do.DELAY, "1", how=("0",))),
)
_CUTS: Final = (
    (Step(_PAUSE, Do.CUT, "v"), Step((1.0, 5.0), Do.HEAL, "v")),
    (Step(_PAUSE, Do.DEAFEN, "v"), Step((1.0, 5.0), Do.HEAL, "v")),
)
_ALLOWED: Final = {
    "memory MB": (0.10, 16.0), "descriptors": (0.10, 8.0), "threads": (0.0, 2.0), "disk MB": (0.25, 32.0),
}  # fmt: skip
"""By how much the last quarter may lie above the third: a share of it, or so much, whichever is more."""


class Sample(NamedTuple):
    """What a process holds at an instant, in the order of `_ALLOWED`."""

    at: float
    memory: float
    descriptors: float
    threads: float
    disk: float


def scenario(seed: int, minutes: float, tier: str) -> Scenario:
    """So many minutes of faults drawn from the seed."""
    draw, steps, length = Random(f"{seed} soak"), list[Step](), 0.0
    kinds = _MIXED if tier == "A" else _MIXED + _CUTS
    while length < minutes * 60 - 30:
        chosen = draw.choice(kinds)
        steps += chosen
        length += sum((step.after[0] + step.after[1]) / 2 for step in chosen)
    stream = Stream(
        int(RATE * minutes * 60), minutes * 60, customers=300, poison=0.02, again=0.03, shuffled=10, late=0.02
    )
    return Scenario("F27", "mixed faults for a long time", tuple(steps), stream, ("w", "v"), tier)


def weigh(process: int, data: Path, at: float) -> Sample | None:
    """What a process holds now; None once it is gone."""
    try:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines() if ":" in line
        )
        memory, threads = int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"])
        descriptors = len(list(Path(f"/proc/{process}/fd").iterdir()))
    except (OSError, KeyError):
        return None
    return Sample(at, memory, descriptors, threads, size(data) / 1e6)


def size(folder: Path) -> int:
    """Bytes in a folder; files come and go under it."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def growing(samples: Sequence[Sample]) -> list[str]:
    """What grew in the second half of a life: the median of its last quarter against that of the third one."""
    third, last = (samples[len(samples) * n // 4 : len(samples) * (n + 1) // 4] for n in (2, 3))
    found = []
    for place, (name, (share, least)) in enumerate(_ALLOWED.items(), 1):
        before, after = (statistics.median(sample[place] for sample in part) for part in (third, last))
        if after - before > max(share * before, least):
            found.append(f"I11: {name} grew from {before:.0f} to {after:.0f} over the last quarter of a life")
    return found


def main() -> int:
    """Soak for so long; the exit code."""
    parser = argparse.ArgumentParser(prog="make soak", description="Mixed faults for a long time; nothing may grow.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, help="default: drawn, and printed")
    parser.add_argument("--tier", choices=("A", "B"), default="B", help="B: real Kafka (default); A: embedded broker")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"soak of {options.minutes:g} minutes, seed {seed}", flush=True)
    plan = scenario(seed, options.minutes, options.tier)
    lives: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        kafka = kafka_for(plan, options.tier, folder / "kafka")
        world = Ours(folder, kafka, {})
        with closing(kafka), world.live:
            run = Play(plan, seed, world, lambda line: print(line, flush=True))
            weighed = time.monotonic()

            def sample() -> None:
                nonlocal weighed
                if time.monotonic() - weighed < 2:
                    return
                weighed = time.monotonic()
                for hand in run.hands.values():
                    process = hand.process.process
                    found = weigh(process.pid, world.live.data(hand.name), weighed)
                    if found is not None and process.poll() is None:
                        lives[hand.name, process.pid].append(found)

            run.watched = sample
            run.run()
            report = judge(run)
    return _tell(run, lives, report.records, report.repeats, report.decisions)


def _tell(run: Play, lives: dict[tuple[str, int], list[Sample]], records: int, repeats: int, decisions: int) -> int:
    (worker, _), longest = max(lives.items(), key=lambda life: len(life[1]))
    run.findings += growing(longest) if len(longest) >= 40 else ["I11: no worker lived long enough to be weighed"]
    first, last = longest[len(longest) // 2], longest[-1]
    hours = (last.at - first.at) / 3600
    for place, name in enumerate(_ALLOWED, 1):
        print(
            f"{worker} {name}: {first[place]:.0f} -> {last[place]:.0f}, {(last[place] - first[place]) / hours:+.1f}/h"
        )
    print(
        f"records {records}, decisions {decisions}, repeats {repeats}, exits {[one.code for one in run.exits]},"
        f" longest life {len(longest) * 2} s, findings {len(run.findings)}"
    )
    for line in run.findings[:20]:
        print(f"    {line}")
    return 1 if run.findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
