"""The command line as a user meets it: a process, its three streams and its exit code (contract.md, section 5)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from decisioning.instant import format_instant
from decisioning.streaming.api.tokens import Tokens
from tests.builders import RETAIL, at, offer

BOUND = 60
EXAMPLE = ["decide", "--rules", str(RETAIL)]


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """One run of the command."""
    command = [sys.executable, "-m", "decisioning", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=BOUND, check=False)


def line(type_: str, when: str, id_: str, data: object, subject: str = "c-42") -> bytes:
    """One event as it stands in a file."""
    envelope = {"specversion": "1.0", "id": id_, "source": "/shop", "type": type_, "time": format_instant(at(when))}
    return json.dumps({**envelope, "subject": subject, "data": data}).encode() + b"\n"


def request(when: str, id_: str, **fields: Any) -> bytes:
    """One request for one offer."""
    candidate = offer("ereader_sale", **fields)
    return line("contact.requested", when, id_, {"request_id": f"r-{id_}", "candidates": [candidate]})


HELLO = line("customer.updated", "2026-03-01 09:00", "e-1", {"time_zone": "UTC"}) + line(
    "consent.granted", "2026-03-01 09:00", "e-2", {"purpose": "marketing"}
)


def decisions(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    """What was decided, one a line."""
    return [json.loads(told) for told in done.stdout.splitlines()]


def test_decide_answers_one_decision_a_line() -> None:
    """The contract's example: bought for 100.00, offered for 80.00, refused with its reason and its end."""
    lines = [{"sku": "EREADER-1", "quantity": 1, "unit_price": "100.00"}]
    purchase = {"order_id": "o-9", "currency": "GBP", "lines": lines}
    product = {"sku": "EREADER-1", "category": "readers", "price": "80.00", "currency": "GBP"}
    done = run(
        *EXAMPLE,
        stdin=HELLO
        + line("product.described", "2026-03-02 08:00", "p-1", product, subject="EREADER-1")
        + line("purchase.completed", "2026-03-02 10:15", "e-17", purchase)
        + request("2026-03-20 09:00", "e-18", sku="EREADER-1", on=["sms"]),
    )
    answers = [told["data"] for told in decisions(done) if told["type"] == "decision.suppress"]
    assert [(told["reason"], told["allowed_from"]) for told in answers] == [
        ("recent_purchase.price_drop", "2026-04-01T10:15:00Z")
    ]
    assert answers[0]["rulebook"]["name"] == "retail"
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_a_rulebook_the_default_policy_holds(tmp_path: Path) -> None:
    """From any folder, and a copy to change is one command away; nothing of it is lost to a second one."""
    events = HELLO + request("2026-03-02 10:15", "e-3")
    assert run("decide", stdin=events).stdout == run(*EXAMPLE, stdin=events).stdout
    folder = tmp_path / "ours"
    assert run("rulebook", "new", str(folder)).returncode == 0
    assert (folder / "retail.yaml").read_bytes() == RETAIL.read_bytes()
    again = run("rulebook", "new", str(folder))
    assert (again.returncode, len(again.stderr.splitlines())) == (3, 1)


def test_a_bad_line_is_named_and_the_others_are_answered() -> None:
    """`line N: …` on stderr, exit 1 at the end; N counts every line, blank ones too."""
    done = run(*EXAMPLE, stdin=b"rubbish\n\n" + HELLO + b"{}\n" + request("2026-03-02 10:15", "e-3"))
    assert [told["type"] for told in decisions(done)] == ["decision.act"]
    assert [told.split(b":")[0] for told in done.stderr.splitlines()] == [b"line 1", b"line 5"]
    assert done.returncode == 1


def test_a_bad_line_does_not_move_the_clock() -> None:
    """Reading 9: what cannot be read has no time; unknown types have."""
    night = HELLO + request("2026-03-02 22:00", "e-3")
    bad = line("consent.granted", "2027-03-02 10:15", "e-4", {"purpose": "fun"})
    unknown = line("shop.closed", "2026-03-03 10:15", "e-4", {})
    assert [told["type"] for told in decisions(run(*EXAMPLE, stdin=night + bad))] == ["decision.defer"]
    assert [told["type"] for told in decisions(run(*EXAMPLE, stdin=night + unknown))] == [
        "decision.defer",
        "decision.act",
    ]


