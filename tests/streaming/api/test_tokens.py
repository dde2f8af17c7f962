"""The token file: whose token it is, and what a file must be like."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from decisioning.streaming.api import tokens as module
from decisioning.streaming.api.tokens import Scope, Token, Tokens, TokensError, make, make_peer_line

READ = frozenset({Scope.READ})


def put(path: Path, *lines: str, mode: int = 0o640) -> Path:
    """A token file of these lines."""
    path.write_text("\n".join(lines) + "\n")
    path.chmod(mode)
    return path


def test_a_token_is_known_by_its_hash_alone(tmp_path: Path) -> None:
    """The file does not hold it."""
    token, line = make("crm", [Scope.READ, Scope.DECIDE])
    path = put(tmp_path / "t", "# ours", line, "")
    assert Tokens(path).find(token) == Token("crm", frozenset({Scope.READ, Scope.DECIDE}))
    assert token not in path.read_text()
    assert hashlib.sha256(token.encode()).hexdigest() in path.read_text()
    assert len(token) > 40


@pytest.mark.parametrize("presented", ["", "x", "dcsn_", "\udc80", "sha256:" + "0" * 64])
def test_any_other_is_nobodys(tmp_path: Path, presented: str) -> None:
    """Not even the hash itself opens."""
    _, line = make("crm", READ)
    known = Tokens(put(tmp_path / "t", line))
    assert known.find(presented) is None
    assert known.find(line.split()[-1]) is None


@pytest.mark.parametrize(
    "line",
    [
        "crm", "crm read", "crm read sha256:zz", "crm read sha256:" + "0" * 62, "crm root sha256:" + "0" * 64,
        "crm read md5:" + "0" * 64, "workers peer key:short", "crm read sha256:" + "0" * 64 + " more",
    ],
)  # fmt: skip
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    """By its number, without being repeated."""
    with pytest.raises(TokensError, match=r"t:2: a line is a name, scopes .*decisioning api token"):
        Tokens(put(tmp_path / "t", "", line))


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o666, 0o604, 0o602])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """Who can write it lets anybody in."""
    with pytest.raises(TokensError, match="others may read or change it; chmod 640"):
        Tokens(put(tmp_path / "t", make("crm", READ)[1], mode=mode))


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours, or root's."""
    path = put(tmp_path / "t", make("crm", READ)[1])
    os.chown(path, 4242, -1) if os.geteuid() == 0 else monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(TokensError, match="belongs to another user"):
        Tokens(path)


def test_no_file_and_two_of_one_name(tmp_path: Path) -> None:
    """One line each."""
    with pytest.raises(TokensError, match="cannot be read"):
        Tokens(tmp_path / "none")
    with pytest.raises(TokensError, match="is no file"):
        Tokens(Path("/dev/null"))
    with pytest.raises(TokensError, match="two lines have one name"):
        Tokens(put(tmp_path / "t", make("crm", READ)[1], make("crm", READ)[1]))


def test_a_change_is_followed_and_a_bad_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is taken out is refused; a broken file leaves all as it was and says so once."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0)
    said: list[str] = []
    (old, old_line), (new, new_line) = make("old", READ), make("new", READ)
    path = put(tmp_path / "t", old_line)
    known = Tokens(path, said.append)
    put(path, old_line, new_line)
    assert known.find(old)
    assert known.find(new)
    put(path, new_line)
    assert known.find(old) is None
    put(path, "nonsense")
    assert known.find(new)
    assert known.find(new)
    assert [line.endswith("the tokens stay as they were") for line in said] == [True]
    path.unlink()
    assert known.find(new)
    assert len(said) == 2


def test_workers_share_a_key(tmp_path: Path) -> None:
    """None where the file has no such line."""
    assert Tokens(put(tmp_path / "a", "")).peer_key is None
    key = Tokens(put(tmp_path / "b", make_peer_line())).peer_key
    assert key is not None
    assert len(key) == 32


@pytest.mark.parametrize(("name", "scopes"), [("", READ), ("a b", READ), ("a#b", READ), ("a\n", READ), ("crm", [])])
def test_what_cannot_stand_in_a_line_is_not_made(name: str, scopes: frozenset[Scope]) -> None:
    """A name is one word, and a token opens something."""
    with pytest.raises(ValueError, match=r"one word|opens nothing"):
        make(name, scopes)
