"""The analyst's commands: what they print, where, and their exit codes (contract.md, section 5)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.exceptions import Exit

from decisioning import desk
from decisioning.__main__ import app
from tests.builders import RETAIL
from tests.test_main import HELLO, request

BOOK = "rulebook: mine\nversion: '1'\nvalid_for: 2h\n"
CASES = """\
cases:
  - case: by day
    customer: {time_zone: UTC, consents: [marketing]}
    steps:
      - at: 2026-03-02 10:00
        contact.requested: {candidates: [{action: ad, class: marketing, channels: [email]}]}
        expect: {act: ad, valid_until: 2026-03-02 12:00}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A rulebook with its cases beside it."""
    (tmp_path / "mine.cases.yaml").write_text(CASES)
    (tmp_path / "mine.yaml").write_text(BOOK)
    return tmp_path / "mine.yaml"


def test_cases_stand_beside_their_rulebook(rules: Path) -> None:
    """Whatever the folder and the ending."""
    assert desk.cases_of(rules) == rules.parent / "mine.cases.yaml"
    assert desk.cases_of(Path("a/b.yml")) == Path("a/b.cases.yml")


def test_check_says_all_faults(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each on stderr, of all files, and 1; else a word that there are none."""
    assert desk.check([rules]) == 0
    assert capsys.readouterr().out == f"{rules}: no faults\n"
    wrong = rules.with_name("wrong.yaml")
    wrong.write_text(BOOK + "respect: {quiet_hour: {}}\nvalid_for: 3h\n")
    assert desk.check([wrong, rules]) == 1
    told = capsys.readouterr()
    assert told.out == f"{rules}: no faults\n"
    assert f"{wrong}:4:11: unknown field `respect.quiet_hour`: did you mean `quiet_hours`?" in told.err.splitlines()
    assert len(told.err.splitlines()) == 2