@pytest.mark.parametrize(
    ("until", "types"),
    [
        ("2026-03-03T08:00:00Z", ["decision.defer", "decision.act"]),
        ("2026-03-03T09:00:00+01:00", ["decision.defer", "decision.act"]),
        ("2026-03-03T07:59:59Z", ["decision.defer"]),
    ],
)
def test_until_fires_wakes_after_the_last_event(until: str, types: list[str]) -> None:
    """Wakes fire at their time, up to `--until`."""
    done = run(*EXAMPLE, "--until", until, stdin=HELLO + request("2026-03-02 22:00", "e-3"))
    assert [told["type"] for told in decisions(done)] == types
    assert done.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["decide", "--rules"],
        ["decide", "--rules", "missing.yaml"],
        ["decide", "--rules", str(RETAIL.parent)],
        [*EXAMPLE, "--until", "tomorrow"],
        [*EXAMPLE, "--until", "2026-03-03T08:00:00"],
        [*EXAMPLE, "--unknown"],
        [*EXAMPLE, "surplus"],
        ["unknown"],
    ],
)
def test_a_wrong_command_is_usage(arguments: list[str]) -> None:
    """Exit 2, said on stderr, nothing on stdout, no traceback."""
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1 or not arguments, "one line, but for the help of a bare command"


def test_a_faulty_rulebook_is_the_inputs_fault(tmp_path: Path) -> None:
    """Exit 1, every fault by `file:line:col`."""
    rules = tmp_path / "rules.yaml"
    rules.write_text('rulebook: x\nversion: "1"\nrespect:\n  quiet_hour: {}\n  consent: {lasts: 7}\n')
    done = run("decide", "--rules", str(rules))
    assert done.returncode == 1
    assert [told.split(": ")[0] for told in done.stderr.decode().splitlines()] == [f"{rules}:4:3", f"{rules}:5:13"]
    assert done.stdout == b""


def test_who_stops_reading_is_no_error(tmp_path: Path) -> None:
    """`decisioning decide … | head -1` ends in peace, however much there was still to say."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(HELLO + b"".join(request("2026-03-02 10:15", f"e-{number}") for number in range(10, 2000)))
    command = [sys.executable, "-m", "decisioning", *EXAMPLE]
    with (
        events.open("rb") as stdin,
        subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=BOUND) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "command",
    [
        *(
            ["decide"],
            ["run"],
            ["topics", "create"],
            ["topics", "list"],
            ["topics", "adopt"],
            ["demo"],
            ["bench", "engine"],
        ),
        *(["check"], ["test"], ["mutate"], ["explain"], ["schema"], ["tables"]),
        *(["rulebook", "publish"], ["rulebook", "withdraw"]),
        *(["api", "token"], ["api", "document"]),
    ],
)
def test_every_commands_help_has_an_example(command: list[str]) -> None:
    """Section 5: `--help` with an example."""
    done = run(*command, "--help")
    assert done.returncode == 0
    assert f"Example: {'DECISIONING' if command[0] == 'run' else ''}".encode() in done.stdout
    assert " ".join(["decisioning", *command]).encode() in b" ".join(done.stdout.split())


def test_no_events_are_no_decisions() -> None:
    """An empty file is a fine file."""
    done = run(*EXAMPLE)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_only_a_good_rulebook_is_published(tmp_path: Path) -> None:
    """A broken one is refused with the messages of `check`, before anything is asked of Kafka."""
    rules = tmp_path / "rules.yaml"
    rules.write_text('rulebook: x\nversion: "1"\nrespect:\n  quiet_hour: {}\n')
    done = run("rulebook", "publish", str(rules))
    assert done.returncode == 1
    assert done.stderr == run("check", str(rules)).stderr or done.stderr in run("check", str(rules)).stdout
    assert f"{rules}:4:3: ".encode() in done.stderr


def test_a_token_is_printed_once_beside_its_line(tmp_path: Path) -> None:
    """The line goes to the file by `>>`, the token to whoever reads the screen; a wrong scope is usage."""
    done = run("api", "token", "crm", "--scope", "read", "--scope", "decide")
    assert done.returncode == 0
    file = tmp_path / "tokens"
    file.write_bytes(done.stdout + run("api", "token", "workers", "--scope", "peer").stdout)
    file.chmod(0o600)
    tokens = Tokens(file)
    found = tokens.find(done.stderr.decode().strip())
    assert found is not None
    assert (found.name, sorted(found.scopes)) == ("crm", ["decide", "read"])
    assert tokens.peer_key is not None
    wrong = run("api", "token", "crm", "--scope", "peer", "--scope", "write")
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    assert wrong.stderr.strip() == b"--scope: `write` is none; there are read, decide, admin, peer"
    assert json.loads(run("api", "document").stdout)["openapi"] == "3.1.0"
