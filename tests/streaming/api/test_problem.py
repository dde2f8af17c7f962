"""RFC 9457: one shape for every fault."""

from __future__ import annotations

import json

import pytest

from decisioning.streaming.api.problem import PROBLEMS, Problem


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_names_itself(code: str) -> None:
    """Type, title, status and detail, under its own media type, with the headers that belong to it."""
    answer = Problem(code, "mend it so", {"Retry-After": "1"}).answer()
    assert isinstance(answer.body, bytes)
    told = json.loads(answer.body)
    status, title = PROBLEMS[code]
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert told == {
        "type": f"urn:decisioning:problem:{code}", "title": title, "status": status, "detail": "mend it so",
        "code": code,
    }  # fmt: skip
    assert answer.headers["Retry-After"] == "1"
