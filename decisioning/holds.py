"""Holds: what nobody may say to this customer from now on, whoever asks (contract.md, sections 3 and 4, "Holds").

A hold is not an event's effect but a fact's: `wanted` reads from the memory which holds there should be, `renew` tells
the difference. A fact that is new, or that changed its hold, brings a new one and then the release of the old; a fact
that is gone brings a release; a hold whose `until` has passed ends by itself. What the memory has forgotten is not
gone: its hold stands.

History brings facts and says nothing: its holds are said once, when no more of it comes (`State.unsaid`) or when
something happens to the customer. Only the purchases whose holds were never said are then looked for in the memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from decisioning.decision import SOURCE, Decision, Outcome, Trigger, decision_id
from decisioning.event import Event
from decisioning.instant import format_instant
from decisioning.payload import PurchaseCompleted
from decisioning.policy import Policy
from decisioning.state import State, memory, orders
from decisioning.state.model import MAX_HOLDS, Consent, Hold, Order, Scope

PROMOTIONAL: Final = Scope(classes=("marketing", "survey"))
"""What a problem and a life event silence."""

STANDING: Final = "hold.standing"
"""The type of a record on the topic of holds."""

REASONS: Final = (
    "dnc.erased", "empathy.deceased", "empathy.bereavement", "empathy.vulnerable", "hold.open_issue",
    "hold.recently_resolved", "consent.withdrawn", "recent_purchase.same_item",
)  # fmt: skip
"""Every reason that a hold and its release can have."""

SILENT: Final = frozenset({"dnc.erased", "empathy.deceased"})
"""Reasons of a hold of everything; any other without a scope lost it in an erasure and waits only to be released."""

_encode: Final = msgspec.json.Encoder(order="sorted").encode
_EVERYTHING: Final = Scope()


class Wanted(NamedTuple):
    """A hold that a fact of the memory asks for; `until` None: until the fact is gone."""

    fact: str
    reason: str
    scope: Scope
    until: int | None
    items: tuple[tuple[str, str], ...] = ()


def canonical(scope: Scope) -> str:
    """The scope as compact JSON with sorted keys: what a hold's decision id refers to (exact reading 12)."""
    return _encode(scope).decode()


def concerns(before: State, after: State) -> bool:
    """Whether what changed between two memories may change a hold, or one has ended and need not be remembered."""
    return (
        _purchases_differ(before.orders, after.orders)
        or after.cases is not before.cases
        or after.consents is not before.consents
        or after.life is not before.life
        or (after.erased, after.deceased) != (before.erased, before.deceased)
        or bool([hold for hold in after.holds if hold.until is not None and hold.until <= after.now])
    )


def _purchases_differ(before: tuple[Order, ...], after: tuple[Order, ...]) -> bool:
    """Whether one was made, sent back or called off; how its delivery fares changes no hold."""
    if before is after:
        return False
    return len(before) != len(after) or any(
        one.lines is not other.lines
        or one.returned is not other.returned
        or one.bought_at != other.bought_at
        or one.cancelled_at != other.cancelled_at
        for one, other in zip(before, after, strict=True)
        if one is not other
    )


