"""Plays the scenarios and prints a table: `make faults ARGS="--seeds 3"`; exit code 1 on any finding.

make faults ARGS="--seeds 5 --only F1,F10"      five seeds of two of them
make faults ARGS="--only F1 --seed 4711 -v"     one seed, with every step, as a failure names it
make faults ARGS="--tier B --seeds 2"           on a real Kafka
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import traceback
from collections.abc import Sequence

from tests.faults.compare import COMPARED, compare
from tests.faults.judge import Result, play
from tests.faults.scenario import Scenario, chosen

_COLUMNS = (
    "scenario",
    "seeds",
    "lost",
    "divergent",
    "repeats",
    "decisions",
    "exits",
    "recovery s",
    "worst",
    "findings",
)


def row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    """A scenario's line in the table."""
    waits = [wait for result in results for wait in result.waits]
    codes = sorted({ended.code for result in results for ended in result.exits})
    counts = [sum(getattr(one, field) for one in results) for field in ("lost", "divergent", "repeats", "decisions")]
    return (
        name, str(len(results)), *map(str, counts), ",".join(map(str, codes)) or "-",
        f"{statistics.median(waits):.1f}" if waits else "-", f"{max(waits):.1f}" if waits else "-",
        str(sum(len(result.findings) for result in results)),
    )  # fmt: skip


def table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, headings first."""
    widths = [max(len(line[place]) for line in rows) for place in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in rows)


def _silent(line: str) -> None:
    """Say nothing."""


def run(scenarios: Sequence[Scenario], seeds: Sequence[int], *, tier: str, verbose: bool) -> list[Result]:
    """Play them all; findings are printed as they come, with the command that repeats them."""
    results = []
    for scenario in scenarios:
        for seed in seeds:
            print(f"{scenario.name}, seed {seed}: {scenario.says}", flush=True)
            try:
                result = play(scenario, seed, tier=tier, say=print if verbose else _silent)
            except Exception as error:  # the harness's own fault must not hide what the other seeds find
                last = traceback.extract_tb(error.__traceback__)[-1]
                line = f"harness: {type(error).__name__} at {last.filename}:{last.lineno}: {error}"
                result = Result(scenario.name, seed, [line], 0, 0, 0, 0, [], [], 0.0)
            results.append(result)
            for line in result.findings[:8]:
                print(f"    {line}")
            if result.findings:
                again = f"--tier {tier} --only '{scenario.name}' --seed {seed} -v"
                print(f'    {len(result.findings)} findings; again with: make faults ARGS="{again}"', flush=True)
    return results


def main(arguments: list[str] | None = None) -> int:
    """Play what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="make faults", description="Play fault scenarios and verify what is left.")
    parser.add_argument("--tier", choices=("A", "B"), default="A", help="A: embedded broker (default); B: real Kafka")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds of each scenario (default 1)")
    parser.add_argument("--seed", type=int, help="the first of them (default: drawn, and printed)")
    parser.add_argument("--only", default="", help="numbers or names, separated by commas; default: all of the tier")
    parser.add_argument("--compare", action="store_true", help="stock Faust beside decisioning, under the same faults")
    parser.add_argument("-v", "--verbose", action="store_true", help="print each step and exit")
    options = parser.parse_args(arguments)
    first = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    seeds = range(first, first + options.seeds)
    say = print if options.verbose else _silent
    try:
        scenarios = chosen(options.tier, [name.strip() for name in options.only.split(",") if name.strip()])
    except KeyError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    if options.compare:
        names = [one.name for one in scenarios if one.name in COMPARED]
        print(f"seeds from {first}", flush=True)
        print(table(compare(names, seeds, options.tier, say)))
        return 0
    results = run(scenarios, seeds, tier=options.tier, verbose=options.verbose)
    by_name = {one.name: [result for result in results if result.scenario == one.name] for one in scenarios}
    print(table([_COLUMNS, *(row(name, found) for name, found in by_name.items())]))
    return 1 if any(result.findings for result in results) else 0


if __name__ == "__main__":
    raise SystemExit(main())
