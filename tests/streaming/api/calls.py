"""Calling the API as a client does: a token file, a request, what came back."""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable
from email.message import Message
from pathlib import Path
from typing import Any, Final, NamedTuple

from decisioning.streaming.api.tokens import Scope, make, make_peer_line
from tests.streaming.live import WorkerProcess, until

PEER: Final = make_peer_line()
_ADDRESS: Final = re.compile(r"^(https?://127\.0\.0\.1:\d+)/v1/openapi\.json$", re.M)


class _AsItIs(urllib.request.HTTPRedirectHandler):
    """Follows nothing: a redirect is an answer."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        """None: it is not followed."""


def _opener(authority: Path | None) -> urllib.request.OpenerDirector:
    believed = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority))
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _AsItIs(), believed)


class Told(NamedTuple):
    """What the API answered."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class TokenFile:
    """A token file in a folder, and the tokens that are in it by name."""

    def __init__(self, folder: Path, *, peer: str = PEER, **scopes: Iterable[Scope]) -> None:
        self.path = folder / "tokens"
        self.tokens: dict[str, str] = {}
        lines = ["# tests", peer]
        for name, wanted in scopes.items():
            self.tokens[name], line = make(name, wanted)
            lines.append(line)
        self.write("\n".join(lines))

    def write(self, text: str) -> None:
        """Put this text in its place."""
        self.path.write_text(text + "\n")
        self.path.chmod(0o600)


def call(
    address: str, path: str, token: str | None = None, *, method: str = "GET", body: bytes | None = None,
    authority: Path | None = None, **headers: str,
) -> Told:  # fmt: skip
    """One request; header names are written with `_` for `-`. `authority`: whose certificates are believed."""
    request = urllib.request.Request(address + path, body, method=method)
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    for name, content in headers.items():
        request.add_header(name.replace("_", "-"), content)
    try:
        with _opener(authority).open(request, timeout=30) as answer:
            return Told(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return Told(error.code, error.headers, error.read())


def decide(address: str, token: str, asked: Any, *, authority: Path | None = None, **headers: str) -> Told:
    """POST /v1/decide."""
    body = json.dumps(asked).encode()
    return call(
        address, "/v1/decide", token, method="POST", body=body, authority=authority, Content_Type="application/json",
        **headers,
    )  # fmt: skip


def address_of(worker: WorkerProcess) -> str:
    """Where a worker's API listens."""
    found: list[str] = until(lambda: _ADDRESS.findall(worker.output), what="the API listening")
    return found[-1]
