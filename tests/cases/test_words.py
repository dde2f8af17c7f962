"""The words of an event in a case: slips are told with what was meant, strangers are let pass."""

from __future__ import annotations

import pytest

from decisioning.cases.words import advice, choice, misspelt
from decisioning.payload import ContactRequested, SupportCaseOpened

CANDIDATE = {"action": "ad", "class": "marketing", "channels": ["sms"]}


def test_a_slip_in_a_field_is_told_where_it_is() -> None:
    """An optional field that is misspelt would be kept out of the way, and the case would prove something else."""
    data = {"request_id": "r", "candidates": [CANDIDATE, {**CANDIDATE, "topc": "shoes"}]}
    assert list(misspelt(ContactRequested, data)) == [
        (("candidates", 1, "topc"), "unknown field `topc`: did you mean `topic`?")
    ]


@pytest.mark.parametrize("more", [{}, {"topic": "shoes", "topics": 1}, {"made_up": 1}])
def test_what_looks_like_nothing_that_is_left_out_is_let_pass(more: dict[str, object]) -> None:
    """Unknown fields are no fault of an event."""
    assert list(misspelt(ContactRequested, {"request_id": "r", "candidates": [{**CANDIDATE, **more}]})) == []
    assert list(misspelt(ContactRequested, "nothing like it")) == []


def test_a_word_that_is_none_of_its_list_is_named() -> None:
    """With the one that was meant, or all that there are; what is no such fault stays as the parser said it."""
    message = "support.case_opened: Invalid enum value … - at `$.severity`"
    data = {"case_id": "k", "severity": "hgh"}
    told = advice(SupportCaseOpened, data, ["severity"], message)
    assert told == "support.case_opened: `hgh`: did you mean `high`?"
    assert advice(SupportCaseOpened, data, ["case_id"], message) == message
    assert advice(SupportCaseOpened, data, ["severity"], "something else") == "something else"
    assert choice("urgent", ("low", "normal", "high")) == "known here are `low`, `normal`, `high`"


def test_a_number_where_a_text_stands_needs_quotes() -> None:
    """YAML reads 7 as a number."""
    assert advice(SupportCaseOpened, {}, ["case_id"], "Expected `str`, got `int`") == (
        "Expected `str`, got `int`: put it in quotes"
    )
