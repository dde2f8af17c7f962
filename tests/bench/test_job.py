"""The job counts and remembers ten."""

from __future__ import annotations

import orjson

from tests.bench.job import event, state, step


def test_the_eleventh_event_lets_the_first_go() -> None:
    """The count goes on, the list does not grow."""
    kept = None
    for number in range(11):
        kept, answer = step(kept, orjson.loads(event(number, 5)[1]))
    assert kept == {"n": 11, "last": list(range(1, 11))}
    assert orjson.loads(answer) == {"id": 10, "d": "suppress", "n": 11}


def test_a_made_state_is_one_that_the_job_goes_on_from() -> None:
    """What a restore finds."""
    after, _ = step(orjson.loads(state(4)), {"id": 9})
    assert after == {"n": 5, "last": [0, 1, 2, 3, 9]}
