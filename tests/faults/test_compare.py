"""What stock Faust is counted by: the readable events, told by JSON alone."""

from __future__ import annotations

import pytest

from tests.faults.compare import COMPARED, subject
from tests.faults.scenario import SCENARIOS
from tests.streaming.records import event, record


@pytest.mark.parametrize(
    ("value", "found"),
    [(event("x.y", of="c-1"), "c-1"), (None, None), (b"", None), (b"{", None), (b"[]", None), (b"{}", None),
     (b'{"subject":5}', None), (b"\xff", None)],
)  # fmt: skip
def test_what_counts_as_an_event(value: bytes | None, found: str | None) -> None:
    """An object with a subject: all that the stock job reads of it."""
    assert subject(record(value)) == found


def test_what_is_compared_is_a_scenario() -> None:
    """Every name of the table."""
    assert set(COMPARED) <= {scenario.name for scenario in SCENARIOS}
