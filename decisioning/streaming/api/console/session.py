"""A browser's way in: a token is shown once, and a cookie stands for it from then on.

The cookie is a random name and nothing else. No script can read it (HttpOnly), no other site can make a browser send it
(SameSite=Strict), and over TLS it is never sent in clear (Secure, `__Host-`). What it stands for lies here, in memory:
a session ends when it is signed out, unused for an hour, eight hours old, or when its token leaves the token file, and
all end with the worker.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from time import monotonic
from typing import Final, NamedTuple

from decisioning.streaming.api.tokens import Scope, Token

PATH: Final = "/console"
_IDLE_SECONDS: Final = 3600.0
_LONGEST_SECONDS: Final = 8 * 3600.0
_MOST: Final = 200


class _Session(NamedTuple):
    secret: str
    began: float
    used: float


class Sessions:
    """The sessions of one worker; `find` says whose a token is, None: nobody's."""

    def __init__(
        self, find: Callable[[str], Token | None], *, secure: bool, clock: Callable[[], float] = monotonic
    ) -> None:
        self._find, self._secure, self._clock = find, secure, clock
        self._open: dict[str, _Session] = {}

    @property
    def cookie(self) -> str:
        """The name of the cookie: `__Host-` where it may only ever travel by TLS."""
        return "__Host-console" if self._secure else "console"

    def open(self, secret: str) -> str | None:
        """A new session for a token that may read; None for any other."""
        token = self._find(secret)
        if token is None or Scope.READ not in token.scopes:
            return None
        now = self._clock()
        name = secrets.token_urlsafe(32)
        self._open[name] = _Session(secret, now, now)
        while len(self._open) > _MOST:
            del self._open[next(iter(self._open))]
        return name

    def who(self, name: str | None) -> Token | None:
        """Whose session it is, and that it is used now; None where there is none, or none any more."""
        found = self._open.get(name or "")
        if found is None or name is None:
            return None
        now = self._clock()
        token = self._find(found.secret)
        late = now - found.used > _IDLE_SECONDS or now - found.began > _LONGEST_SECONDS
        if late or token is None or Scope.READ not in token.scopes:
            del self._open[name]
            return None
        self._open[name] = found._replace(used=now)
        return token

    def close(self, name: str | None) -> None:
        """Sign out."""
        self._open.pop(name or "", None)

    def read(self, header: str | None) -> str | None:
        """The session that a request's `Cookie` names."""
        try:
            found = SimpleCookie(header or "").get(self.cookie)
        except CookieError:
            return None
        return found.value if found is not None else None

    def set_cookie(self, name: str | None) -> str:
        """The `Set-Cookie` of a session; None: that takes it away."""
        parts = [f"{self.cookie}={name or ''}", "HttpOnly", "SameSite=Strict"]
        parts += ["Path=/", "Secure"] if self._secure else [f"Path={PATH}"]
        return "; ".join(parts if name is not None else [*parts, "Max-Age=0"])
