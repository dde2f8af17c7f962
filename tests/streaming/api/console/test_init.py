"""The console on the wire: its cookie, its limits, and what a request may not do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.streaming.api.calls import Told, call
from tests.streaming.api.console.stage import CUSTOMER, Served, Stage

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console with a customer behind it."""
    with Served(tmp_path_factory.mktemp("served"), Stage()) as running:
        yield running


def post(served: Served, path: str, cookie: str = "", **form: str) -> Told:
    """A form from a page of the console."""
    body = urlencode(form).encode()
    return call(
        served.address, f"/console{path}", method="POST", body=body, Content_Type=FORM, Cookie=cookie,
        Sec_Fetch_Site="same-origin",
    )  # fmt: skip


def signed_in(served: Served) -> str:
    """The cookie of a new session."""
    told = post(served, "/sign-in", token=served.token)
    assert (told.status, told.headers["Location"]) == (303, "/console/why")
    return str(told.headers["Set-Cookie"]).partition(";")[0]


def test_a_browsers_way(served: Served) -> None:
    """Sign in, ask, sign out."""
    assert call(served.address, "/console").headers["Location"] == "/console/sign-in"
    cookie = signed_in(served)
    told = post(served, "/why", cookie, customer=CUSTOMER)
    assert told.status == 200
    assert b"contact_window.outside" in told.body
    assert told.headers["Cache-Control"] == "no-store"
    assert told.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "Server" not in told.headers
    assert post(served, "/sign-out", cookie).status == 303
    assert post(served, "/why", cookie, customer=CUSTOMER).status == 303


def test_a_token_that_may_not_read_opens_nothing(served: Served) -> None:
    """Nor does a bearer header: pages are for sessions."""
    assert post(served, "/sign-in", token=served.file.tokens["writer"]).status == 403
    assert call(served.address, "/console/why", served.token).status == 303


def test_files_need_no_session_and_are_kept(served: Served) -> None:
    """They say nothing of anybody."""
    told = call(served.address, "/console/static/htmx-2.0.11.min.js")
    assert (told.status, told.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert told.headers.get_all("Cache-Control") == ["max-age=86400"]


def test_what_is_no_form_is_refused(served: Served) -> None:
    """Another type, too much of it, too many fields, no text at all."""
    cookie = signed_in(served)
    bad = [
        call(served.address, "/console/why", method="POST", body=b"{}", Content_Type="application/json", Cookie=cookie),
        post(served, "/why", cookie, customer="x" * 9000),
        post(served, "/why", cookie, **{f"f{number}": "1" for number in range(40)}),
        call(served.address, "/console/why", method="POST", body=b"customer=\xff", Content_Type=FORM, Cookie=cookie),
    ]
    assert [told.status for told in bad] == [400, 400, 400, 400]
    assert all("Content-Security-Policy" in told.headers and told.body == b"" for told in bad)


def test_a_body_that_says_nothing_of_its_length_is_bounded_too(served: Served) -> None:
    """Chunks end where a form would be too large."""
    host, port = served.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as wire:
        head = (
            f"POST /console/sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        wire.sendall(head.encode() + b"".join(b"400\r\n" + b"a" * 1024 + b"\r\n" for _ in range(9)))
        assert wire.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_the_rest_is_not_ours(served: Served) -> None:
    """What is beside the console goes to whoever stands behind it."""
    assert [call(served.address, path).status for path in ("/", "/v1/x", "/consoles", "/console2/why")] == [404] * 4


def test_who_knocks_too_often_waits(tmp_path: Path) -> None:
    """Strangers share one limit, so that nobody can try tokens for long."""
    with Served(tmp_path, Stage(), rate=2) as served:
        statuses = [post(served, "/sign-in", token="dcsn_guess").status for _ in range(12)]
    assert statuses[:2] == [403, 403]
    assert 429 in statuses
