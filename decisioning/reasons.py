"""Every reason this engine can give, once: a sentence for the author, one for an agent, one for the customer.

The closed list behind the `reason` of a decision and its metric label; tables and documents are generated from it.
To add a reason, add its line here and name it in the suppressor that gives it.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
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
        "stopped.marketing",
        "All marketing is stopped, by the rulebook or by hand.",
        "All marketing is stopped: offer nothing.",
        "We are sending no offers at the moment.",
    ),
    Reason(
        "stopped.channel",
        "This channel is stopped, by the rulebook or by hand.",
        "This channel is stopped: use another one.",
        "We are not using this channel at the moment.",
    ),
    Reason(
        "stopped.action",
        "This action is stopped, by the rulebook or by hand.",
        "This is stopped: do not say it.",
        "We are not sending this at the moment.",
    ),
    Reason(
        "stopped.campaign",
        "This campaign is stopped, by the rulebook or by hand.",
        "This campaign is stopped: say nothing of it.",
        "We are not sending this at the moment.",
    ),
    Reason(
        "degraded.state",
        "The stored state could not be read; marketing stays silent until it is repaired.",
        "We cannot see this customer's history: service only.",
        "We do not know you well enough right now to write.",
    ),
    Reason(
        "dnc.complained",
        "The customer complained on this channel, and has not agreed anew since.",
        "They complained about this channel: do not use it for offers or surveys.",
        "You complained, so we stay silent here until you tell us otherwise.",
    ),
    Reason(
        "dnc.unsubscribed",
        "The customer unsubscribed on this channel, and has not agreed anew since.",
        "They unsubscribed here: no offers and no surveys.",
        "You unsubscribed, so we stay silent here until you tell us otherwise.",
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
        "empathy.bereavement",
        "The customer is bereaved.",
        "They lost someone: no offers, no surveys, and a gentle voice.",
        "We leave you in peace in this time.",
    ),
    Reason(
        "empathy.vulnerable",
        "The customer is in a vulnerable situation.",
        "They are in a difficult situation: no offers and no surveys.",
        "We leave you in peace in this time.",
    ),
    Reason(
        "hold.open_issue",
        "A case of the customer is open.",
        "Their problem is not solved yet: help, and offer nothing.",
        "We first solve your problem.",
    ),
    Reason(
        "hold.recently_resolved",
        "A case of the customer was resolved only now.",
        "Their problem was just solved: offer nothing yet.",
        "We give you some rest after the trouble you had.",
    ),
    Reason(
        "hold.basics_unresolved",
        "A payment failed, or an order is late, and it is not settled yet.",
        "An order of theirs is late or unpaid: settle that first.",
        "We first bring your order to a good end.",
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
        "campaign_exclusion.existing_customer",
        "Meant for prospects, and the customer has bought before.",
        "They are a customer already: no offers for new ones.",
        "This is for people who have never bought from us.",
    ),
    Reason(
        "repetition.declined",
        "The customer declined this topic too often.",
        "They said no to this: do not bring it up.",
        "You said no to this, so we let it rest.",
    ),
    Reason(
        "repetition.ignored",
        "The customer ignored this topic too often.",
        "They showed no interest in this: do not bring it up.",
        "This did not seem to interest you, so we let it rest.",
    ),
    Reason(
        "ineligible.topic_off",
        "The customer switched this topic off.",
        "They want to hear nothing of this topic.",
        "You switched this topic off.",
    ),
    Reason(
        "need_conflict.need",
        "The candidate does not say that it meets every need of the customer.",
        "It does not meet what they need.",
        "This does not meet what you told us you need.",
    ),
    Reason(
        "survey.no_plan",
        "No survey plan covers it.",
        "No survey: it is not part of a plan.",
        "We have no questions for you right now.",
    ),
    Reason(
        "quiet_hours.night",
        "It is night where the customer is.",
        "It is night there: wait.",
        "It is late where you are; this can wait until morning.",
    ),
    Reason(
        "quiet_hours.blackout",
        "A day on which the rulebook keeps silent.",
        "We stay silent on this day: wait.",
        "We do not write on this day.",
    ),
    Reason(
        "quiet_hours.holiday",
        "A public holiday where the customer lives.",
        "It is a public holiday there: wait.",
        "It is a holiday where you live; this can wait.",
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
        "concurrent_channel.just_contacted",
        "Another marketing message went out only minutes ago.",
        "They heard from us minutes ago on some channel.",
        "We wrote to you only a moment ago.",
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
        "holdout.control",
        "The customer is in the holdout, who get no marketing so that its effect can be measured.",
        "They are in a group that gets no offers for now.",
        "We send you no offers at the moment.",
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
    Reason(
        "withdrawn.request",
        "The request was withdrawn.",
        "The asker took it back: do not say it.",
        "This is no longer on offer.",
    ),
    Reason(
        "withdrawn.campaign",
        "The campaign was withdrawn.",
        "The campaign is over: do not mention it.",
        "This is no longer on offer.",
    ),
    Reason(
        "order.delayed",
        "The delivery moved by enough to tell the customer.",
        "Their order comes later: tell them the new date.",
        "Your order comes later than we told you.",
    ),
    Reason(
        "order.shipped",
        "The order was shipped.",
        "Their order is on its way.",
        "Your order is on its way.",
    ),
    Reason(
        "order.delivered",
        "The order was delivered.",
        "Their order has arrived.",
        "Your order has arrived.",
    ),
    Reason(
        "order.cancelled",
        "The order was cancelled, so that what was said of it is void.",
        "Their order is cancelled: say nothing more of it.",
        "Your order is cancelled.",
    ),
    Reason(
        "order.returned",
        "What was bought came back, so that what was said of it is void.",
        "They sent it back: say nothing more of it.",
        "You sent this back.",
    ),
    Reason(
        "make_good.price_drop",
        "The price fell soon after the purchase: the difference is given back instead of an offer.",
        "They paid more than it costs now: give them the difference.",
        "The price fell after you bought it; we give you the difference.",
    ),
)

REASONS: Final[dict[str, Reason]] = {reason.code: reason for reason in _TABLE}
"""Code -> reason, in the order of the policy."""


OPEN: Final[dict[str, Reason]] = {
    "frequency_cap": Reason(
        "frequency_cap.<cap>",
        "The rulebook's cap `<cap>` is used up.",
        "They heard from us often enough (<cap>).",
        "We already wrote to you often enough.",
    ),
    "ineligible": Reason(
        "ineligible.<clause>",
        "The rulebook's condition `<clause>` does not hold.",
        "Not meant for them now (<clause>).",
        "This is not meant for you right now.",
    ),
    "rule_error": Reason(
        "rule_error.<clause>",
        "The rulebook's condition `<clause>` could not be worked out, which is taken as a no.",
        "A rule could not be worked out (<clause>): say nothing.",
        "We could not be sure that this is right for you.",
    ),
}
"""Families in which a rulebook gives reasons of its own, by the name of its cap or clause, with their sentences."""


def unknown(code: str, given: Collection[str] = ()) -> str | None:
    """What is wrong with a reason that nobody can give, and which one was meant; None for one that is known.

    `given` are those that a rulebook can give; without them any name in a family of a rulebook's own is let pass.
    """
    family, _, detail = code.partition(".")
    if code in REASONS or code in given or (family in OPEN and detail and not given):
        return None
    known = list(dict.fromkeys((*REASONS, *given)))
    inside = {one.partition(".")[2]: one for one in known if one.startswith(f"{family}.")}
    near = difflib.get_close_matches(detail, inside, n=1) or difflib.get_close_matches(code, known, n=1, cutoff=0.8)
    if near and not (inside and near[0].startswith(f"{family}.")):
        return f"unknown reason `{code}`: did you mean `{inside.get(near[0], near[0])}`?"
    families = dict.fromkeys(one.partition(".")[0] for one in (*known, *OPEN))
    hint = f"this family has {', '.join(f'`{one}`' for one in inside.values())}" if inside else None
    return f"unknown reason `{code}`: {hint or 'families are ' + ', '.join(families)}"


def describe(code: str) -> Reason:
    """The reason's sentences; one of a rulebook's own is described by the name that its author gave it."""
    known = REASONS.get(code)
    if known is not None:
        return known
    family, _, detail = code.partition(".")
    pattern = OPEN.get(family)
    if pattern is None:
        sentence = code.replace("_", " ").replace(".", ": ") + "."
        return Reason(code, sentence, sentence, sentence)
    place, words = pattern.code.partition(".")[2], detail.replace("_", " ")
    author = pattern.author.replace(place, detail)
    return Reason(code, author, pattern.agent.replace(place, words), pattern.customer)
