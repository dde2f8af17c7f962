"""What can be looked up, as plain functions: a context, an order, decisions and why. No HTTP in here.

Orders and contexts are read from the state of the worker that owns the customer; a `Elsewhere` says who that is.
Decisions come from the journal, which every worker of the API has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from decisioning.context import Context, OrderStatus, context, order_status
from decisioning.policy import Policy
from decisioning.reasons import describe
from decisioning.state import State
from decisioning.streaming.api.journal import Entry, Journal

SILENT_SECONDS: Final = 10.0
"""Without an answer of Kafka for so long, what we know counts as out of date, and nothing is handed to it."""


class Elsewhere(NamedTuple):
    """Another worker owns this customer: at this address, or where nobody says."""

    address: str | None


class Moved(NamedTuple):
    """This subject became part of another: ask about that one."""

    to: str


class Memory(NamedTuple):
    """How this worker's memory is asked; `owner` names the address of the worker that owns a customer."""

    owns: Callable[[str], bool]
    look: Callable[[str], State | None]
    owner: Callable[[str], str | None]


class Views:
    """All that may be looked up on a worker."""

    def __init__(
        self, memory: Memory, journal: Journal, policy: Callable[[], Policy], now: Callable[[], int]
    ) -> None:  # fmt: skip
        self._memory, self.journal, self._policy, self._now = memory, journal, policy, now

    @property
    def silent(self) -> bool:
        """Whether Kafka does not answer, so that what we know may be out of date."""
        return self.journal.silent_for > SILENT_SECONDS or not self.journal.ready.is_set()

    def context(self, customer: str) -> Context | Moved | Elsewhere:
        """What an agent should see of a customer."""
        state = self._state(customer)
        if isinstance(state, Elsewhere | Moved):
            return state
        if self.silent:
            state = replace(state or State(customer), degraded=True)  # a complaint may wait unread
        return context(self._policy(), state, customer, self._now())

    def degraded_context(self, customer: str) -> Context:
        """What an agent should see when nothing can be seen: service yes, marketing no."""
        return context(self._policy(), State(customer, degraded=True), customer, self._now())

    def order(self, customer: str, order_id: str) -> OrderStatus | Moved | Elsewhere | None:
        """Where an order of a customer stands; None where we never heard of it."""
        state = self._state(customer)
        if isinstance(state, Elsewhere | Moved):
            return state
        found = order_status(state, customer, order_id, self._now())
        return replace(found, degraded=True) if found is not None and self.silent else found

    def degraded_order(self, customer: str, order_id: str) -> OrderStatus:
        """An order of which nothing can be said now."""
        return OrderStatus(customer, order_id, "unknown", late=False, payment_failed=False, degraded=True)

    def why(self, decision_id: str) -> dict[str, Any] | None:
        """A decision, and its reasons in words; None where it is not in the journal's window."""
        entry = self.journal.get(decision_id)
        return None if entry is None else explained(entry)

    def decisions(self, customer: str, request_id: str | None, most: int) -> list[dict[str, Any]]:
        """The newest decisions about a customer, the newest first; with `request_id` those that answer it."""
        return [one.event for one in self.journal.of_customer(customer, request_id=request_id, most=most)]

    def perhaps_erased(self, customer: str) -> bool:
        """Whether a customer was ever erased, as far as this worker knows; of whom it knows nothing, perhaps."""
        state = self._state(customer)
        return not isinstance(state, State) or state.erased or state.erased_at is not None

    def moved(self, customer: str) -> Moved | Elsewhere | None:
        """Into whom a subject moved; None: into nobody."""
        state = self._state(customer)
        return state if isinstance(state, Elsewhere | Moved) else None

    def _state(self, customer: str) -> State | Moved | Elsewhere | None:
        if not self._memory.owns(customer):
            return Elsewhere(self._memory.owner(customer))
        state = self._memory.look(customer)
        if state is not None and state.moved_to is not None:
            return Moved(state.moved_to)
        return state


def explained(entry: Entry) -> dict[str, Any]:
    """A decision beside the sentences of every reason in it, for its author, an agent and the customer."""
    data = entry.event["data"]
    codes = dict.fromkeys([data["reason"], *(one["reason"] for one in data.get("considered", ()))])
    told = {code: describe(code) for code in codes}
    words = {
        code: {"author": one.author, "agent": one.agent, "customer": one.customer} for code, one in told.items()
    }  # fmt: skip
    return {"decision": entry.event, "reasons": words}
