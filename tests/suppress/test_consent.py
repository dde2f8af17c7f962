"""Rule 3: consent for purpose and channel; none is no; it lasts until `expires_at`, else 730 days from its time."""

from __future__ import annotations

import pytest

from tests.builders import BARE, Happening, Story, asked, at, granted, lives, of, offer, only, said, withdrawn


@pytest.fixture
def somewhere(stranger: Story) -> Story:
    """Someone in UTC who never agreed to anything."""
    stranger.at("2026-01-05 09:00", lives(time_zone="UTC"))
    return stranger


def ask(story: Story, when: str = "2026-03-02 10:15", on: str = "email", kind: str = "marketing") -> tuple[str, str]:
    """Outcome and reason of one question."""
    return said(story.at(when, asked(offer(on=[on], kind=kind))))[0]


MISSING = ("suppress", "consent.missing")
WITHDRAWN = ("suppress", "consent.withdrawn")
EXPIRED = ("suppress", "consent.expired")
YES = ("act", "allowed.clear")


@pytest.mark.parametrize("kind", ["marketing", "survey"])
def test_none_is_no(somewhere: Story, kind: str) -> None:
    """Without a consent marketing and surveys are silent, and no clock changes that."""
    answer = only(somewhere.at("2026-03-02 10:15", asked(offer(kind=kind))))
    assert said([answer]) == [MISSING]
    assert answer.allowed_from is None
    assert answer.considered[0].because == {"purpose": kind, "channel": "email"}


@pytest.mark.parametrize("kind", ["service", "care"])
def test_service_and_care_need_none(somewhere: Story, kind: str) -> None:
    """Rule 3 is for marketing and survey."""
    assert ask(somewhere, kind=kind) == YES


@pytest.mark.parametrize(
    ("purpose", "kind", "expected"),
    [
        ("marketing", "marketing", YES),
        ("survey", "survey", ("suppress", "survey.no_plan")),
        ("marketing", "survey", MISSING),
        ("survey", "marketing", MISSING),
        ("profiling", "marketing", MISSING),
    ],
)
def test_each_purpose_is_its_own(somewhere: Story, purpose: str, kind: str, expected: tuple[str, str]) -> None:
    """Consent is for a purpose: to marketing it says nothing of surveys."""
    somewhere.at("2026-03-02 10:00", granted(purpose))
    assert ask(somewhere, kind=kind) == expected


def test_consent_for_one_channel_is_for_that_channel(somewhere: Story) -> None:
    """`channels` names where it holds."""
    somewhere.at("2026-03-02 10:00", granted(on=["sms"]))
    assert ask(somewhere, on="email") == MISSING
    assert ask(somewhere, on="sms") == YES


def test_consent_without_channels_is_for_all(somewhere: Story) -> None:
    """No `channels` means all of them."""
    somewhere.at("2026-03-02 10:00", granted())
    assert ask(somewhere, on="carrier_pigeon") == YES


def test_a_withdrawal_for_one_channel_leaves_the_others(somewhere: Story) -> None:
    """The later fact holds, for its channel."""
    somewhere.at("2026-03-02 10:00", granted())
    somewhere.at("2026-03-02 10:01", withdrawn(on=["sms"]))
    assert ask(somewhere, on="sms") == WITHDRAWN
    assert ask(somewhere, on="email") == YES


def test_a_withdrawal_for_all_takes_the_channels_with_it(somewhere: Story) -> None:
    """A fact for all channels is one for each."""
    somewhere.at("2026-03-02 10:00", granted(on=["sms"]))
    somewhere.at("2026-03-02 10:01", withdrawn())
    assert ask(somewhere, on="sms") == WITHDRAWN


def test_a_grant_for_one_channel_after_a_withdrawal_for_all(somewhere: Story) -> None:
    """The later fact holds on that channel, the withdrawal on the others."""
    somewhere.at("2026-03-02 10:00", withdrawn())
    somewhere.at("2026-03-02 10:01", granted(on=["sms"]))
    assert ask(somewhere, on="email") == WITHDRAWN
    assert ask(somewhere, on="sms") == YES


@pytest.mark.parametrize(
    ("late", "expected"),
    [(withdrawn(), YES), (withdrawn(on=["email"]), YES)],
)
def test_a_late_older_fact_changes_nothing(somewhere: Story, late: Happening, expected: tuple[str, str]) -> None:
    """Of two facts the one with the later `time` holds, whatever the order of arrival."""
    somewhere.at("2026-03-02 10:00", granted(on=["email"]))
    somewhere.at("2026-03-02 10:05", late.since("2026-03-02 09:00"))
    assert ask(somewhere) == expected


