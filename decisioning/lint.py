"""`check`: everything that is wrong with a rulebook, also what is well written but does not do what it seems to.

A rule that can never apply, an action that no rule can ever let through, a declaration that nobody reads: each would
load and be silent, and an author would learn of it from a customer. `load` is what runs a rulebook: it refuses what
`check` finds fault with, in the same words.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from decisioning import document, language
from decisioning.actions import ActionRule
from decisioning.condition import Condition, ConditionError, ConditionRejected, parse
from decisioning.errors import Problem, RulebookError
from decisioning.instant import format_duration
from decisioning.language import Fault, Path, reach
from decisioning.rulebook import MAX_PROBLEMS, Rulebook, read
from decisioning.suppress.base import PROMOTIONAL
from decisioning.suppress.expired import Patience
from decisioning.suppress.frequency_cap import Cap, Caps
from decisioning.suppress.hold import Rest
from decisioning.suppress.quiet_hours import Night
from decisioning.suppress.recent_purchase import Windows
from decisioning.vocabulary import BUILT_IN

_NO_EFFECT: Final = {"value": "0", "topic": None, "category": None, "sku": None, "audience": None, "needs_ok": ()}
"""What a request brings by itself, so that it says nothing in an action that only a request calls; and its default."""


_TAKEN: Final = frozenset(one.name for one in BUILT_IN)


def check(text: bytes, source: str) -> list[Problem]:
    """Every fault of a rulebook's text in reading order, those of reading it included; none for a good one."""
    return _checked(text, source)[1]


def load(text: bytes, source: str) -> Rulebook:
    """The rulebook in a text that `check` finds no fault with; RulebookError with what it finds."""
    book, problems = _checked(text, source)
    if book is None or problems:
        raise RulebookError(source, problems)
    return book


def _checked(text: bytes, source: str) -> tuple[Rulebook | None, list[Problem]]:
    try:
        tree, book, problems = read(text, source)
    except RulebookError as error:
        return None, error.problems
    if book is not None:
        problems = sorted({*problems, *lint(book, tree)})[:MAX_PROBLEMS]
    return book, RulebookError(source, problems).problems


def lint(book: Rulebook, tree: Any) -> list[Problem]:
    """What a rulebook says in vain, by line and column in the tree it was read from."""
    plain = document.plain(tree)
    conditions = _conditions(plain, book)
    found = [
        *_unread(book, plain, conditions),
        *_constant(conditions),
        *_rules(book, plain),
        *_caps(book.rule("frequency_cap")),
        *_misspelt(book, plain),
    ]
    for place, action in enumerate(book.actions if isinstance(reach(plain, "actions"), list) else ()):
        found += [Fault(("actions", place, key), message) for key, message in _action(book, action)]
    return sorted(
        Problem(*document.place(tree, fault.path), f"`{'.'.join(str(part) for part in fault.path)}`: {fault.message}")
        for fault in found
    )


def _conditions(plain: Any, book: Rulebook) -> list[tuple[Path, Condition]]:
    """Every condition that compiles, and where it stands."""
    found = []
    for path, text, schema in language.conditions(plain, book.attributes):
        try:
            found.append((path, parse(text, schema)))
        except ConditionRejected:
            continue
    return found


def _unread(book: Rulebook, plain: Any, conditions: list[tuple[Path, Condition]]) -> Iterator[Fault]:
    """Attributes that nobody reads; one that stands in a condition with a fault of its own is left alone."""
    read_names = {name for _, condition in conditions for name in condition.reads}
    compiled = {path for path, _ in conditions}
    broken = [text for path, text, _ in language.conditions(plain, book.attributes) if path not in compiled]
    for name in book.attributes:
        if any(re.search(rf"\bcustomer\.{name}\b", text) for text in broken):
            continue
        if f"customer.{name}" not in read_names and f"customer.{name}" not in _TAKEN:
            yield Fault(("attributes", name), "no condition reads it: leave it out, or use it")


def _constant(conditions: list[tuple[Path, Condition]]) -> Iterator[Fault]:
    for path, condition in conditions:
        if condition.reads:
            continue
        try:
            always = condition.holds({})
        except ConditionError:
            continue  # a fault of its own, found when it was compiled
        if path[0] == "actions":
            yield Fault(path, "always true: leave it out" if always else "never true: the action is never said")
        else:
            hint = "write `stopped:` to stop things" if always else "leave it out"
            yield Fault(path, f"{'always' if always else 'never'} true: {hint}")


