"""Measures the engines beside each other: `make bench ARGS="--rounds 3 --json FILE"`; without arguments everything.

make bench ARGS=--quick                               a small run of all parts, to see that everything works
make bench ARGS="--parts throughput --only plain,chassis"
make bench ARGS=--guard                               what CI runs: ratios against bounds, exit code 1 below one
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson

from tests.bench.chassis import Chassis
from tests.bench.engine import ROOT, Engine
from tests.bench.failover import failover
from tests.bench.guard import SIZE, guard
from tests.bench.latency import latency
from tests.bench.memory import memory
from tests.bench.plain import Plain
from tests.bench.quix import Quix
from tests.bench.report import as_json, table
from tests.bench.restore import restore
from tests.bench.scale import scale
from tests.bench.stock import Stock
from tests.bench.streams import KafkaStreams
from tests.bench.throughput import throughput
from tests.bench.worker import FullWorker
from tests.bench.world import QUICK, Row, Size, World

ENGINES: Final[Mapping[str, Engine]] = {
    "plain": Plain(),
    "chassis": Chassis(),
    "worker": FullWorker(),
    "worker named": FullWorker(instance=True),
    "faust": Stock(),
    "quix": Quix(None),
    "quix linger 0": Quix(0),
    "streams": KafkaStreams("at_least_once", None),
    "streams linger 0": KafkaStreams("at_least_once", 0),
    "streams exactly once": KafkaStreams("exactly_once_v2", 0),
}
_ALL: Final = tuple(name for name in ENGINES if name != "worker named")
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "throughput": _ALL,
    "latency": _ALL,
    "restore": ("chassis", "faust", "streams linger 0"),
    "failover": ("plain", "chassis", "worker", "worker named", "faust", "quix linger 0", "streams linger 0"),
    "scale": ("chassis", "worker"),
    "memory": ("worker",),
    "engine": (),
}


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for; the exit code."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if options.guard:
            with closing(World(Path(folder), SIZE)) as world:
                return guard(world)
        book = Book(_earlier(options.go_on), options.json)
        if set(options.parts) - {"engine"}:
            for engine in {ENGINES[name] for part in options.parts for name in _chosen(part, options.only)}:
                engine.prepare()
            with closing(World(Path(folder), QUICK if options.quick else Size())) as world:
                for part in options.parts:
                    _part(book, world, part, _chosen(part, options.only), options.rounds)
    if "engine" in options.parts:
        book.pure = _pure(options.rounds)
    found, names = book.keep(), {row.engine for row in book.rows}
    print(table(book.rows, {name: one.promise for name, one in ENGINES.items() if name in names}))
    print("\n".join(f"{name:26} {ratio}" for name, ratio in found["ratios"].items()))
    return 1 if book.failed else 0


class Book:
    """The rows so far; each is told and kept at once, for a bench takes long and an engine may fail."""

    def __init__(self, rows: list[Row], path: Path | None) -> None:
        self.rows, self._path = rows, path
        self.pure: dict[str, float | None] = {}
        self.failed = False

    def add(self, measure: Callable[[], Iterable[Row]], what: str) -> None:
        """Measure; what fails is said, and the others go on."""
        try:
            for row in measure():
                self.rows.append(row)
                self.keep()
                figures = ", ".join(f"{name} {figure:g}" for name, figure in row.figures.items())
                print(f"{row.part} {row.round} {row.engine}: {figures} (load {row.load})", flush=True)
        except Exception as error:
            self.failed = True
            print(f"{what} FAILED: {type(error).__name__}: {error}", flush=True)

    def keep(self) -> dict[str, Any]:
        """Write the file, where one is wanted, and give what it holds."""
        found = as_json(self.rows, self.pure)
        if self._path:
            self._path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
        return found


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="The engines beside each other, on a real Kafka.")
    parser.add_argument("--parts", type=_names(PARTS), default=list(PARTS), help=f"default: {','.join(PARTS)}")
    parser.add_argument("--only", type=_names(ENGINES), help=f"default: all that a part has of {', '.join(ENGINES)}")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--go-on", type=Path, metavar="FILE", help="begin with the rounds of this earlier run")
    parser.add_argument("--quick", action="store_true", help="less of everything: for a look, not for a figure")
    parser.add_argument("--guard", action="store_true", help="a minute: exit code 1 if a ratio falls below its bound")
    return parser.parse_args(arguments)


class _names:  # noqa: N801 - what argparse calls a type
    def __init__(self, known: Mapping[str, object]) -> None:
        self._known = known

    def __call__(self, text: str) -> list[str]:
        """The names, separated by commas."""
        found = [name.strip() for name in text.split(",")]
        if unknown := [name for name in found if name not in self._known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(self._known)}")
        return found


def _chosen(part: str, only: Sequence[str] | None) -> list[str]:
    return [name for name in PARTS[part] if only is None or name in only]


def _earlier(path: Path | None) -> list[Row]:
    return [] if path is None else [Row(**row) for row in orjson.loads(path.read_bytes())["rounds"]]


def _part(book: Book, world: World, part: str, names: Sequence[str], rounds: int) -> None:
    if part == "restore":
        for name in names:
            book.add(partial(restore, world, name, ENGINES[name], rounds), f"{part} {name}")
        return
    done = max((row.round for row in book.rows if row.part == part), default=0)
    for round_ in range(done + 1, done + rounds + 1):
        turn = round_ % len(names) if names else 0
        for name in [*names[turn:], *names[:turn]]:  # another one first each time
            book.add(partial(_one, world, part, name, round_), f"{part} {round_} {name}")


def _one(world: World, part: str, name: str, round_: int) -> list[Row]:
    engine = ENGINES[name]
    if part == "throughput":
        return [throughput(world, name, engine, round_)]
    if part == "latency":
        return latency(world, name, engine, round_)
    if part == "failover":
        return [failover(world, name, engine, round_)]
    if part == "memory":
        return [memory(world, name, engine, round_)]
    return [scale(world, name, engine, members, round_) for members in (1, 2)]


def _pure(rounds: int) -> dict[str, float | None]:
    """The ratios that `decisioning bench engine` gives of the pure engine."""
    command = [sys.executable, "-m", "decisioning", "bench", "engine", "--rounds", str(rounds), "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found: dict[str, float | None] = orjson.loads(done.stdout)["ratios"]
    return found


if __name__ == "__main__":
    raise SystemExit(main())
