"""What the analyst's commands do: read files, say what was found, give the exit code. No broker is needed.

Each function answers with an exit code: 0 fine, 1 the rulebook, its cases or the events are at fault.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from decisioning import cases as casebook
from decisioning import guide, lint, schemas
from decisioning import mutate as mutation
from decisioning import rulebook as rulebooks
from decisioning.cases import report
from decisioning.cases.script import Script
from decisioning.catalogue import Catalogue
from decisioning.decision import Decision
from decisioning.errors import EventRejected, Problem, RulebookError
from decisioning.event import parse
from decisioning.explain import explain as in_words
from decisioning.policy import Policy
from decisioning.replay import Replay
from decisioning.rulebook import Rulebook

FINE, INPUT, USAGE = 0, 1, 2
POLL_SECONDS = 0.3


def cases_of(rules: Path) -> Path:
    """Where a rulebook's cases stand: `retail.cases.yaml` beside `retail.yaml`."""
    return rules.with_name(f"{rules.stem}.cases{rules.suffix}")


def books_of(paths: Sequence[Path]) -> list[Path]:
    """The rulebooks among these files, each once: a cases file stands for the rulebook beside it, so that `*.yaml` may
    be written."""
    return list(dict.fromkeys(path.with_name(_book_name(path.name) or path.name) for path in paths))


def check(paths: Sequence[Path]) -> int:
    """Say everything that is wrong with these rulebooks and cases files, one line a fault; 1 where there is any."""
    code = FINE
    for path in paths:
        problems = _problems(path)
        for problem in problems:
            print(f"{path}:{problem.line}:{problem.column}: {problem.message}", file=sys.stderr)
        if problems:
            code = INPUT
        else:
            print(f"{path}: no faults")
    return code


def try_cases(rules: Sequence[Path], cases: Path | None = None) -> int:
    """Play the cases of each rulebook and report; 1 where one fails or a file cannot be read."""
    return max([_try(path, cases or cases_of(path)) for path in books_of(rules)], default=FINE)


def watch(paths: Sequence[Path], run: Callable[[], int], wait: Callable[[], object] | None = None) -> int:
    """Run at once and again whenever one of the files changes, until interrupted; `wait` passes the time between."""
    wait = wait or partial(time.sleep, POLL_SECONDS)
    seen: list[tuple[int, int] | None] = []
    code = FINE
    try:
        while True:
            now = [_stamp(path) for path in paths]
            if now != seen:
                seen = now
                code = run()
                print(f"watching {', '.join(map(str, paths))}; Ctrl-C ends this", flush=True)
            wait()
    except KeyboardInterrupt:
        return code


def mutate(rules: Path, cases: Path | None = None, processes: int | None = None) -> int:
    """Change each rule and number of a rulebook in turn; 1 and the names of the changes that no case notices."""
    found = _read(rules, cases or cases_of(rules))
    if found is None:
        return INPUT
    if any(casebook.play(found[0], script).failure is not None for script in found[1]):
        _try(rules, cases or cases_of(rules))
        return INPUT
    texts = (rules.read_bytes(), str(rules), (cases or cases_of(rules)).read_bytes())
    parts = processes or os.cpu_count() or 1
    with ProcessPoolExecutor(parts) as pool:
        told = list(pool.map(partial(_survivors, *texts, parts), range(parts)))
    total, survivors = sum(count for count, _ in told), sorted(name for _, names in told for name in names)
    for name in survivors:
        print(f"no case notices: {name}")
    print(f"{rules}: {total} changes, {total - len(survivors)} noticed, {len(survivors)} not")
    return INPUT if survivors else FINE


def explain(rules: Path, customer: str, events: Iterable[bytes], last: int) -> int:
    """Say the last decisions about a customer in words; a bad line goes to stderr and makes the exit code 1."""
    try:
        run = Replay(Policy(rulebooks.parse(rules.read_bytes(), str(rules)), Catalogue()))
    except RulebookError as error:
        return _refused(error)
    decisions: list[Decision] = []
    code = FINE
    for number, line in enumerate(events, 1):
        if not line.strip():
            continue
        try:
            decisions += run.feed(parse(line))
        except EventRejected as error:
            print(f"line {number}: {error}", file=sys.stderr)
            code = INPUT
    decisions += run.finish()
    for text in in_words(decisions, customer, last):
        print(text)
    return code