def test_check_reads_the_reasons_of_cases_beside_their_rulebook(
    rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt one is a fault, in `check` as in `test`; without the rulebook an author's own name is let pass."""
    cases = desk.cases_of(rules)
    cases.write_text(
        CASES.replace("{act: ad", "{suppress: ad, reason: ineligible.staff").replace(
            ", valid_until: 2026-03-02 12:00", ""
        )
    )
    message = f"{cases}:7:32: unknown reason `ineligible.staff`: this family has `ineligible.topic_off`"
    for code in (desk.check([cases]), desk.try_cases([rules])):
        assert code == 1
    told = capsys.readouterr().err.splitlines()
    assert told == [message, message]
    rules.write_text("rulebook: [")
    assert desk.check([cases]) == 0


def test_every_file_of_a_folder_may_be_named(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`*.yaml` names cases too: they are checked as cases, and played once, with their rulebook."""
    both = [desk.cases_of(rules), rules]
    assert desk.check(both) == 0
    assert capsys.readouterr().out.splitlines() == [f"{path}: no faults" for path in both]
    assert desk.try_cases(both) == 0
    assert capsys.readouterr().out.count("1 case, 1 held") == 1
    desk.cases_of(rules).write_text(CASES.replace("act:", "atc:"))
    assert desk.check(both) == 1
    assert "mine.cases.yaml:7:18: unknown field" in capsys.readouterr().err
    assert desk.books_of([Path("a/b.cases.yml"), Path("a/b.yml"), Path("c.yaml")]) == [Path("a/b.yml"), Path("c.yaml")]


def test_cases_that_hold_are_fine(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The count, and 0; a rulebook is played by its own cases or by those that are named."""
    assert desk.try_cases([rules]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("mine.cases.yaml: 1 case, 1 held, 0 failed")
    other = rules.with_name("other.yaml")
    other.write_text(CASES.replace("12:00", "13:00"))
    assert desk.try_cases([rules, rules], other) == 1
    assert "valid_until  2026-03-02T13:00:00Z  2026-03-02T12:00:00Z" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("mine.yaml", "rulebok: x\n", "mine.yaml:1:1: unknown field `rulebok`: did you mean `rulebook`?"),
        ("mine.cases.yaml", CASES.replace("act:", "atc:"), "mine.cases.yaml:7:18: unknown field"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    rules: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, expected: str
) -> None:
    """By line and column, on stderr, for every command that reads it."""
    (rules.parent / file).write_text(text)
    commands: list[Callable[[], int]] = [lambda: desk.try_cases([rules]), lambda: desk.mutate(rules)]
    for command in commands:
        assert command() == 1
        assert expected in capsys.readouterr().err


def test_a_rulebook_without_cases_is_told_where_to_write_them(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And that another file may be named."""
    desk.cases_of(rules).unlink()
    assert desk.try_cases([rules]) == 1
    assert "has no cases: write " in capsys.readouterr().err
    assert desk.try_cases([Path("nobody.cases.yaml")]) == 1
    assert capsys.readouterr().err == "nobody.yaml is missing: cases stand beside their rulebook\n"


def test_watching_runs_again_when_a_file_changes(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once at first, once a change, not without one; a file that is missing is a change, Ctrl-C is the end."""
    cases, ran = desk.cases_of(rules), list[int]()
    todo: list[Callable[[], object]] = [
        lambda: None,
        lambda: cases.write_text(CASES.replace("12:00", "13:00")),
        lambda: None,
        cases.unlink,
        lambda: cases.write_text(CASES),
    ]
    changes = iter(todo)

    def run() -> int:
        ran.append(desk.try_cases([rules]))
        return ran[-1]

    def wait() -> None:
        change = next(changes, None)
        if change is None:
            raise KeyboardInterrupt
        change()

    assert desk.watch([rules, cases], run, wait) == 0
    assert ran == [0, 1, 1, 0]
    assert capsys.readouterr().out.count("Ctrl-C ends this") == 4


def test_mutation_names_what_no_case_notices(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1 and the names; 0 where every change is noticed. Cases that fail prove nothing, so they come first."""
    assert desk.mutate(rules, processes=2) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{rules}: 2 changes, 2 noticed, 0 not"
    rules.write_text(BOOK + "respect: {quiet_hours: {from: '22:00'}}\n")
    assert desk.mutate(rules, processes=1) == 1
    assert "no case notices: respect.quiet_hours.from: 22:00 -> 23:00" in capsys.readouterr().out.splitlines()
    rules.write_text(BOOK.replace("2h", "3h"))
    assert desk.mutate(rules) == 1
    assert "changes" not in capsys.readouterr().out


def test_explain_reads_events_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """A bad line goes to stderr and makes the exit code 1; what follows is answered."""
    events = [*HELLO.splitlines(), b"", b"rubbish", request("2026-03-02 10:15", "e-3")]
    assert desk.explain(RETAIL, "c-42", events, 3) == 1
    told = capsys.readouterr()
    assert "say ereader_sale (marketing) by email: allowed.clear" in told.out
    assert told.err.startswith("line 4: ")
    assert desk.explain(RETAIL, "c-7", events[:2], 3) == 0
    assert capsys.readouterr().out == "Nothing was decided about c-7.\n"


def test_explain_refuses_a_broken_rulebook(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the words of `check`."""
    rules.write_text("rulebok: x\n")
    assert desk.explain(rules, "c-42", [], 3) == 1
    assert "did you mean `rulebook`?" in capsys.readouterr().err


def test_schemas_are_printed_or_written(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """One, all by name, or each to its file; a wrong name is a fault of usage."""
    assert desk.schema(["event"], None) == 0
    one = capfdbinary.readouterr().out
    assert json.loads(one)["title"] == "Event"
    assert desk.schema([], None) == 0
    assert list(json.loads(capfdbinary.readouterr().out)) == ["rulebook", "cases", "event", "decision"]
    assert desk.schema(["event", "asyncapi"], tmp_path / "new") == 0
    assert (tmp_path / "new" / "event.json").read_bytes() == one
    assert json.loads((tmp_path / "new" / "asyncapi.json").read_bytes())["asyncapi"] == "3.1.0"
    capfdbinary.readouterr()
    assert desk.schema(["rules"], None) == 2
    assert b"there are rulebook, cases, event, decision, asyncapi" in capfdbinary.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "mine.yaml"], "no faults"),
        (["test", "mine.yaml", "--cases", "mine.cases.yaml"], "1 case, 1 held, 0 failed"),
        (["mutate", "mine.yaml"], "2 changes, 2 noticed, 0 not"),
        (["schema", "cases", "--write", "new"], "new/cases.json"),
        (["tables", "mine.yaml"], ""),
    ],
)
def test_the_commands_reach_the_desk(
    rules: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: str,
) -> None:
    """Arguments and exit code go through."""
    monkeypatch.chdir(rules.parent)
    try:
        code = app(arguments, standalone_mode=False)
    except Exit as done:
        code = done.exit_code
    assert code == 0
    assert expected in capsys.readouterr().out


def test_a_user_meets_them_as_a_process(rules: Path) -> None:
    """Its streams and its exit codes."""
    for arguments, code, expected in (
        (["explain", "--rules", str(rules), "--customer", "c-42"], 0, b"Nothing was decided about c-42."),
        (["check", "missing.yaml"], 2, b""),
    ):
        command = [sys.executable, "-m", "decisioning", *arguments]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=60, check=False)
        assert (done.returncode, expected in done.stdout) == (code, True), done.stderr


def test_every_command_of_the_desk_has_an_example() -> None:
    """Section 5: `--help` with an example."""
    commands = {
        command.name or getattr(command.callback, "__name__", ""): command for command in app.registered_commands
    }
    for name in ("check", "test", "mutate", "explain", "schema", "tables"):
        assert f"Example: decisioning {name}" in str(commands[name].epilog)
