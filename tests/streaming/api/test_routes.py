"""The table of addresses: what matches, and what does not exist."""

from __future__ import annotations

import pytest

from decisioning.streaming.api.problem import Problem
from decisioning.streaming.api.routes import ROUTES, match


@pytest.mark.parametrize(
    ("method", "path", "name", "values"),
    [
        ("POST", "/v1/decide", "decide", ()),
        ("GET", "/v1/customers/c-42/context", "context", ("c-42",)),
        ("HEAD", "/v1/customers/c-42/context", "context", ("c-42",)),
        ("GET", "/v1/customers/tel%3A%2B4412/orders/a%2Fb", "order", ("tel:+4412", "a/b")),
        ("GET", "/v1/customers/%E2%82%AC/decisions", "decisions", ("€",)),
        ("GET", "/v1/decisions/x", "why", ("x",)),
        ("GET", "/v1/openapi.json", "openapi", ()),
    ],
)
def test_an_address_names_its_route(method: str, path: str, name: str, values: tuple[str, ...]) -> None:
    """Percent-encoded parts are decoded one by one, so an id may hold a slash."""
    found = match(method, path)
    assert (found.route.name, found.values) == (name, values)


@pytest.mark.parametrize(
    "path",
    [
        "/", "/v1", "/v1/", "/v1/decide/", "/v2/decide", "/v1/customers//context", "/v1/customers/a/b/context",
        "/v1/customers/%FF/context", "/v1/customers/%00/context", "/v1/customers/" + "x" * 513 + "/context",
        "//v1/decide", "/v1/customers/c-1", "/metrics",
    ],
)  # fmt: skip
def test_anything_else_does_not_exist(path: str) -> None:
    """404, whatever is asked of it."""
    with pytest.raises(Problem) as raised:
        match("GET", path)
    assert raised.value.status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/decide", "POST"), ("POST", "/v1/decisions/x", "GET, HEAD"), ("OPTIONS", "/v1/decide", "POST"),
        ("TRACE", "/v1/openapi.json", "GET, HEAD"),
    ],
)  # fmt: skip
def test_another_method_is_told_which(method: str, path: str, allowed: str) -> None:
    """405 with `Allow`; no preflight is answered, so no page of another origin gets in."""
    with pytest.raises(Problem) as raised:
        match(method, path)
    assert (raised.value.status, raised.value.headers["Allow"]) == (405, allowed)


def test_only_the_document_needs_no_scope() -> None:
    """Deny by default: what has no scope is named here."""
    assert [route.name for route in ROUTES if route.scope is None] == ["openapi"]
    assert len({route.name for route in ROUTES}) == len(ROUTES)
