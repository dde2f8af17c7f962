"""A decision in words: three voices, the facts, when it would be allowed and what would have to change."""

from __future__ import annotations

from decisioning.decision import Decision
from decisioning.explain import CHANGES, change, explain
from decisioning.reasons import OPEN, REASONS
from tests.builders import Story, asked, bought, cancelled, lives, offer, product


def told(decisions: list[Decision], last: int = 5) -> str:
    """What is said of the usual customer."""
    return "\n".join(explain(decisions, "c-42", last))


def test_a_refusal_is_explained_whole(story: Story) -> None:
    """The e-reader, thirty days: everything that a person would ask."""
    story.at("2026-03-02 08:00", product("A"))
    decisions = story.at("2026-03-02 10:15", bought("A"))
    decisions += story.at(
        "2026-03-20 09:00", asked(offer("sale", sku="A", price="80.00", currency="GBP"), request="r-1")
    )
    assert told(decisions, 1) == "\n".join(
        [
            "Customer c-42: the last 1 of 2 decisions, rulebook bare 1.",
            "",
            "2026-03-20 09:00:00 UTC  do not say sale (marketing) by email: recent_purchase.price_drop",
            f"  why (author):    {REASONS['recent_purchase.price_drop'].author}",
            f"  why (agent):     {REASONS['recent_purchase.price_drop'].agent}",
            f"  why (customer):  {REASONS['recent_purchase.price_drop'].customer}",
            "  because of:      contact.requested e-6 of /shop, request r-1",
            "  allowed from:    2026-04-01 10:15:00 UTC",
            "  weighed:",
            "    sale by email: no, recent_purchase.price_drop",
            "      facts:          sku: A; bought at: 2026-03-02T10:15:00Z; paid: 100.00; offered: 80.00",
            "      allowed from:   2026-04-01 10:15:00 UTC, if nothing else happens",
            "      or else:        the units come back, or the order is cancelled, or the offer costs no less than was "
            "paid",
        ]
    )


def test_each_outcome_has_its_words(story: Story) -> None:
    """A hold names its scope, a promise when it is kept, an act until when it may go out."""
    held = told(story.at("2026-03-02 10:15", bought("A")))
    assert "  hold: recent_purchase.same_item" in held
    assert "  nothing of:      categories: none; skus: A" in held
    assert "  until:           2026-04-01 10:15:00 UTC" in held
    over = told(story.at("2026-03-02 10:30", cancelled()))
    assert "  release: recent_purchase.same_item" in over
    assert f"  over (agent):    {REASONS['recent_purchase.same_item'].agent}" in over
    waits = told(story.at("2026-03-05 22:00", asked(offer("b"))))
    assert "not now b (marketing) by email: quiet_hours.night" in waits
    assert "  asked again at:  2026-03-06 08:00:00 UTC" in waits
    assert "    b by email: wait, quiet_hours.night" in waits
    acts = told(story.until("2026-03-06 08:00"))
    assert "say b (marketing) by email: allowed.clear" in acts
    assert "  began with:      contact.requested " in acts
    assert "  must go out by:  2026-03-06 12:00:00 UTC" in acts
    assert "    b by email: yes, allowed.clear" in acts


def test_what_time_does_not_mend_says_so() -> None:
    """Then only something that happens would."""
    story = Story()
    story.at("2026-03-02 09:00", lives(time_zone="UTC"))
    words = told(story.at("2026-03-02 10:00", asked()))
    assert "      allowed from:   not by the passing of time" in words
    assert "      or else:        the customer grants consent for this purpose and channel" in words


def test_who_lost_learns_when_and_how_it_would_win(story: Story) -> None:
    """It was allowed, and something else was said."""
    words = told(story.at("2026-03-02 10:00", asked(offer("best", value=2), offer("next", value=1))))
    assert "    best by email: yes, allowed.clear" in words
    lost = words[words.index("    next by email: yes, but outranked.value") :]
    assert "      allowed from:   2026-03-03 10:00:00 UTC, if nothing else happens" in lost
    assert "      or else:        it is worth more than what was said" in lost


def test_a_refusal_in_the_night_promises_nothing(story: Story) -> None:
    """It would be over before the morning: nobody asks again by itself."""
    words = told(story.at("2026-03-02 22:00", asked(offer("brief", expires="2026-03-02 23:00"))))
    assert "    brief by email: no, quiet_hours.night" in words
    assert "      or else:        it is asked anew when the quiet time is over" in words
    assert "by itself" not in words


def test_only_the_last_about_this_customer(story: Story) -> None:
    """Oldest first; one line where nothing was decided."""
    decisions = story.at("2026-03-02 10:00", asked(offer("a")), asked(offer("b")).by("c-7"), asked(offer("c")))
    words = told(decisions, 5)
    assert words.startswith("Customer c-42: the last 2 of 2 decisions")
    assert words.index("say a ") < words.index("do not say c ")
    assert " b " not in words
    assert told([]) == "Nothing was decided about c-42."


def test_every_reason_says_what_would_change_it() -> None:
    """By itself or by its family; words for a reason that is gone would mislead nobody, but are dead."""
    given = {code for code in REASONS if code.split(".")[0] not in ("allowed", "order", "make_good")}
    for code in given | {reason.code for reason in OPEN.values()}:
        assert code in CHANGES or code.split(".")[0] in CHANGES, f"{code}: say in CHANGES what would change it"
    families = {code.split(".")[0] for code in given} | set(OPEN)
    assert {key for key in CHANGES if key.split(".")[0] not in families} == set()
    assert {key for key in CHANGES if "." in key} <= set(REASONS)
    assert change("something.new") == "the rulebook or the facts that this reason reads change"
