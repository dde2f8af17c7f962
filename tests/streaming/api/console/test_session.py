"""The way in: who gets a session, how its cookie is kept, when it ends."""

from __future__ import annotations

from decisioning.streaming.api.console.session import Sessions
from decisioning.streaming.api.tokens import Scope, Token


class Door:
    """Sessions, the tokens that there are, and a clock that stands until it is moved."""

    def __init__(self, *, secure: bool = False) -> None:
        self.now = 0.0
        self.tokens = {
            "good": Token("crm", frozenset({Scope.READ})),
            "writer": Token("job", frozenset({Scope.DECIDE, Scope.ADMIN})),
        }
        self.sessions = Sessions(self.tokens.get, secure=secure, clock=lambda: self.now)

    def open(self, secret: str = "good") -> str:
        """A session that is open."""
        name = self.sessions.open(secret)
        assert name is not None
        return name


def test_a_token_that_may_read_opens_a_session() -> None:
    """No other does, and no two sessions have one name."""
    door = Door()
    first, second = door.open(), door.open()
    assert first != second
    assert len(first) > 40
    found = door.sessions.who(first)
    assert found is not None
    assert found.name == "crm"
    assert door.sessions.open("writer") is door.sessions.open("wrong") is door.sessions.open("") is None
    assert door.sessions.who("guessed") is door.sessions.who(None) is door.sessions.who("") is None


def test_it_ends_when_it_is_closed_unused_or_old() -> None:
    """An hour unused; eight hours, however much it is used."""
    door = Door()
    name = door.open()
    door.sessions.close(name)
    assert door.sessions.who(name) is None
    name = door.open()
    door.now += 3601
    assert door.sessions.who(name) is None
    name = door.open()
    for _ in range(8):
        door.now += 3599
        assert door.sessions.who(name) is not None
    door.now += 60
    assert door.sessions.who(name) is None


def test_it_ends_with_its_token() -> None:
    """A token that left the file, or lost its scope, opens nothing any more."""
    door = Door()
    name, other = door.open(), door.open()
    door.tokens["good"] = Token("crm", frozenset({Scope.DECIDE}))
    assert door.sessions.who(name) is None
    del door.tokens["good"]
    assert door.sessions.who(other) is None


def test_there_are_only_so_many() -> None:
    """The oldest goes."""
    door = Door()
    names = [door.open() for _ in range(201)]
    assert door.sessions.who(names[0]) is None
    assert door.sessions.who(names[1]) is not None


def test_the_cookie() -> None:
    """Out of reach for scripts and other sites; over TLS never in clear, and bound to this host."""
    assert Door().sessions.set_cookie("x") == "console=x; HttpOnly; SameSite=Strict; Path=/console"
    secure = Door(secure=True).sessions
    assert secure.set_cookie("x") == "__Host-console=x; HttpOnly; SameSite=Strict; Path=/; Secure"
    assert secure.set_cookie(None).endswith("; Path=/; Secure; Max-Age=0")
    assert secure.read("a=b; __Host-console=x; console=y") == "x"
    assert secure.read("console=y") is secure.read(None) is secure.read("\0;=;") is None
