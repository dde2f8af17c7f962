"""Whose part a subject has become, wherever its lane is: a request for one who was merged is answered under the other.

The worker that owns the subject knows; it is asked as for a context, whose answer is then a way on. Where it cannot be
asked nobody is guessed: an answer under another name may be another customer's, whose request has the same id.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

from decisioning.streaming.api.peers import Peers
from decisioning.streaming.api.tokens import Scope, Token
from decisioning.streaming.api.views import Elsewhere, Views

_OURSELVES: Final = Token("worker", frozenset({Scope.READ}))
_LONGEST: Final = 5  # moves one after the other


class Merged:
    """Asks this worker's memory, or its owner's."""

    def __init__(self, views: Views, peers: Peers) -> None:
        self._views, self._peers = views, peers

    async def into(self, customer: str) -> list[str]:
        """Whose part this subject became, and whose that one, as far as anybody says; empty: nobody's."""
        found: list[str] = []
        while len(found) < _LONGEST:
            to = await self._next(found[-1] if found else customer)
            if to is None or to == customer or to in found:
                break
            found.append(to)
        return found

    async def _next(self, customer: str) -> str | None:
        found = self._views.moved(customer)
        if not isinstance(found, Elsewhere):
            return None if found is None else found.to
        if found.address is None:
            return None
        path = f"/v1/customers/{quote(customer, safe='')}/context"
        told = await self._peers.ask(found.address, path, _OURSELVES)
        if told is None or told.status != 307 or told.location is None:
            return None
        parts = told.location.split("/")
        return unquote(parts[3]) if len(parts) > 3 else None