def renew(
    policy: Policy,
    state: State,
    trigger: Trigger,
    *,
    event: Event | None = None,
    inherited: Sequence[Hold] = (),
    traceparent: str | None = None,
) -> tuple[State, list[Decision]]:
    """The state with the holds that its facts ask for, and the decisions: new holds first, then releases.

    `event` is what was just folded (a purchase brings a hold only then, or when history is unsaid); `inherited` are the
    holds of a subject that was just merged into this one, of which an equal standing one is not issued anew.
    """
    standing = tuple(hold for hold in state.holds if hold.until is None or hold.until > state.now)
    want = {one.fact: one for one in wanted(policy, state, event, (*standing, *inherited))}
    for hold in inherited:  # what the other side had forgotten stands here as it stood there, but not after an erasure
        if hold.scope != _EVERYTHING and (hold.until is None or hold.until > state.now):
            lost = [fact for fact in hold.facts if fact not in want and not _known(state, fact)]
            want |= {fact: Wanted(fact, hold.reason, hold.scope, hold.until, hold.items) for fact in lost}
    stays = [hold for hold in standing if any(_stands(hold, fact, want, state) for fact in hold.facts)]
    if inherited:
        stays = _join(stays, want.values())
    new = _issue(state, trigger, [one for one in want.values() if not any(_covers(hold, one) for hold in stays)])
    outputs = [_decision(policy, state, trigger, hold, traceparent) for hold in new]
    outputs += [_release(policy, state, trigger, hold, traceparent) for hold in standing if _gone(hold, stays)]
    if not outputs and stays == list(state.holds):
        return state if state.unsaid is None else replace(state, unsaid=None), outputs
    return replace(state, holds=_bounded([*stays, *new]), unsaid=None), outputs


def standing(holds: Iterable[Hold]) -> dict[str, Hold]:
    """By canonical scope the hold that lasts longest: what nobody may say, whichever facts forbid it.

    Of a hold whose scope an erasure has taken nobody can say any more what it forbids; the erasure's own forbids all.
    """
    found: dict[str, Hold] = {}
    for hold in holds:
        if hold.scope == _EVERYTHING and hold.reason not in SILENT:
            continue
        scope = canonical(hold.scope)
        known = found.get(scope)
        if known is None or (known.until is not None and (hold.until is None or hold.until > known.until)):
            found[scope] = hold
    return found


def changes(before: State | None, after: State) -> list[tuple[str, Hold | None]]:
    """The scopes of which something else stands than before, with what stands now (None: nothing), sorted."""
    if before is not None and before.holds is after.holds:
        return []
    was, is_ = standing(() if before is None else before.holds), standing(after.holds)
    found = [(scope, was.get(scope), is_.get(scope)) for scope in sorted(was.keys() | is_.keys())]
    return [(scope, now) for scope, then, now in found if _told(then) != _told(now)]


def _told(hold: Hold | None) -> tuple[str, int | None] | None:
    return None if hold is None else (hold.id, hold.until)


def dumps(subject: str, time: int, hold: Hold) -> bytes:
    """What the topic of holds says of one: a CloudEvent of type `hold.standing`, `time` being when it was written."""
    data: dict[str, object] = {"hold": hold.id, "reason": hold.reason, "scope": hold.scope.as_json()}
    if hold.until is not None:
        data["until"] = format_instant(hold.until)
    return _encode(
        {
            "specversion": "1.0", "id": hold.id, "source": SOURCE, "type": STANDING, "time": format_instant(time),
            "subject": subject, "datacontenttype": "application/json", "data": data,
        }
    )  # fmt: skip


def drop_ended(state: State) -> State:
    """The same without holds whose end has passed: they need no release, and nobody has to remember them."""
    kept = tuple(hold for hold in state.holds if hold.until is None or hold.until > state.now)
    return state if len(kept) == len(state.holds) else replace(state, holds=kept)


def release_all(
    policy: Policy, state: State, trigger: Trigger, traceparent: str | None
) -> tuple[State, list[Decision]]:
    """Every standing hold released: of a subject that has become part of another, where they stand now."""
    standing = [hold for hold in state.holds if hold.until is None or hold.until > state.now]
    outputs = [_release(policy, state, trigger, hold, traceparent) for hold in standing]
    return replace(state, holds=()), outputs


