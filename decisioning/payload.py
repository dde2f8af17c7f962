"""What each event type carries: the contract's tables (contract.md, section 2) as models.

`TYPES` is the one place to add an event type; its models are what `event.parse` accepts and what the JSON Schemas are
generated from. A missing required field, a wrong type or an unlisted value makes the event unreadable; `null` is
absent; unknown fields are kept out of the way.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from decisioning.window import DailyWindow, parse_days, parse_time_of_day

Id = Annotated[str, Meta(min_length=1, max_length=512)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]
Channel = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=20_000)]
Money = Annotated[str, Meta(pattern=r"^[0-9]{1,15}(\.[0-9]{1,10})?$")]
Number = Annotated[str, Meta(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,10})?$")]
Moment = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Class = Literal["marketing", "survey", "service", "care"]


class Data(Struct, frozen=True, gc=False):
    """The payload of one event type; unknown fields are kept out of the way, `null` is absent."""


class Line(Struct, frozen=True, gc=False):
    """One line of a purchase: `unit_price` is what one unit cost, in the purchase's currency."""

    sku: Id
    quantity: Count
    unit_price: Money


class ReturnedLine(Struct, frozen=True, gc=False):
    """One line of a return."""

    sku: Id
    quantity: Count


class PurchaseCompleted(Data, frozen=True):
    """A customer bought; also an order placed."""

    order_id: Id
    lines: Annotated[list[Line], Meta(max_length=10_000)]
    currency: Word
    channel: Channel | None = None
    promised_at: Moment | None = None


class PurchaseReturned(Data, frozen=True):
    """Units came back; they no longer count as bought."""

    order_id: Id
    lines: Annotated[list[ReturnedLine], Meta(max_length=10_000)]


class OrderPromised(Data, frozen=True):
    """An order was placed or shipped; `promised_at` is the delivery promised to the customer."""

    order_id: Id
    promised_at: Moment | None = None


class OrderEtaChanged(Data, frozen=True):
    """The delivery promised to the customer moved; `promised_at` is the new one."""

    order_id: Id
    promised_at: Moment


class OrderNamed(Data, frozen=True):
    """Something happened to a whole order: delivered, cancelled, payment failed."""

    order_id: Id


class SupportInteraction(Data, frozen=True):
    """The customer spoke with us."""

    interaction_id: Id
    channel: Channel
    topic: Word | None = None
    sentiment: Annotated[float, Meta(ge=-1, le=1)] | None = None
    wait_seconds: Annotated[float, Meta(ge=0)] | None = None
    case_id: Id | None = None


class SupportCaseOpened(Data, frozen=True):
    """A problem is open: silence for marketing until it is resolved."""

    case_id: Id
    severity: Literal["low", "normal", "high"]
    topic: Word | None = None
    order_id: Id | None = None


class SupportCaseResolved(Data, frozen=True):
    """A problem is said to be solved."""

    case_id: Id
    satisfied: bool | None = None
    automatic: bool | None = None


class SupportPromiseMade(Data, frozen=True):
    """Someone gave the customer our word."""

    promise_id: Id
    what: Text
    due_at: Moment
    case_id: Id | None = None
    channel: Channel | None = None


class SupportPromiseKept(Data, frozen=True):
    """Our word was kept."""

    promise_id: Id


class CustomerUpdated(Data, frozen=True):
    """Who the customer is; any of the fields."""

    name: Text | None = None
    time_zone: Word | None = None
    country: Word | None = None
    language: Word | None = None
    birth_date: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] | None = None
    household_id: Id | None = None
    attributes: dict[Word, object] | None = None


class ContactWindow(Struct, frozen=True, rename={"from_": "from"}, gc=False):
    """One of the customer's own contact windows, local time; `to` at or before `from` crosses midnight."""

    days: list[Word]
    from_: Word
    to: Word

    def window(self) -> DailyWindow:
        """The same as arithmetic; ValueError on an unknown day or time of day."""
        return DailyWindow(parse_days(self.days), parse_time_of_day(self.from_), parse_time_of_day(self.to))


class CustomerPreferenceSet(Data, frozen=True):
    """What the customer asked of us; any of the fields."""

    contact_windows: Annotated[list[ContactWindow], Meta(max_length=50)] | None = None
    channels: Annotated[list[Channel], Meta(max_length=50)] | None = None
    topics_off: Annotated[list[Word], Meta(max_length=200)] | None = None
    max_marketing_per_week: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    needs: Annotated[list[Word], Meta(max_length=200)] | None = None


class ConsentChanged(Data, frozen=True):
    """A consent was granted or withdrawn; no `channels` means all of them."""

    purpose: Literal["marketing", "survey", "profiling"]
    channels: Annotated[list[Channel], Meta(max_length=50)] | None = None
    expires_at: Moment | None = None


