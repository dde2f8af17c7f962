"""The shape of a cases file: what an analyst writes, and what each field means.

A case is a list of steps. A step is one event (`at:` and the event's type as a key) or a time up to which promised
answers are due (`until:`), and `expect:` lists all that is said since the step before, in order. Times may be written
`2026-03-02 10:15`, UTC unless they carry an offset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    create_model,
    model_validator,
)

from decisioning.decision import Outcome
from decisioning.instant import DAY, format_instant, parse_instant
from decisioning.payload import TYPES

CUSTOMER: Final = "c-1"
"""The customer of a case that names none."""
BY_NAME: Final = "a name"
IN_FULL: Final = "in full"
NEVER: Final = "never"
"""In place of a time: the decision does not carry the field."""


def read_time(text: str) -> int:
    """The instant of `2026-03-02 10:15`; seconds, `T` and an offset may be written, without an offset it is UTC.

    ValueError for anything else.
    """
    text = text.strip().replace(" ", "T")
    if len(text) == len("2026-03-02"):
        text += "T00:00"
    day, _, clock = text.partition("T")
    offset = next((place for place, sign in enumerate(clock) if sign in "Zz+-"), len(clock))
    clock, offset_text = clock[:offset], clock[offset:] or "Z"
    if clock.count(":") == 1:
        clock += ":00"
    try:
        return parse_instant(f"{day}T{clock}{offset_text}")
    except ValueError:
        raise ValueError("not a time: write `2026-03-02 10:15`, or with an offset `2026-03-02 10:15+01:00`") from None


def _time(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a time: write `2026-03-02 10:15`")
    return format_instant(read_time(value))


def _time_or_never(value: str) -> str:
    return value if value == NEVER else _time(value)


Time = Annotated[str, BeforeValidator(_time)]
"""A time as a person writes it; RFC 3339 in UTC once parsed."""
TimeOrNever = Annotated[str, AfterValidator(_time_or_never)]
"""A time, or `never`: the decision does not carry the field."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Weighed(_Model):
    """One line of `considered`; what is left out is not compared."""

    action: str | None = None
    channel: str | None = None
    verdict: Literal["allow", "suppress", "defer"] | None = None
    reason: str | None = None
    because: dict[str, Any] | None = None
    not_before: TimeOrNever | None = None
    allowed_from: TimeOrNever | None = None


class Expected(_Model):
    """One decision: its outcome is the key, its action (a hold's or a release's: its reason) the value.

    Every other field is compared only where it is written; `never` says that it is absent.
    """

    act: str | None = Field(default=None, description="Say this: the action.")
    suppress: str | None = Field(default=None, description="The answer is no: the action.")
    defer: str | None = Field(default=None, description="Not now: the action.")
    recall: str | None = Field(default=None, description="Take an act back: the action.")
    hold: str | None = Field(default=None, description="A hold begins: its reason.")
    release: str | None = Field(default=None, description="A hold ends: its reason.")
    as_: str | None = Field(default=None, alias="as", description="A name for this decision, for later steps.")
    subject: str | None = Field(default=None, description="The customer; `c-1` unless the case has several.")
    class_: Literal["marketing", "survey", "service", "care"] | None = Field(default=None, alias="class")
    channel: str | None = None
    reason: str | None = None
    request_id: str | None = None
    valid_until: TimeOrNever | None = None
    not_before: TimeOrNever | None = None
    allowed_from: TimeOrNever | None = None
    until: TimeOrNever | None = None
    scope: dict[str, list[str]] | None = Field(default=None, description="What a hold forbids, whole.")
    recalls: str | None = Field(default=None, description="The `as` of the act that is taken back.")
    releases: str | None = Field(default=None, description="The `as` of the hold that ends.")
    replaces: str | None = None
    treatment: str | None = None
    context: dict[str, Any] | None = Field(default=None, description="Some of what whoever speaks is told.")
    because: dict[str, Any] | None = Field(default=None, description="Some of the facts behind the reason.")
    considered: list[Weighed] | None = Field(default=None, description="All that was weighed, in order.")

    @model_validator(mode="after")
    def _one_outcome(self) -> Expected:
        if sum(getattr(self, outcome.value) is not None for outcome in Outcome) != 1:
            names = ", ".join(outcome.value for outcome in Outcome)
            raise ValueError(f"write exactly one outcome: {names}")
        return self

    @property
    def outcome(self) -> Outcome:
        """Which of the six it is."""
        return next(outcome for outcome in Outcome if getattr(self, outcome.value) is not None)


def _said(value: object) -> object:
    if value == "silence":
        return []
    return [value] if isinstance(value, Mapping) else value


Expectation = Annotated[
    list[Expected], BeforeValidator(_said, json_schema_input_type=list[Expected] | Expected | Literal["silence"])
]
"""All that is said since the step before, in order; `silence`: nothing at all."""