def wanted(policy: Policy, state: State, event: Event | None, known: Iterable[Hold]) -> list[Wanted]:
    """The holds that the facts of this memory ask for now, in the order of the policy; `known` holds say what was
    bought under which categories."""
    found: list[Wanted] = []
    if state.erased:
        found.append(Wanted("erased", "dnc.erased", _EVERYTHING, None))
    if state.deceased:
        found.append(Wanted("deceased", "empathy.deceased", _EVERYTHING, None))
    found += [
        Wanted(f"life:{life.kind}", f"empathy.{life.kind}", PROMOTIONAL, policy.life_until(life))
        for life in sorted(state.life, key=lambda one: one.kind)  # bereavement before vulnerability, as in rule 4
    ]
    for case in sorted(state.cases, key=lambda one: not one.open):  # the reasons of rule 5 in their order
        if case.open:
            found.append(Wanted(f"case:{case.id}", "hold.open_issue", PROMOTIONAL, None))
        elif case.resolved_at is not None:
            until = case.resolved_at + policy.after_resolved
            found.append(Wanted(f"case:{case.id}", "hold.recently_resolved", PROMOTIONAL, until))
    for purpose in ("marketing", "survey"):
        scope = _withdrawn(purpose, state.consents)
        if scope is not None:
            found.append(Wanted(f"consent:{purpose}", "consent.withdrawn", scope, None))
    items = {fact: hold for hold in known for fact in hold.facts if hold.items}
    for order in state.orders:
        one = _bought(policy, order, event, items, anew=state.unsaid is not None)
        if one is not None:
            found.append(one)
    return [one for one in found if one.until is None or one.until > state.now]


def _withdrawn(purpose: str, consents: Iterable[Consent]) -> Scope | None:
    """What is withdrawn of a purpose; a named channel's fact and the one for all are weighed as rule 3 does."""
    facts = {one.channel: one for one in consents if one.purpose == purpose}
    all_ = facts.pop("", None)
    if all_ is not None and not all_.granted:
        free = sorted(channel for channel, one in facts.items() if one.granted and one.at > all_.at)
        return Scope(classes=(purpose,), channels_except=tuple(free) or None)
    shut = sorted(
        channel
        for channel, one in facts.items()
        if not one.granted and (all_ is None or one.at >= all_.at)  # at a tie the stricter
    )
    return Scope(classes=(purpose,), channels=tuple(shut)) if shut else None


def _bought(policy: Policy, order: Order, event: Event | None, known: dict[str, Hold], *, anew: bool) -> Wanted | None:
    """One hold a purchase: fixed when it came, less what came back; `anew`: also of one that came before."""
    if not order.stands or order.bought_at is None:
        return None
    fact = f"order:{order.id}@{order.bought_at}"
    if event is not None and event.time == order.bought_at and _buys(event, order):
        return _fresh(policy, order, fact)
    hold = known.get(fact)
    if hold is None:
        return _fresh(policy, order, fact) if anew else None
    items, until = hold.items, hold.until
    if order.returned:
        owned = order.owned
        items = tuple(item for item in items if item[0] in owned)
    if not items:
        return None
    if len(hold.facts) > 1 and until is not None:  # one hold of several purchases since a move: the latest end is its
        until = min(until, order.bought_at + max(policy.owned_for(sku) for sku, _ in items))
    scope = hold.scope if items == hold.items else _of_items(items)
    return Wanted(fact, "recent_purchase.same_item", scope, until, items)


def _buys(event: Event, order: Order) -> bool:
    return isinstance(event.data, PurchaseCompleted) and event.data.order_id == order.id


def _fresh(policy: Policy, order: Order, fact: str) -> Wanted | None:
    skus = sorted(order.owned)
    if not skus or order.bought_at is None:
        return None
    products = [(sku, policy.catalogue.get(sku)) for sku in skus]
    items = tuple((sku, "" if product is None else product.category) for sku, product in products)
    until = order.bought_at + max(policy.owned_for(sku) for sku in skus)
    return Wanted(fact, "recent_purchase.same_item", _of_items(items), until, items)


def _of_items(items: Iterable[tuple[str, str]]) -> Scope:
    skus, categories = zip(*items, strict=True)
    return Scope(skus=tuple(sorted(skus)), categories=tuple(sorted(set(categories) - {""})))


