"""The commands of the people on call, as far as no broker is needed: what is missing is said at once."""

from __future__ import annotations

import pytest

from tests.test_main import run


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stop", "marketing"], "why"),
        (["stop", "everything", "--why", "x"], "everything"),
        (["stop", "channel", "--why", "x"], "which channel?"),
        (["stop", "marketing", "sms", "--why", "x"], "leave out `sms`"),
        (["stop", "marketing", "--why", " "], "why?"),
        (["resume", "channel", "sms", "--why", "x" * 501], "why?"),
        (["dead-letters", "list", "--code", "rotten"], "there are tombstone, too_large"),
        (["dead-letters", "replay", "--since", "yesterday"], "--since"),
        (["resume", "channel", "sms", "--why", "x", "--by", "x" * 201], "who?"),
    ],
)
def test_nonsense_is_usage(arguments: list[str], says: str) -> None:
    """Exit 2 and one line that says what would make sense."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert says in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1


COMMANDS = ["stop", "resume", "stops", "config show", "config check", "dead-letters list", "dead-letters replay"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_has_an_example(command: str) -> None:
    """Section 5 of the contract."""
    done = run(*command.split(), "--help")
    assert done.returncode == 0
    assert f"Example: decisioning {command}".encode() in b" ".join(done.stdout.split())
