"""Who speaks among those who may: value, then the request's order; the channel that the customer likes."""

from __future__ import annotations

from decisioning.decision import Candidate
from decisioning.rank import by_liking, by_rank
from decisioning.state import State
from tests.builders import Story, asked, offer, only, prefers, weighed


def worth(index: int, value: str) -> Candidate:
    """A candidate of which only place and value matter."""
    return Candidate(index, f"a-{index}", "marketing", ("email",), 0, value=value)


def test_the_greater_value_comes_first_then_the_requests_order() -> None:
    """Rank: value, then request order; numbers compare as numbers, exactly."""
    asked_for = [worth(0, "9"), worth(1, "10"), worth(2, "10.0"), worth(3, "-1"), worth(4, "1e2"), worth(5, "0")]
    assert [one.index for one in by_rank(asked_for)] == [4, 1, 2, 0, 5, 3]


def test_a_hair_of_value_decides() -> None:
    """Values are compared in full, not rounded to a float or to the context of decimals."""
    long = "123456789012345.1234567890"
    assert [one.index for one in by_rank([worth(0, long), worth(1, long[:-1] + "1")])] == [1, 0]


def test_absent_value_is_0(story: Story) -> None:
    """So a negative value loses to one that names none."""
    act = only(story.at("2026-03-02 10:15", asked(offer("grim", value=-1), offer("plain"))))
    assert act.action == "plain"


def test_a_value_may_be_a_number_or_a_decimal_string(story: Story) -> None:
    """ "10" beats 9.5 (reading 13)."""
    act = only(story.at("2026-03-02 10:15", asked(offer("float", value=9.5), offer("text", value="10"))))
    assert act.action == "text"


def test_without_a_liking_the_candidates_order_stands() -> None:
    """The candidate's channels come best first."""
    assert by_liking(State("c"), ["sms", "email"]) == ["sms", "email"]


def test_what_the_customer_likes_comes_first_and_the_rest_as_asked(story: Story) -> None:
    """The customer's liking, then the candidate's order; a channel that is not on offer is passed over."""
    story.at("2026-03-02 10:00", prefers(channels=["letter", "push", "sms"]))
    assert by_liking(story.state, ["email", "sms", "call", "push"]) == ["push", "sms", "email", "call"]


def test_the_most_liked_channel_that_may_speaks(story: Story) -> None:
    """The customer's liking decides among the allowed channels, and orders what was considered."""
    story.at("2026-03-02 10:00", prefers(channels=["push"]))
    act = only(story.at("2026-03-02 10:15", asked(offer("one", on=["sms", "push"]), offer("two", on=["email"]))))
    assert (act.action, act.channel) == ("one", "push")
    assert [pair[:2] for pair in weighed(act)] == [("one", "push"), ("one", "sms"), ("two", "email")]
