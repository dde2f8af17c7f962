"""Who is who: which customer a name stands for after links and merges, told by the contract's words alone."""

from __future__ import annotations

from decisioning.event import Event
from decisioning.payload import CustomerMerged, IdentityLinked


class Names:
    """Every name stands for itself until it is linked or merged; then for whomever it became a part of."""

    def __init__(self) -> None:
        self.moved: dict[str, tuple[str, int]] = {}
        self.parts: dict[str, set[str]] = {}
        self.erased: dict[str, int] = {}

    def of(self, name: str) -> str:
        """The customer for whom a name stands now."""
        while name in self.moved:
            name = self.moved[name][0]
        return name

    def tell(self, event: Event) -> tuple[str, str] | None:
        """Take in a link or a merge: (who disappears, who takes them in) where one memory becomes part of another. What
        happened at or before an erasure is none."""
        data, at = event.data, event.time
        root = self.of(event.subject)
        if event.type == "customer.erased":
            self.erased[root] = max(at, self.erased.get(root, at))
        if any(at <= self.erased.get(name, -1) for name in (event.subject, root)):
            return None
        if isinstance(data, CustomerMerged):
            if data.into in ({root} | self.parts.get(root, set())):
                return None
            return self._moves(root, data.into, at)
        if not isinstance(data, IdentityLinked) or data.identity == root:
            return None
        if data.identity not in self.moved:
            return None if root in self.parts.get(data.identity, set()) else self._moves(data.identity, root, at)
        into, since = self.moved[data.identity]
        if into != root and at >= since:
            self.moved[data.identity] = (root, at)
            self.parts.setdefault(root, set()).add(data.identity)
        return None

    def _moves(self, name: str, into: str, at: int) -> tuple[str, str]:
        self.moved[name] = (into, at)
        home = self.of(into)
        self.parts.setdefault(home, set()).update(self.parts.get(name, set()) | {name})
        return name, home
