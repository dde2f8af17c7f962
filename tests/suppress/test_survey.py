"""Rule 16: a survey without a plan is refused, and there are no plans yet."""

from __future__ import annotations

from tests.builders import Story, asked, offer, only, said, weighed


def test_every_survey_is_refused(story: Story) -> None:
    """With consent and by day, and no clock changes that."""
    answer = only(story.at("2026-03-02 12:00", asked(offer(kind="survey"))))
    assert said([answer]) == [("suppress", "survey.no_plan")]
    assert answer.allowed_from is None
    assert answer.considered[0].because is None or not answer.considered[0].because


def test_marketing_beside_it_speaks(story: Story) -> None:
    """They share one answer, and only the survey is refused."""
    answer = only(story.at("2026-03-02 12:00", asked(offer("asks", kind="survey"), offer("sale"))))
    assert weighed(answer) == [
        ("asks", "email", "suppress", "survey.no_plan"),
        ("sale", "email", "allow", "allowed.clear"),
    ]


def test_at_night_it_is_refused_and_not_put_off(story: Story) -> None:
    """A refusal comes before a wish to wait."""
    assert said(story.at("2026-03-02 23:00", asked(offer(kind="survey")))) == [("suppress", "survey.no_plan")]
