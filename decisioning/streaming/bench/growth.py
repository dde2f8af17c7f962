"""How the price of an event grows: with rules, candidates, one customer's history, and the number of customers.

The engine is pure, so that the same question can be asked again and again: what is compared is asked in turns, and the
least time of many is taken, which no neighbour on the machine can make smaller.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from time import thread_time_ns as clock
from typing import Any, Final

from decisioning import engine, event, rulebook, state
from decisioning.catalogue import Catalogue
from decisioning.instant import DAY, HOUR, MINUTE, format_instant, parse_instant
from decisioning.policy import Policy
from decisioning.rulebook import Rulebook
from decisioning.state import State

RULES: Final = (10, 100, 1000)
CANDIDATES: Final = (1, 10, 100)
EVENTS: Final = (10, 100, 1000, 10_000)
CUSTOMERS: Final = (1000, 10_000, 100_000, 1_000_000)
APPLY: Final = 5
"""How many of the rules can apply to the event."""

_NOON: Final = parse_instant("2026-03-04T12:00:00Z")
_TIMES: Final = 40


def measured(book: Rulebook, rounds: int, customers: int) -> dict[str, Any]:
    """Microseconds an event by what grows, in so many rounds; states in bytes and memory in bytes a customer."""
    ratio, spread = rules_ratio(rounds)
    policy = Policy(book, Catalogue())
    return {
        "rules": _in_turns({size: with_rules(size) for size in RULES}, rounds),
        "candidates": _in_turns({size: with_candidates(policy, size) for size in CANDIDATES}, rounds),
        "history": {str(size): with_history(policy, size) for size in EVENTS},
        "customers": {str(size): with_customers(policy, size) for size in CUSTOMERS if size <= customers},
        "rules_1000_vs_10": ratio,
        "rules_1000_vs_10_spread": spread,
    }


def rules_ratio(rounds: int) -> tuple[float, tuple[float, float]]:
    """What 1,000 rules of which five can apply cost against ten of which the same five can, asked in turns: the median
    of the rounds, and the least and greatest."""
    few, many = with_rules(10), with_rules(1000)
    found = []
    for _ in range(rounds):
        times = _least({10: few, 1000: many})
        found.append(times[1000] / times[10])
    return round(statistics.median(found), 3), (round(min(found), 3), round(max(found), 3))


def many_rules(size: int) -> Rulebook:
    """A rulebook of so many rules, half of them refusals and half actions that an event calls; of each the first few
    can apply to the events of `with_rules`."""
    half = size // 2
    refusals = [
        {"name": f"no_{n}", "when": f"customer.age < {n}", "actions": ["offer" if n < APPLY else f"other_{n}"]}
        for n in range(half)
    ]
    actions = [
        {
            "action": f"say_{n}",
            "class": "service",
            "on": "order.delivered" if n < APPLY else "order.cancelled",
            "when": [{"old": f"customer.age > {n % 50}"}],
            "channels": ["email"],
        }
        for n in range(half)
    ]
    tree = {
        "rulebook": "many",
        "version": "1",
        "attributes": {"age": {"type": "int", "default": 60}},
        "respect": {"ineligible": refusals},
        "actions": actions,
    }
    return rulebook.parse(json.dumps(tree).encode(), "many.yaml")


Question = Callable[[], Any]


def with_rules(size: int) -> Question:
    """A request for `offer`, and the arrival of an order, under so many rules."""
    policy = Policy(many_rules(size), Catalogue())
    known = _customer(policy)
    asked = _event("contact.requested", _request(1), _NOON + DAY)
    came = _event("order.delivered", {"order_id": "o-1"}, _NOON + DAY)
    return lambda: (
        engine.on_event(policy, known, asked, asked.time),
        engine.on_event(policy, known, came, came.time),
    )


def with_candidates(policy: Policy, size: int) -> Question:
    """A request with so many candidates on three channels each."""
    known = _customer(policy)
    asked = _event("contact.requested", _request(size), _NOON + DAY)
    return lambda: engine.on_event(policy, known, asked, asked.time)


def with_history(policy: Policy, size: int) -> dict[str, float]:
    """A request after so many events of one customer, from and to bytes; its state in bytes."""
    known = _customer(policy)
    for number in range(size):
        type_, data = _life(number)
        happened = _event(type_, data, _NOON + DAY + number * HOUR, number)
        known = engine.on_event(policy, known, happened, happened.time).state
    body = state.dumps(known)
    asked = _event("contact.requested", _request(1), known.now + HOUR, size)  # with an id that none of them has
    times = _least({0: lambda: state.dumps(engine.on_event(policy, state.loads(body), asked, asked.time).state)})
    return {"us": times[0], "state_bytes": len(body)}


def with_customers(policy: Policy, size: int) -> dict[str, float]:
    """So many customers' states held as bytes, each after the same eleven events; then a request to every hundredth."""
    kept: list[bytes] = []
    for number in range(size):
        known = _customer(policy, f"c-{number:07}")
        for place in range(6):
            type_, data = _life(place)
            happened = _event(type_, data, _NOON + DAY + place * HOUR, place, known.subject)
            known = engine.on_event(policy, known, happened, happened.time).state
        kept.append(state.dumps(known))
    spent = []
    for number in range(0, size, 100):
        asked = _event("contact.requested", _request(1), _NOON + 9 * DAY, 9, f"c-{number:07}")
        began = clock()
        state.dumps(engine.on_event(policy, state.loads(kept[number]), asked, asked.time).state)
        spent.append((clock() - began) / 1000)
    return {
        "us": round(statistics.median(spent), 2),
        "state_bytes": sum(map(len, kept)) // size,
        "held_bytes": sum(map(sys.getsizeof, kept)) // size,
    }


