"""Every reason this engine can give, once: a sentence for the author, one for an agent, one for the customer.

The closed list behind the `reason` of a decision and its metric label; tables and documents are generated from it.
To add a reason, add its line here and name it in the suppressor that gives it.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Reason(NamedTuple):
    """One reason in three voices; `code` is `family.detail` and never changes its meaning."""

    code: str
    author: str
    agent: str
    customer: str


_TABLE: Final = (
    Reason("allowed.clear", "No suppressor objects.", "We may speak.", "This may interest you."),
    Reason(
        "dnc.erased",
        "The customer was erased and has not come back.",
        "Erased at their request: do not contact.",
        "You asked us to forget you, so we stay silent.",
    ),
    Reason(
        "empathy.deceased",
        "The customer has died.",
        "The customer has died: no contact of any kind.",
        "We do not write to someone who has died.",
    ),
    Reason(
        "degraded.state",
        "The stored state could not be read; marketing stays silent until it is repaired.",
        "We cannot see this customer's history: service only.",
        "We do not know you well enough right now to write.",
    ),
    Reason(
        "consent.missing",
        "No consent was ever given for this purpose and channel.",
        "No consent on file for this channel.",
        "You have not agreed to this on this channel.",
    ),
    Reason(
        "consent.withdrawn",
        "The consent for this purpose and channel was withdrawn.",
        "Consent was withdrawn: do not offer.",
        "You withdrew your consent, so we stay silent.",
    ),
    Reason(
        "consent.expired",
        "The consent for this purpose and channel has run out.",
        "Consent has run out: ask before offering.",
        "Your consent has run out, so we stay silent.",
    ),
    Reason(
        "recent_purchase.price_drop",
        "The same item is offered for less than the customer just paid.",
        "They bought it for more: do not mention the lower price as an offer.",
        "You just bought this; offering it cheaper now would not be fair.",
    ),
    Reason(
        "recent_purchase.same_item",
        "The same item or a variant of it was just bought.",
        "They already own it.",
        "You just bought this.",
    ),
    Reason(
        "recent_purchase.substitute",
        "A substitute of what was just bought.",
        "They just bought what this would replace.",
        "You just bought something like this.",
    ),
    Reason(
        "recent_purchase.same_category",
        "The category of something just bought.",
        "They just bought from this category.",
        "You just bought something of this kind.",
    ),
    Reason(
        "recent_purchase.cooldown",
        "Right after a purchase nothing is offered.",
        "They have just bought: no offers now.",
        "You have just bought from us; we give you a rest.",
    ),
    Reason(
        "quiet_hours.night",
        "It is night where the customer is.",
        "It is night there: wait.",
        "It is late where you are; this can wait until morning.",
    ),
    Reason(
        "contact_window.outside",
        "Outside the hours that the customer chose.",
        "They asked to be contacted at other hours.",
        "You told us when it suits you; we wait for that.",
    ),
    Reason(
        "timezone.unknown",
        "Neither a time zone nor a country is known, so nobody can say whether it is night.",
        "We do not know their time zone.",
        "We do not know what time it is where you are.",
    ),
    Reason(
        "frequency_cap.day",
        "The day's number of marketing messages is used up.",
        "They heard from us within a day.",
        "We already wrote to you today.",
    ),
    Reason(
        "frequency_cap.week",
        "The week's number of marketing messages is used up.",
        "They heard from us often this week.",
        "We already wrote to you several times this week.",
    ),
    Reason(
        "frequency_cap.month",
        "The month's number of marketing messages is used up.",
        "They heard from us often this month.",
        "We already wrote to you often this month.",
    ),
    Reason(
        "frequency_cap.channel",
        "This channel's own number of marketing messages is used up.",
        "This channel is used up for now.",
        "We already used this channel recently.",
    ),
    Reason(
        "frequency_cap.own_limit",
        "The customer's own weekly number is used up.",
        "They set a limit and it is reached.",
        "You set a limit, and it is reached.",
    ),
    Reason(
        "expired.too_late",
        "The candidate is over, or the request reached us too late.",
        "Too late to say.",
        "This is no longer of use to you.",
    ),
    Reason(
        "outranked.value",
        "Something of more value was said instead.",
        "Something better was said instead.",
        "We had something better for you.",
    ),
    Reason(
        "duplicate.request",
        "This request was already answered or deferred.",
        "Already answered.",
        "We already considered this.",
    ),
)

REASONS: Final[dict[str, Reason]] = {reason.code: reason for reason in _TABLE}
"""Code -> reason, in the order of the policy."""


def describe(code: str) -> Reason:
    """The reason's sentences; a rulebook's own cap or clause, which has none, is described by its name."""
    known = REASONS.get(code)
    if known is not None:
        return known
    sentence = code.replace("_", " ").replace(".", ": ") + "."
    return Reason(code, sentence, sentence, sentence)
