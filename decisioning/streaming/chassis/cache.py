"""States that the local store has, kept decoded within a budget of memory, because recent keys come again.

The changelog stays the truth and the store its copy: a state goes in when the store has it and out when another
needs the room, the one written longest ago first. Faust has no such thing: each of its reads decodes.
"""

from __future__ import annotations

from typing import TypeVar

from decisioning.streaming.chassis.part import Held

__all__ = ["AtHand"]

S = TypeVar("S")

_BESIDE = 1024  # bytes that a state takes besides itself: key, header, marks, entries


class AtHand(dict[bytes, Held[S]]):
    """Decoded states by key, the newest last. `budget` and `taken` are bytes of memory, about; `ratio`: how many of
    them a decoded state takes for each byte of its record."""

    def __init__(self, budget: int, ratio: int) -> None:
        super().__init__()
        self.budget = budget
        self.taken = 0
        self._ratio = ratio

    def keep(self, held: Held[S]) -> None:
        """Take in a state that the store has; a key without one is let go of, for its marks may be removed any time."""
        former = self.pop(held.key, None)
        if former is not None:
            self.taken -= former.weight
        if held.state is None or held.body is None:
            return
        held.weight = _BESIDE + self._ratio * len(held.body)
        if held.weight > self.budget:
            return
        self[held.key] = held
        self.taken += held.weight
        while self.taken > self.budget:
            self.taken -= self.pop(next(iter(self))).weight
