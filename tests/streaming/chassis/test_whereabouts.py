"""Who owns a lane, by what the members of a group tell each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from decisioning.streaming.chassis.transport import App, build
from decisioning.streaming.chassis.whereabouts import announce, look, owner, owns
from tests.streaming.chassis.toy_worker import CHANGELOG, Toy, config


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A worker that has not joined yet."""
    return build(Toy(), config(bootstrap="127.0.0.1:1", data=tmp_path))


def test_what_is_announced_is_what_members_are_told(app: App) -> None:
    """Faust's assignor sends it when it joins."""
    announce(app, "https://worker-1.example:8443")
    assert str(app.assignor._url) == "https://worker-1.example:8443/v1"
    app.assignor.changelog_distribution = {str(app.assignor._url): {CHANGELOG: [0, 2]}}
    assert owner(app, 2) == "https://worker-1.example:8443"
    assert owner(app, 1) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://worker-2:6066", "http://worker-2:6066/v2", "file:///v1", "http://user:pass@worker-2:80/v1",
        "http://worker-2:80/v1?x=1", "//worker-2/v1", "http:///v1", "",
    ],
)  # fmt: skip
def test_an_address_without_our_path_is_nobodys(app: App, url: str) -> None:
    """Faust's default is no address of ours, and the table may have been falsified."""
    app.assignor.changelog_distribution = {url: {CHANGELOG: [0]}}
    assert owner(app, 0) is None


def test_a_worker_without_lanes_owns_none(app: App) -> None:
    """Before it is restored nothing is to be read."""
    assert not owns(app, 0)
    with pytest.raises(KeyError):
        look(app, 0, b"k")