class CustomerLifeEvent(Data, frozen=True):
    """Something in the customer's life that we must respect."""

    kind: Literal["bereavement", "vulnerable", "deceased", "goal", "other"]
    until: Moment | None = None
    detail: Text | None = None


class IdentityLinked(Data, frozen=True):
    """An identity (`tel:`, `mailto:`, `member:`) belongs to the subject."""

    identity: Id


class CustomerMerged(Data, frozen=True):
    """The subject disappears into another customer."""

    into: Id


class CustomerErased(Data, frozen=True):
    """The customer asked to be forgotten."""

    reason: Text | None = None


class Response(Data, frozen=True):
    """What became of a decision, or what the customer answered to it."""

    decision_id: Id
    channel: Channel


class ResponseRecalled(Data, frozen=True):
    """A recall reached the channel; `in_time`: it was stopped before it went out."""

    decision_id: Id
    in_time: bool


class SurveyAnswered(Data, frozen=True):
    """A survey came back."""

    survey: Word
    score: Annotated[int, Meta(ge=0, le=10)] | None = None
    text: Text | None = None
    touchpoint: Word | None = None
    decision_id: Id | None = None


class Asked(Struct, frozen=True, rename={"class_": "class"}, gc=False):
    """One candidate of a request: what could be said, and on which channels, best first."""

    action: Word
    class_: Class
    channels: Annotated[list[Channel], Meta(min_length=1, max_length=20)]
    sku: Id | None = None
    category: Word | None = None
    price: Money | None = None
    currency: Word | None = None
    topic: Word | None = None
    audience: Word | None = None
    value: int | float | Number | None = None
    needs_ok: Annotated[list[Word], Meta(max_length=50)] | None = None
    expires_at: Moment | None = None


class ContactRequested(Data, frozen=True):
    """May we speak to this customer, and with which of these?"""

    request_id: Id
    candidates: Annotated[list[Asked], Meta(min_length=1, max_length=100)]
    campaign: Word | None = None


class ContactWithdrawn(Data, frozen=True):
    """Nothing deferred or live of that request or campaign stands any more; one of the two must be named."""

    request_id: Id | None = None
    campaign: Word | None = None


class ProductDescribed(Data, frozen=True):
    """What the catalogue knows of one sku."""

    sku: Id
    category: Word
    price: Money
    currency: Word
    variant_of: Id | None = None
    substitutes: Annotated[list[Id], Meta(max_length=1000)] | None = None
    complements: Annotated[list[Id], Meta(max_length=1000)] | None = None
    consumable_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None


RESPONSES: Final = (
    "delivered",
    "failed",
    "expired",
    "opened",
    "clicked",
    "accepted",
    "declined",
    "ignored",
    "complained",
    "unsubscribed",
)
"""What a channel can report of a decision, but for `recalled`, which says more."""

TYPES: Final[dict[str, tuple[str, type[Data]]]] = {
    "purchase.completed": ("purchases", PurchaseCompleted),
    "purchase.returned": ("purchases", PurchaseReturned),
    "order.placed": ("orders", OrderPromised),
    "order.shipped": ("orders", OrderPromised),
    "order.eta_changed": ("orders", OrderEtaChanged),
    "order.delivered": ("orders", OrderNamed),
    "order.cancelled": ("orders", OrderNamed),
    "order.payment_failed": ("orders", OrderNamed),
    "support.interaction": ("support", SupportInteraction),
    "support.case_opened": ("support", SupportCaseOpened),
    "support.case_resolved": ("support", SupportCaseResolved),
    "support.promise_made": ("support", SupportPromiseMade),
    "support.promise_kept": ("support", SupportPromiseKept),
    "customer.updated": ("customers", CustomerUpdated),
    "customer.preference_set": ("customers", CustomerPreferenceSet),
    "consent.granted": ("customers", ConsentChanged),
    "consent.withdrawn": ("customers", ConsentChanged),
    "customer.life_event": ("customers", CustomerLifeEvent),
    "identity.linked": ("customers", IdentityLinked),
    "customer.merged": ("customers", CustomerMerged),
    "customer.erased": ("customers", CustomerErased),
    **{f"response.{kind}": ("responses", Response) for kind in RESPONSES},
    "response.recalled": ("responses", ResponseRecalled),
    "survey.answered": ("responses", SurveyAnswered),
    "contact.requested": ("contact-requests", ContactRequested),
    "contact.withdrawn": ("contact-requests", ContactWithdrawn),
    "product.described": ("products", ProductDescribed),
}
"""Event type -> (topic, model of its data): the one place to add the next."""
