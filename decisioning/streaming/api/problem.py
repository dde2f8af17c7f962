"""What an answer says when it cannot be what was asked for: RFC 9457, the same shape everywhere.

A problem has a `code` of a closed list (`PROBLEMS`), a sentence and a status. It never repeats what was sent: an error
may hold a customer's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import orjson

from decisioning.errors import DecisioningError
from decisioning.streaming.http import Answer

TYPE: Final = "application/problem+json"
PROBLEMS: Final[Mapping[str, tuple[int, str]]] = {
    "bad-request": (400, "The request cannot be read"),
    "unauthenticated": (401, "No token that we know"),
    "forbidden": (403, "The token lacks the scope"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "The method is not for this address"),
    "too-slow": (408, "The body took too long"),
    "nothing-stands": (409, "No such stop stands"),
    "too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The body is not JSON"),
    "not-an-event": (422, "The body is no contact.requested"),
    "not-a-stop": (422, "The body does not say what to stop"),
    "too-many-requests": (429, "Too many requests"),
    "internal": (500, "The fault is ours"),
    "busy": (503, "Too many wait at once"),
    "unavailable": (503, "Kafka did not take it"),
}
"""Code -> status and title."""


class Problem(DecisioningError):
    """Raised where a request ends; `detail` names fields and limits, never values."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(detail)
        self.code, self.detail, self.headers = code, detail, headers
        self.status = PROBLEMS[code][0]

    def answer(self) -> Answer:
        """It as a response."""
        status, title = PROBLEMS[self.code]
        told = {
            "type": f"urn:decisioning:problem:{self.code}", "title": title, "status": status, "detail": self.detail,
            "code": self.code,
        }  # fmt: skip
        return Answer(status, orjson.dumps(told), TYPE, more=self.headers)