class _Step(_Model):
    """One thing that happens, or the passing of time, and what is said of it."""

    at: Time | None = Field(default=None, description="When it is handled, such as 2026-03-02 10:15; UTC.")
    until: Time | None = Field(default=None, description="In place of an event: promised answers due by then.")
    time: Time | None = Field(default=None, description="When it happened, if it is handled later than that.")
    id: str | None = Field(default=None, description="The event's id, where the case is about it.")
    source: str | None = Field(default=None, description="The event's source, where the case is about it.")
    subject: str | None = Field(default=None, description="Another customer than `c-1`.")
    expect: Expectation | None = Field(
        default=None, description="What is said; without it nothing but holds and releases may be."
    )

    @property
    def happening(self) -> tuple[str, dict[str, Any]] | None:
        """The event's type and data as they are written, or None for the passing of time."""
        found = ((type_, getattr(self, _name(type_))) for type_ in TYPES)
        return next(((type_, data) for type_, data in found if data is not None), None)

    @model_validator(mode="after")
    def _one_thing(self) -> _Step:
        written = [type_ for type_ in TYPES if getattr(self, _name(type_)) is not None]
        if (self.until is None) == (self.at is None) or len(written) != (self.at is not None):
            raise ValueError("a step is `at:` and one event, such as `purchase.completed: {...}`, or `until:`")
        return self


def _name(type_: str) -> str:
    return type_.replace(".", "_")


_EVENTS: dict[str, Any] = {
    _name(type_): (dict[str, Any] | None, Field(default=None, alias=type_, description=model.__doc__))
    for type_, (_, model) in TYPES.items()
}
if TYPE_CHECKING:
    Step = _Step
else:
    Step = create_model("Step", __base__=_Step, __doc__=_Step.__doc__, **_EVENTS)


Purpose = Literal["marketing", "survey", "profiling"]


class Grant(_Model):
    """A consent: the purpose, on these channels (none named: on all), perhaps with an end."""

    purpose: Purpose
    channels: list[str] | None = None
    expires_at: Time | None = None


Granted = Annotated[
    Grant,
    BeforeValidator(
        lambda value: {"purpose": value} if isinstance(value, str) else value, json_schema_input_type=Grant | Purpose
    ),
]
"""A consent in full, or only its purpose."""


class Person(_Model):
    """Who the customer is when the case begins; told a day before the first step, or at `since`."""

    since: Time | None = None
    name: str | None = None
    time_zone: str | None = None
    country: str | None = None
    language: str | None = None
    birth_date: str | None = None
    household_id: str | None = None
    attributes: dict[str, Any] | None = None
    consents: list[Granted] = []
    contact_windows: list[dict[str, Any]] | None = None
    channels: list[str] | None = Field(default=None, description="In order of liking.")
    topics_off: list[str] | None = None
    max_marketing_per_week: int | None = None
    needs: list[str] | None = None

    def events(self, before: int) -> Iterator[tuple[str, dict[str, Any], int]]:
        """The events that tell it: type, data and instant; `before` is the instant of the first step."""
        at = read_time(self.since) if self.since is not None else before - DAY
        profile = ("name", "time_zone", "country", "language", "birth_date", "household_id", "attributes")
        wishes = ("contact_windows", "channels", "topics_off", "max_marketing_per_week", "needs")
        for type_, names in (("customer.updated", profile), ("customer.preference_set", wishes)):
            told = {name: found for name in names if (found := getattr(self, name)) is not None}
            if told:
                yield type_, told, at
        for consent in self.consents:
            yield "consent.granted", consent.model_dump(exclude_none=True), at


def _kind(value: object) -> str:
    return IN_FULL if isinstance(value, Mapping | Person) else BY_NAME


Customer = Annotated[Annotated[str, Tag(BY_NAME)] | Annotated[Person, Tag(IN_FULL)], Discriminator(_kind)]
"""A name under `customers`, or the customer in full."""


class Case(_Model):
    """One story: the customer as they are, then step by step what happens and what must be said."""

    case: str = Field(min_length=1, max_length=200, description="Its name: what it shows.")
    story: str | None = Field(default=None, description="Where it comes from, or why it matters.")
    customer: Customer | None = Field(
        default=None, description="A name under `customers`, or the customer in full; without it nothing is known."
    )
    products: list[dict[str, Any]] = Field(default=[], description="What the catalogue knows beside the file's own.")
    steps: list[Step] = Field(min_length=1)


class Book(_Model):
    """A cases file."""

    cases: list[Case] = Field(min_length=1)
    customers: dict[str, Person] = Field(default={}, description="Customers that cases begin with, by name.")
    products: list[dict[str, Any]] = Field(default=[], description="What the catalogue knows in every case.")