def _rules(book: Rulebook, plain: Any) -> Iterator[Fault]:
    night, patience, bought = book.rule("quiet_hours"), book.rule("expired"), book.rule("recent_purchase")
    assert isinstance(night, Night)
    assert isinstance(patience, Patience)
    assert isinstance(bought, Windows)
    if (night.to - night.from_) % 1440 == 0:
        yield Fault(("respect", "quiet_hours", "to"), "it is always night: no marketing goes out at any hour")
    for name in ("after", "late"):
        if getattr(patience, name) == 0:
            yield Fault(("respect", "expired", name), "0s: everything is too late at once")
    if getattr(book.rule("holdout"), "share", 0) >= 1:
        yield Fault(("respect", "holdout", "share"), "everybody is held out: no marketing goes out at all")
    if book.make_good.price_drop > bought.price_drop:
        usual, longest = format_duration(book.make_good.price_drop), format_duration(bought.price_drop)
        message = f"what is made good for {usual} can never apply: rule price_drop speaks for {longest} only"
        written = isinstance(reach(plain, "make_good"), Mapping)
        yield Fault(("make_good", "price_drop") if written else ("respect", "recent_purchase", "price_drop"), message)


def _caps(rule: object) -> Iterator[Fault]:
    """Caps that let nothing through, and those that refuse nothing that another does not refuse already."""
    assert isinstance(rule, Caps)
    for place, cap in enumerate(rule.caps):
        path: Path = ("respect", "frequency_cap", "caps", place, "limit")
        if cap.limit == 0 and cap.channels is None:
            yield Fault(path, "0 lets no marketing out: to stop it write `stopped: {marketing: true}`")
            continue
        tighter = next((one for one in rule.caps if one is not cap and one.limit and _implies(one, cap)), None)
        if tighter is not None:
            yield Fault(path, f"can never apply: `{tighter.name}` allows fewer already")


def _implies(tight: Cap, cap: Cap) -> bool:
    """Whether `tight` by itself never lets more than `cap.limit` acts into any `cap.per`."""
    if tight.channels is not None and (cap.channels is None or not set(cap.channels) <= set(tight.channels)):
        return False
    most = tight.limit * -(-cap.per // tight.per)
    same = (tight.limit, tight.per, tight.channels) == (cap.limit, cap.per, cap.channels)
    return most < cap.limit or (most == cap.limit and not same)


def _action(book: Rulebook, action: ActionRule) -> Iterator[tuple[str, str]]:
    """What an action says in vain: the key, and why."""
    if action.class_ == "survey":
        yield "class", "no rule ever lets a survey through: none has a plan (`survey.no_plan`)"
    if action.quiet_hours and (action.class_ in PROMOTIONAL or not action.on):
        why = f"{action.class_} keeps quiet hours anyway" if action.class_ in PROMOTIONAL else "a request cannot ask it"
        yield "quiet_hours", f"has no effect: {why}"
    if not action.on:
        for name, default in _NO_EFFECT.items():
            if getattr(action, name) != default:
                yield name, "has no effect: only a request calls this action, and brings its own"
    caps = book.rule("frequency_cap")
    assert isinstance(caps, Caps)
    closed = {channel for cap in caps.caps if cap.limit == 0 for channel in cap.channels or ()}
    if action.class_ == "marketing" and set(action.channels) <= closed:
        yield "channels", "no rule ever lets it through: a cap of 0 closes each of its channels"
    if not (action.on or action.when or action.treatments or action.valid_for):
        yield "action", "does nothing: give it `on:`, `when:`, `treatments:` or `valid_for:`"
    if action.on and action.class_ in PROMOTIONAL:
        silenced = [_silenced(book, action, event_type) for event_type in action.on]
        if all(silenced):
            yield "on", f"no rule ever lets it through: {silenced[0]}"
        elif action.audience == "prospect" and set(action.on) == {"purchase.completed"}:
            yield "audience", "no rule ever lets it through: whoever bought is no prospect"


def _silenced(book: Rulebook, action: ActionRule, event_type: str) -> str | None:
    """Which rule keeps marketing silent as long as an act of this event is valid, if one always does."""
    bought, hold = book.rule("recent_purchase"), book.rule("hold")
    assert isinstance(bought, Windows)
    assert isinstance(hold, Rest)
    valid_for = action.valid_for if action.valid_for is not None else book.valid_for
    if event_type == "purchase.completed" and valid_for < bought.cooldown:
        return "right after a purchase `recent_purchase.cooldown` speaks"
    if event_type == "support.case_resolved" and valid_for < hold.after_resolved:
        return "right after a case `hold.recently_resolved` speaks"
    return {
        "support.case_opened": "while a case is open `hold.open_issue` speaks",
        "order.payment_failed": "while a payment is due `hold.basics_unresolved` speaks",
    }.get(event_type)


def _misspelt(book: Rulebook, plain: Any) -> Iterator[Fault]:
    """Actions named by a stop or a refusal that look like one of the rulebook's and are none of it."""
    known = [action.action for action in book.actions]
    paths: list[Path] = [("respect", "stopped", "actions")]
    paths += [("respect", "ineligible", place, "actions") for place, _ in enumerate(_entries(plain, "ineligible"))]
    for path in paths:
        for place, name in enumerate(reach(plain, *path) or ()):
            close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.85)
            if close and name not in known:
                yield Fault((*path, place), f"unknown action `{name}`: did you mean `{close[0]}`?")


def _entries(plain: Any, section: str) -> list[Any]:
    found = reach(plain, "respect", section)
    return found if isinstance(found, list) else []
