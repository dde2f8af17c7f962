"""Who may ask what: bearer tokens with scopes, in a file that holds none of them.

A line a token: its name, its scopes, the SHA-256 of it. A token is 256 random bits, so nobody can guess it from a fast
hash; `decisioning api token NAME` makes one and prints it once, with the line for the file. Lines of the kind `peer`
hold the key by which workers of one group vouch for each other's callers (`peers.py`).

    crm      read,decide  sha256:4f5c…
    on-call  read,admin   sha256:91ab…
    workers  peer         key:bWFk…

The file is looked at again while we run, at most once a second: a token that is no longer in it is refused from then
on. A file that cannot be read, or that others may change, never replaces a good one; it is said in one line.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

from decisioning.errors import DecisioningError

PREFIX: Final = "dcsn_"
"""What every token begins with, so that scanners find one that was committed by mistake."""
_LOOK_SECONDS: Final = 1.0
_BYTES: Final = 32
_MOST_BYTES: Final = 1024 * 1024


class Scope(StrEnum):
    """What a token may do; none includes another."""

    READ = "read"  # contexts, orders, decisions
    DECIDE = "decide"  # ask for a decision
    ADMIN = "admin"  # stop and resume


class Token(NamedTuple):
    """A caller that is known: the name of its line and what it may do."""

    name: str
    scopes: frozenset[Scope]


class TokensError(DecisioningError):
    """The token file cannot be used: the operator's to mend, in one line."""


class _Book(NamedTuple):
    tokens: tuple[tuple[bytes, Token], ...]
    peer: bytes | None


class Tokens:
    """The token file, as it was when it was last good."""

    def __init__(self, path: Path, say: Callable[[str], None] = lambda line: None) -> None:
        """TokensError when the file is no good now."""
        self._path, self._say = path, say
        self._seen = _stamp(path)
        self._book = _read(path)
        self._looked_at = monotonic()

    def find(self, presented: str) -> Token | None:
        """Whose token it is; None: nobody's. Takes as long for every token of the file."""
        digest = hashlib.sha256(presented.encode(errors="surrogateescape")).digest()
        found = None
        for known, token in self._fresh().tokens:
            if hmac.compare_digest(known, digest):
                found = token
        return found

    @property
    def peer_key(self) -> bytes | None:
        """The key that workers share, if the file has one."""
        return self._fresh().peer

    def _fresh(self) -> _Book:
        if monotonic() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = monotonic()
            now = _stamp(self._path)
            if now != self._seen:
                self._seen = now
                try:
                    self._book = _read(self._path)
                except TokensError as error:
                    self._say(f"{error}; the tokens stay as they were")
        return self._book


def make(name: str, scopes: Iterable[Scope]) -> tuple[str, str]:
    """A new token, and the line for the file; ValueError for a name or scopes that cannot be."""
    wanted = sorted(set(scopes))
    if not name or not name.isprintable() or any(one.isspace() or one == "#" for one in name):
        raise ValueError("a name is one word without #")
    if not wanted:
        raise ValueError("a token without a scope opens nothing")
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    return token, f"{name} {','.join(wanted)} sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def make_peer_line() -> str:
    """A new line of the kind `peer`: the same one in the file of every worker."""
    return f"workers peer key:{base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()}"


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> _Book:
    try:
        with path.open("rb") as file:
            _check(path, os.fstat(file.fileno()))
            text = file.read(_MOST_BYTES + 1).decode()
    except OSError as error:
        raise TokensError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    except UnicodeDecodeError:
        raise TokensError(f"{path}: is not UTF-8") from None
    if len(text) > _MOST_BYTES:
        raise TokensError(f"{path}: is larger than a megabyte")
    tokens: list[tuple[bytes, Token]] = []
    peer = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            name, scopes, secret = words
            if scopes == "peer":
                peer = _key(secret)
            else:
                tokens.append((_digest(secret), Token(name, frozenset(map(Scope, scopes.split(","))))))
        except (ValueError, binascii.Error):
            raise TokensError(
                f"{path}:{number}: a line is a name, scopes (read,decide,admin) and sha256:…; "
                "`decisioning api token` prints one"
            ) from None
    if len({name for _, (name, _) in tokens}) < len(tokens):
        raise TokensError(f"{path}: two lines have one name, and limits go by names")
    return _Book(tuple(tokens), peer)


def _check(path: Path, found: os.stat_result) -> None:
    """Whoever can write the file lets anybody in; whoever can read it learns the workers' key."""
    if not stat.S_ISREG(found.st_mode):
        raise TokensError(f"{path}: is no file")
    if found.st_uid not in (0, os.geteuid()):
        raise TokensError(f"{path}: belongs to another user; let it be ours or root's")
    if found.st_mode & (stat.S_IWGRP | stat.S_IRWXO):
        raise TokensError(f"{path}: others may read or change it; chmod 640")


def _digest(text: str) -> bytes:
    digest = bytes.fromhex(text.removeprefix("sha256:"))
    if not text.startswith("sha256:") or len(digest) != hashlib.sha256().digest_size:
        raise ValueError
    return digest


def _key(text: str) -> bytes:
    key = base64.b64decode(text.removeprefix("key:"), altchars=b"-_", validate=True)
    if not text.startswith("key:") or len(key) < _BYTES:
        raise ValueError
    return key