def _stands(hold: Hold, fact: str, want: dict[str, Wanted], state: State) -> bool:
    """Whether a fact still asks for exactly this hold, or can no longer say."""
    one = want.get(fact)
    if one is not None:
        return one.scope == hold.scope and one.until == hold.until
    return not _known(state, fact)


def _known(state: State, fact: str) -> bool:
    """Whether the memory still knows enough of a fact to say that it is gone."""
    kind, _, name = fact.partition(":")
    match kind:
        case "erased":
            return True
        case "life":
            return any(life.kind == name for life in state.life)
        case "case":
            return any(case.id == name for case in state.cases)
        case "consent":
            return any(one.purpose == name for one in state.consents)
        case "order":
            return orders.find(state, name.rpartition("@")[0]) is not None
        case "case~":  # from before an erasure (state.erase)
            return any(str(memory.name(case.id)) == name for case in state.cases)
        case "order~":
            return any(str(memory.name(order.id)) == name for order in state.orders)
    return False  # death is never gone


def _covers(hold: Hold, one: Wanted) -> bool:
    later = hold.until is None or (one.until is not None and hold.until >= one.until)
    return one.fact in hold.facts and hold.scope == one.scope and later


def _join(stays: list[Hold], want: Iterable[Wanted]) -> list[Hold]:
    """Facts that an equal standing hold already serves become facts of that hold."""
    for one in want:
        if any(one.fact in hold.facts for hold in stays):
            continue  # it has a hold of its own: those that stood apart stay apart
        for place, hold in enumerate(stays):
            if (hold.scope, hold.until) == (one.scope, one.until):
                stays[place] = replace(
                    hold, facts=(*hold.facts, one.fact), items=tuple(dict.fromkeys((*hold.items, *one.items)))
                )
                break
    return stays


def _issue(state: State, trigger: Trigger, want: Iterable[Wanted]) -> list[Hold]:
    """Holds of one scope born of one event are one, with the later `until`."""
    found: dict[str, Hold] = {}
    for one in want:
        scope = canonical(one.scope)
        known = found.get(scope)
        if known is None:
            id_ = decision_id(trigger, state.subject, Outcome.HOLD, None, scope)
            found[scope] = Hold(id_, one.reason, one.scope, one.until, (one.fact,), one.items)
            continue
        until = None if known.until is None or one.until is None else max(known.until, one.until)
        found[scope] = replace(
            known,
            until=until,
            facts=(*known.facts, one.fact),
            items=tuple(dict.fromkeys((*known.items, *one.items))),
        )
    return list(found.values())


def _gone(hold: Hold, stays: Iterable[Hold]) -> bool:
    return all(hold.id != other.id for other in stays)


def _bounded(holds: list[Hold]) -> tuple[Hold, ...]:
    """Within the bound; what is forgotten is never released, which is the silent side."""
    while len(holds) > MAX_HOLDS:
        holds.remove(min(holds, key=lambda hold: (hold.until is None, hold.until or 0, hold.id)))
    return tuple(holds)


def _decision(policy: Policy, state: State, trigger: Trigger, hold: Hold, traceparent: str | None) -> Decision:
    return Decision(
        outcome=Outcome.HOLD,
        subject=state.subject,
        time=state.now,
        trigger=trigger,
        ref=canonical(hold.scope),
        reason=hold.reason,
        rulebook=policy.stamp,
        scope=hold.scope.as_json(),
        until=hold.until,
        traceparent=traceparent,
    )


def _release(policy: Policy, state: State, trigger: Trigger, hold: Hold, traceparent: str | None) -> Decision:
    return Decision(
        outcome=Outcome.RELEASE,
        subject=state.subject,
        time=state.now,
        trigger=trigger,
        ref=hold.id,
        reason=hold.reason,
        rulebook=policy.stamp,
        releases=hold.id,
        traceparent=traceparent,
    )
