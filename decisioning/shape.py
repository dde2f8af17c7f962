"""The shapes that a rulebook's models share: strict models, durations, and the choice between waiting and refusing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationInfo, field_validator

from decisioning.instant import format_duration, parse_duration


def _duration(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"a duration needs its unit: write '{value}d', '{value}h' or '{value}m'")
    raise ValueError("a duration is a text: write '45m', '6h' or '30d'")  # pydantic would read `true` as 1 microsecond


DurationText = Annotated[str, Field(pattern=r"^[0-9]{1,10}[smhdw]$", examples=["45m", "6h", "30d"])]
"""A duration as an author writes it."""

Duration = Annotated[
    int, BeforeValidator(_duration, json_schema_input_type=DurationText), PlainSerializer(format_duration, str)
]
"""A duration of a rulebook (`45m`, `6h`, `30d`), in microseconds once parsed."""


Then = Literal["defer", "suppress"]
"""Where a rulebook has the choice: whether what it objects to waits, or is refused."""


class Rule(BaseModel):
    """The numbers of one suppressor; an unknown field is an author's mistake, not an extension."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: object, info: ValidationInfo) -> object:
        """Pydantic would take `on` for true and true for 1; YAML 1.2 reads `on`, `off`, `yes` and `no` as texts."""
        field = cls.model_fields[info.field_name or ""]
        if any(isinstance(one, BeforeValidator) for one in field.metadata):
            return value
        if field.annotation is bool and not isinstance(value, bool):
            raise ValueError("write true or false" + (": YAML 1.2 reads a text here" if isinstance(value, str) else ""))
        if field.annotation in (int, float) and isinstance(value, bool | str):
            raise ValueError("write a number, without quotes")
        return value