def test_a_late_withdrawal_for_all_holds_where_nothing_later_is_known(somewhere: Story) -> None:
    """The older withdrawal still counts on channels without a later grant."""
    somewhere.at("2026-03-02 10:00", granted(on=["email"]))
    somewhere.at("2026-03-02 10:05", withdrawn().since("2026-03-02 09:00"))
    assert ask(somewhere, on="sms") == WITHDRAWN


@pytest.mark.parametrize(
    "facts",
    [
        (granted(), withdrawn()),
        (withdrawn(), granted()),
        (granted(), withdrawn(on=["email"])),
        (withdrawn(on=["email"]), granted()),
        (granted(on=["email"]), withdrawn()),
        (withdrawn(), granted(on=["email"])),
    ],
)
def test_at_a_tie_the_stricter_holds(somewhere: Story, facts: tuple[Happening, ...]) -> None:
    """A withdrawal and a grant of one time: withdrawn, in any order of arrival and of any width."""
    somewhere.at("2026-03-02 10:00", *facts)
    assert ask(somewhere) == WITHDRAWN


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("other", ["2026-03-03 12:00", None])
def test_of_two_grants_of_one_time_the_earlier_end_holds(somewhere: Story, turned: bool, other: str | None) -> None:
    """The stricter of two ends is the earlier."""
    facts = [granted(expires="2026-03-02 12:00"), granted(on=["email"], expires=other)]
    somewhere.at("2026-03-02 10:00", *(reversed(facts) if turned else facts))
    assert ask(somewhere, "2026-03-02 12:00") == EXPIRED


@pytest.mark.parametrize("turned", [False, True])
def test_an_end_beyond_the_default_is_not_the_stricter(somewhere: Story, turned: bool) -> None:
    """730 days end before an `expires_at` of three years."""
    facts = [granted(expires="2029-03-02 10:00"), granted()]
    somewhere.at("2026-03-02 10:00", *(reversed(facts) if turned else facts))
    assert ask(somewhere, "2028-03-02 10:00") == EXPIRED


def test_it_is_over_at_its_end(somewhere: Story) -> None:
    """Ends are [from, to): a microsecond before it holds, at `expires_at` it is expired."""
    somewhere.at("2026-03-02 10:00", granted(expires="2026-03-10 12:00"))
    assert ask(somewhere, "2026-03-10 11:59:59.999999") == YES
    assert ask(somewhere, "2026-03-10 12:00") == EXPIRED


def test_without_an_end_it_lasts_730_days_from_its_time(somewhere: Story) -> None:
    """From its `time`, not from its arrival."""
    somewhere.at("2026-03-02 10:00", granted().since("2026-03-01 10:00"))
    assert ask(somewhere, "2028-02-29 09:59:59.999999") == YES
    answer = only(somewhere.at("2028-02-29 10:00", asked()))
    assert said([answer]) == [EXPIRED]
    assert answer.allowed_from is None
    assert answer.considered[0].because == {
        "purpose": "marketing",
        "channel": "email",
        "since": "2026-03-01T10:00:00Z",
        "until": "2028-02-29T10:00:00Z",
    }


def test_how_long_it_lasts_is_the_rulebooks() -> None:
    """730d is a default."""
    story = Story(BARE + b"respect: {consent: {lasts: 10d}}\n")
    story.at("2026-03-02 10:00", lives(time_zone="UTC"), granted())
    assert ask(story, "2026-03-12 10:00") == EXPIRED


def test_a_withdrawal_has_no_end(somewhere: Story) -> None:
    """An `expires_at` on a withdrawal is ignored (reading 13)."""
    until = withdrawn()
    until.data["expires_at"] = "2026-03-02T10:05:00Z"
    somewhere.at("2026-03-02 09:00", granted())
    somewhere.at("2026-03-02 10:00", until)
    answer = only(somewhere.at("2026-03-02 10:15", asked()))
    assert said([answer]) == [WITHDRAWN]
    assert answer.considered[0].because == {"purpose": "marketing", "channel": "email", "since": "2026-03-02T10:00:00Z"}


def test_a_withdrawal_recalls_what_is_live(somewhere: Story) -> None:
    """Recall needs no rule of its own: consent is judged again after the event."""
    somewhere.at("2026-03-02 10:00", granted())
    act = only(somewhere.at("2026-03-02 10:15", asked()))
    recall = only(of("recall", somewhere.at("2026-03-02 10:20", withdrawn())))
    assert said([recall]) == [("recall", "consent.withdrawn")]
    assert recall.recalls == act.id
    assert recall.time == at("2026-03-02 10:20")
