"""Which worker owns a lane, and where it can be asked: what the members of a group tell each other anyway.

Faust's assignor already hands every member a table of which changelog partitions went to which member, by an address
that each member names when it joins. `announce` names ours, `owner` looks another's up: nothing is asked, nothing is
kept fresh, and the table is that of the very assignment by which lanes are owned.

Used in Faust 0.15.3: `faust.assignor.partition_assignor.PartitionAssignor._url`, `.changelog_distribution`. Its own
router over them is not (T35): it forwards every header to whatever address the table holds. Whoever can join the group
can name any address, so what goes there must be worth nothing to a stranger; and two members of one address hide each
other, so a worker that is not to be asked keeps Faust's default, which `owner` never returns.
(test_whereabouts.py::test_an_address_without_our_path_is_nobodys)
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from decisioning.streaming.chassis.transport import App

__all__ = ["PATH", "announce", "look", "owner", "owns"]

PATH = "/v1"
"""What an address that can be asked ends with; Faust's default has no path."""


def announce(app: App, address: str) -> None:
    """Name the address, scheme, host and port, at which others reach this worker; before it joins the group."""
    app.conf.canonical_url = address + PATH


def owner(app: App, lane: int) -> str | None:
    """The address of the worker that owns a lane, by the last assignment; None: nobody that can be asked."""
    table = app.assignor.changelog_distribution
    for url, topics in table.items():
        if lane in topics.get(app.chassis.changelog, ()):
            return _address(url)
    return None


def owns(app: App, lane: int) -> bool:
    """Whether the lane is ours and open."""
    return lane in app.slicer.lanes


def look(app: App, lane: int, key: bytes) -> Any:
    """The state of `key` in a lane of ours, to be read and not changed; None: it has none. KeyError: not ours."""
    return app.slicer.lanes[lane].look(key)


def _address(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.path != PATH or parts.query or parts.username or not parts.netloc:
        return None
    return f"{parts.scheme}://{parts.netloc}"
