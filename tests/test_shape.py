"""Models of a rulebook take what is written, and nothing that only looks like it."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from decisioning.instant import DAY
from decisioning.shape import Duration, Rule


class Numbers(Rule):
    """One field of each kind."""

    on: bool = False
    limit: int = Field(default=1, ge=0)
    share: float = 0.5
    per: Duration = DAY
    names: tuple[str, ...] = ()


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "true", 1, 0])
def test_only_true_and_false_are_switches(word: object) -> None:
    """YAML 1.2 reads `on` as a text, and pydantic would take it for true."""
    with pytest.raises(ValidationError, match="write true or false"):
        Numbers.model_validate({"on": word})
    assert Numbers.model_validate({"on": True}).on is True


@pytest.mark.parametrize(("field", "value"), [("limit", True), ("limit", "3"), ("share", False), ("share", "0.5")])
def test_a_number_is_a_number(field: str, value: object) -> None:
    """Not true for 1, and not a text."""
    with pytest.raises(ValidationError, match="write a number"):
        Numbers.model_validate({field: value})


@pytest.mark.parametrize("value", [1, "1", "two days", True, None])
def test_a_duration_has_its_unit(value: object) -> None:
    """A bare number means hours to one author and days to the next."""
    with pytest.raises(ValidationError):
        Numbers.model_validate({"per": value})
    assert Numbers.model_validate({"per": "2d"}).per == 2 * DAY


def test_an_unknown_field_is_a_mistake() -> None:
    """And a model never changes."""
    with pytest.raises(ValidationError):
        Numbers.model_validate({"limits": 1})
    with pytest.raises(ValidationError):
        Numbers().limit = 2
