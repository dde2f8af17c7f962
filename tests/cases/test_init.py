"""The shipped rulebooks and their cases: all hold, and every reason is reached."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from decisioning.cases import Outcomes, Result, parse, play, report
from decisioning.catalogue import Catalogue
from decisioning.policy import Policy
from decisioning.reasons import REASONS
from decisioning.rulebook import Rulebook
from decisioning.rulebook import parse as parse_rulebook

RULES = Path(__file__).parent.parent.parent / "rules"
BOOKS = sorted(path for path in RULES.rglob("*.yaml") if not path.name.endswith(".cases.yaml"))
NEEDS_A_FAULT = {"degraded.state"}
"""Reasons for a state that cannot be read: a fault, no story."""


@cache
def played(path: Path) -> tuple[Rulebook, list[Result]]:
    """A shipped rulebook, and what becomes of its cases."""
    book = parse_rulebook(path.read_bytes(), path.name)
    cases = path.with_name(f"{path.stem}.cases.yaml")
    return book, [play(book, script) for script in parse(cases.read_bytes(), cases.name)]


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_the_shipped_cases_hold_and_reach_every_rule(path: Path) -> None:
    """What `decisioning test` says of it: nothing failed, nothing unreached."""
    book, results = played(path)
    missed = report.unreached(Policy(book, Catalogue()), results)
    told = list(report.lines(path.stem, results, missed))
    assert not missed.written, "\n".join(told)
    assert not [result for result in results if result.failure is not None], "\n".join(told)


def test_every_reason_of_the_table_is_given_by_some_case() -> None:
    """Whatever the reasons' table documents, a shipped case shows."""
    reached = Outcomes.of([result for path in BOOKS for result in played(path)[1]]).reasons
    assert set(REASONS) - reached - NEEDS_A_FAULT == set()


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_editors_find_the_schema(path: Path) -> None:
    """The first line of a rulebook and of its cases names the schema beside them."""
    for file, schema in ((path, "rulebook"), (path.with_name(f"{path.stem}.cases.yaml"), "cases")):
        first = file.read_text().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=")
        target = (file.parent / first.partition("$schema=")[2]).resolve()
        assert target == (RULES / "schema" / f"{schema}.json").resolve()
        assert target.exists()