def tables(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures for a person, a line each."""
    for what in ("rules", "candidates"):
        for size, us in found[what].items():
            yield f"{int(size):>9,} {what:10} {us:9.1f} us"
    least, most = found["rules_1000_vs_10_spread"]
    yield f"1,000 rules of which {APPLY} can apply against 10: {found['rules_1000_vs_10']} x ({least} to {most})"
    for what, of in (("history", "events of one customer"), ("customers", "customers")):
        for size, one in found[what].items():
            rest = ", ".join(f"{name.replace('_', ' ')} {value:,.0f}" for name, value in one.items() if name != "us")
            yield f"{int(size):>9,} {of}: {one['us']:.1f} us a request; {rest}"


def _in_turns(questions: Mapping[int, Question], rounds: int) -> dict[str, float]:
    found = [_least(questions) for _ in range(rounds)]
    return {str(size): round(statistics.median(one[size] for one in found), 2) for size in questions}


def _least(questions: Mapping[int, Question]) -> dict[int, float]:
    """The least microseconds of each question, all asked in turns."""
    least: dict[int, float] = {}
    for _ in range(_TIMES):
        for size, question in questions.items():
            began = clock()
            question()
            spent = (clock() - began) / 1000
            least[size] = min(least.get(size, spent), spent)
    return least


def _customer(policy: Policy, subject: str = "c-1") -> State:
    """Somebody who agreed, lives somewhere, and bought something some days ago."""
    told: list[tuple[str, dict[str, Any]]] = [
        ("consent.granted", {"purpose": "marketing"}),
        ("customer.updated", {"name": "Ada", "time_zone": "Europe/London", "language": "en"}),
        ("purchase.completed", {"order_id": "o-1", "currency": "GBP", "lines": [_line(1), _line(2)]}),
        ("order.shipped", {"order_id": "o-1"}),
    ]
    known: State | None = None
    for number, (type_, data) in enumerate(told):
        happened = _event(type_, data, _NOON - (40 - number) * DAY, number, subject)
        known = engine.on_event(policy, known, happened, happened.time).state
    assert known is not None
    return known


def _life(number: int) -> tuple[str, dict[str, Any]]:
    """What happens to a customer, in turns: asked, bought, shipped, delivered, spoken to."""
    order = {"order_id": f"o-{number // 5}"}
    turns: tuple[tuple[str, dict[str, Any]], ...] = (
        ("contact.requested", {"request_id": f"r-{number}", "candidates": [_candidate(number)]}),
        ("purchase.completed", {**order, "currency": "GBP", "lines": [_line(number)]}),
        ("order.shipped", order),
        ("order.delivered", order),
        ("support.interaction", {"interaction_id": f"i-{number}", "channel": "phone"}),
    )
    return turns[number % len(turns)]


def _line(number: int) -> dict[str, Any]:
    return {"sku": f"sku-{number}", "quantity": 1, "unit_price": "10.00"}


def _candidate(number: int) -> dict[str, Any]:
    named = {"action": "offer" if number < 1 else f"offer_{number}", "class": "marketing"}
    return {**named, "channels": ["email", "push", "sms"], "sku": f"new-{number}", "value": str(number % 7)}


def _request(size: int) -> dict[str, Any]:
    return {"request_id": "r", "campaign": "spring", "candidates": [_candidate(number) for number in range(size)]}


def _event(type_: str, data: dict[str, Any], at: int, number: int = 0, subject: str = "c-1") -> event.Event:
    found = {"specversion": "1.0", "id": f"{type_}-{number}", "source": "/bench", "type": type_, "subject": subject}
    return event.parse(
        json.dumps({**found, "time": format_instant(at + MINUTE * (number % 50)), "data": data}).encode()
    )