def schema(names: Sequence[str], write: Path | None) -> int:
    """Print one JSON Schema or the AsyncAPI document, or several by name (none named: every schema); or write each to a
    file of a folder."""
    known = [*schemas.SCHEMAS, "asyncapi"]
    for name in names:
        if name not in known:
            print(f"no schema `{name}`: there are {', '.join(known)}", file=sys.stderr)
            return USAGE
    made = {one: schemas.dumps(_schema(one)) for one in names or schemas.SCHEMAS}
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        for one, text in made.items():
            (write / f"{one}.json").write_bytes(text)
            print(write / f"{one}.json")
        return FINE
    parts = [f'"{one}": '.encode() + text.rstrip() for one, text in made.items()]
    sys.stdout.buffer.write(made[names[0]] if len(names) == 1 else b"{" + b",\n".join(parts) + b"}\n")
    return FINE


def _schema(name: str) -> schemas.Schema:
    if name in schemas.SCHEMAS:
        return schemas.SCHEMAS[name]()
    from decisioning.streaming.asyncapi import document  # the only one that knows Kafka

    return document()


def tables(page: Path) -> int:
    """Write the tables of a page anew, between their marks."""
    text = page.read_text()
    try:
        page.write_text(guide.fill(text))
    except KeyError as error:
        print(f"{page}: no table {error}: there are {', '.join(guide.TABLES)}", file=sys.stderr)
        return INPUT
    return FINE


def _book_name(name: str) -> str | None:
    """The name of a cases file's rulebook, None for the name of anything else."""
    found = re.fullmatch(r"(.+)\.cases(\.ya?ml)", name)
    return None if found is None else found[1] + found[2]


def _problems(path: Path) -> list[Problem]:
    if _book_name(path.name) is None:
        return lint.check(path.read_bytes(), str(path))
    try:
        casebook.parse(path.read_bytes(), str(path), _reasons_beside(path))
    except RulebookError as error:
        return error.problems
    return []


def _reasons_beside(cases: Path) -> frozenset[str]:
    """The reasons that the rulebook beside a cases file can give; none where it cannot be read."""
    rules = cases.with_name(_book_name(cases.name) or cases.name)
    try:
        return report.given(Policy(rulebooks.parse(rules.read_bytes(), str(rules)), Catalogue()))
    except (OSError, RulebookError):
        return frozenset()


def _try(rules: Path, cases: Path) -> int:
    found = _read(rules, cases)
    if found is None:
        return INPUT
    book, scripts = found
    results = [casebook.play(book, script) for script in scripts]
    missed = report.unreached(Policy(book, Catalogue()), results)
    for line in report.lines(str(cases), results, missed):
        print(line)
    return INPUT if any(result.failure is not None for result in results) else FINE


def _read(rules: Path, cases: Path) -> tuple[Rulebook, tuple[Script, ...]] | None:
    if not rules.exists():
        print(f"{rules} is missing: cases stand beside their rulebook", file=sys.stderr)
        return None
    try:
        book = rulebooks.parse(rules.read_bytes(), str(rules))
        if not cases.exists():
            print(f"{rules} has no cases: write {cases}, or name a file with --cases", file=sys.stderr)
            return None
        return book, casebook.parse(cases.read_bytes(), str(cases), report.given(Policy(book, Catalogue())))
    except RulebookError as error:
        _refused(error)
        return None


def _survivors(rules: bytes, source: str, cases: bytes, parts: int, part: int) -> tuple[int, list[str]]:
    """How many changes are this part's, and the names of those that survive."""
    scripts = casebook.parse(cases, source)
    reached = mutation.reached_by(rulebooks.parse(rules, source), scripts)
    mine = [one for place, one in enumerate(mutation.mutants(rules, source)) if place % parts == part]
    return len(mine), [one.name for one in mine if mutation.survives(one, scripts, reached)]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


def _refused(error: RulebookError) -> int:
    print(error, file=sys.stderr)
    return INPUT
