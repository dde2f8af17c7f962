"""One order as we remember it: what was bought, sent back, promised and said of it."""

from __future__ import annotations

from msgspec import Struct

from decisioning.payload import Money


class Line(Struct, frozen=True, array_like=True, gc=False):
    """So many units of one sku, each at this price."""

    sku: str
    quantity: int
    unit_price: Money


class Kept(Struct, frozen=True, gc=False):
    """Units of one sku that were bought at `at` and did not come back: what each cost, in which currency."""

    sku: str
    unit_price: str
    currency: str
    at: int


class Returned(Struct, frozen=True, array_like=True, gc=False):
    """So many units of one sku came back; `at` is the newest return."""

    sku: str
    quantity: int
    at: int


class Told(Struct, frozen=True, array_like=True, gc=False):
    """At `at` an event gave `promised_at` as the delivery; `told`: placing, purchase and shipping say it to the
    customer, a change of plan does not."""

    at: int
    promised_at: int
    told: bool


class Said(Struct, frozen=True, array_like=True, gc=False):
    """What an act of ours told the customer of an order: `what` is the action, with the event's type where it speaks
    once of each (`order_status:order.shipped`).

    `promised_at` is the delivery that a delay alert named, `refund` what an adjustment gave back for a unit of `sku`.
    """

    act: str
    made: int
    what: str
    promised_at: int | None = None
    sku: str | None = None
    refund: Money | None = None


class Order(Struct, frozen=True, array_like=True, gc=False):
    """One order as far as we know it; without `bought_at` its purchase is not known."""

    id: str
    bought_at: int | None = None
    currency: str = ""
    lines: tuple[Line, ...] = ()
    returned: tuple[Returned, ...] = ()
    cancelled_at: int | None = None
    told: tuple[Told, ...] = ()
    postponed: bool = False
    """Whether, of two promises in a row, the later event once gave the later delivery."""
    shipped_at: int | None = None
    delivered_at: int | None = None
    payment_failed_at: int | None = None
    said: tuple[Said, ...] = ()
    left: tuple[tuple[int, int], ...] | None = None
    """Where the lines were forgotten: the units kept of each sku, by its fingerprint; empty when all came back."""

    @property
    def stands(self) -> bool:
        """Bought and not cancelled; a cancellation at the purchase's own time counts as after it (exact reading 6)."""
        return self.bought_at is not None and (self.cancelled_at is None or self.cancelled_at < self.bought_at)

    @property
    def came_back(self) -> bool:
        """Whether every unit that was bought was returned."""
        if not self.lines:
            return self.left == ()
        return all(self.kept(line.sku) <= 0 for line in self.lines)

    @property
    def owned(self) -> set[str]:
        """The skus of which a unit did not come back."""
        bought = {line.sku for line in self.lines}
        return bought - {item.sku for item in self.returned if self.kept(item.sku) <= 0} if self.returned else bought

    def kept(self, sku: str) -> int:
        """Units of `sku` that were bought and did not come back."""
        bought = sum(line.quantity for line in self.lines if line.sku == sku)
        return bought - sum(item.quantity for item in self.returned if item.sku == sku)
