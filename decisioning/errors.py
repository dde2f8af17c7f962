"""Whose fault it is, and how to mend it.

Every error that leaves a door of this package says in one line who must act: the sender of an event
(`EventRejected`), the author of a rulebook (`RulebookError`) or the people who run us (`StateUnreadable`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class DecisioningError(Exception):
    """The root: catch it to catch everything this package raises on purpose."""


class Fault(StrEnum):
    """Why an event could not be taken; the closed list behind dead letters, `decide`'s error lines and their metric."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AN_EVENT = "not_an_event"
    NO_TIME = "no_time"
    NO_SUBJECT = "no_subject"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    FUTURE_TIME = "future_time"
    HOP_LIMIT = "hop_limit"


class EventRejected(DecisioningError):
    """An event that cannot be read: the sender's fault. The message names fields, never their values (guarantee 8)."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class Problem(NamedTuple):
    """One fault of a rulebook: where it stands (1-based line and column) and what to write instead."""

    line: int
    column: int
    message: str


class RulebookError(DecisioningError):
    """A rulebook that cannot be used: the author's fault. `problems` holds every fault found, in reading order."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source = source
        self.problems = sorted(one._replace(message=_on_one_line(one.message)) for one in problems)
        super().__init__("\n".join(f"{source}:{p.line}:{p.column}: {p.message}" for p in self.problems))


def _on_one_line(message: str) -> str:
    """The message with whatever would break its line, or hide in it, shown as an escape (`\\u2028`)."""
    if message.isprintable():
        return message
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in message)


class StateUnreadable(DecisioningError):
    """A customer's stored state does not parse: ours to repair. The customer is degraded: service yes, marketing no."""


class StateTooNew(DecisioningError):
    """A customer's stored state was written by a newer version: run that version; nothing is guessed here."""
