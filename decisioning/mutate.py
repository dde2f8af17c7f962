"""Is every rule of a rulebook held by a case? Change each in turn, and see whether a case fails.

A *mutant* is the rulebook with one change: a number moved, a switch flipped, an item or a clause taken out, a constant
of a condition changed, or a reason of a written section that its suppressor no longer gives. A mutant that no case
notices *survives*: the changed rule could be lost or mistyped, and nobody would know. Changes that cannot be read, and
those that mean the same (a number that is also the default), are no mutants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from decisioning import document
from decisioning.cases.report import possible
from decisioning.cases.script import Script
from decisioning.cases.trial import Outcomes, play_policy
from decisioning.catalogue import Catalogue
from decisioning.errors import RulebookError
from decisioning.instant import SECOND, format_duration, parse_duration
from decisioning.policy import Policy
from decisioning.rulebook import Rulebook, parse
from decisioning.suppress.base import EVERY_CLASS, AnySuppressor, Ask, Objection

_NAMES: Final = frozenset({"rulebook", "version", "owner", "name", "description"})
"""Keys whose texts name a thing and rule nothing."""
_REQUIRED: Final = frozenset({"action", "class", "on", "when", "channels", "limit", "per", "type"})
_CLASSES: Final = {"marketing": "service", "survey": "service", "service": "marketing", "care": "marketing"}
_WORDS: Final = {"defer": "suppress", "suppress": "defer"}
_DURATION: Final = re.compile(r"\d+[smhdw]")
_CLOCK: Final = re.compile(r"(\d\d):(\d\d)")
_NUMBER: Final = re.compile(r"(?<![\w.\"'])\d+(\.\d+)?(?![\w.])")
_QUOTED_DURATION: Final = re.compile(r"(?<=[\"'])\d+[smhdw](?=[\"'])")
_OPERATORS: Final = {">=": ">", "<=": "<", ">": ">=", "<": "<=", "==": "!=", "!=": "==", "&&": "||", "||": "&&"}
_OPERATOR: Final = re.compile("|".join(re.escape(sign) for sign in sorted(_OPERATORS, key=len, reverse=True)))

Build = Callable[[], Policy]


class Mutant(NamedTuple):
    """One change by name; `build` makes its policy, with an empty catalogue. `touches`: the reasons that the changed
    rule can give, so that the cases about those are played first."""

    name: str
    build: Build
    touches: frozenset[str]


def mutants(text: bytes, source: str) -> Iterator[Mutant]:
    """Every change of the rulebook in the bytes of a file that can be read and means something else.

    RulebookError where the rulebook itself cannot be read.
    """
    original = parse(text, source)
    policy = Policy(original, Catalogue())
    tree = document.plain(document.read(text, source))
    same = _meaning(original)
    for path, shown, changed in _changes(tree):
        try:
            book = parse(msgspec.json.encode(changed), source)
        except RulebookError:
            continue
        if _meaning(book) != same:
            yield Mutant(f"{path}: {shown}", _built(book), _reasons_of(policy, path))
    yield from _deafened(original, policy)


def survives(mutant: Mutant, scripts: Sequence[Script], reached: Sequence[frozenset[str]]) -> bool:
    """Whether every case holds under the mutant; `reached` are the reasons that each case reaches without it."""
    order = sorted(range(len(scripts)), key=lambda place: not (reached[place] & mutant.touches))
    policy = mutant.build()
    for place in order:
        policy.catalogue = Catalogue()
        try:
            if play_policy(policy, scripts[place]).failure is not None:
                return False
        except Exception:  # a rulebook that makes the engine fail is noticed, too
            return False
    return True


def reached_by(rulebook: Rulebook, scripts: Sequence[Script]) -> list[frozenset[str]]:
    """The reasons that each case reaches under a rulebook, in the order of the cases."""
    results = (play_policy(Policy(rulebook, Catalogue()), script) for script in scripts)
    return [Outcomes.of([result]).reasons for result in results]


def _meaning(book: Rulebook) -> object:
    """What a rulebook says, with what it leaves out filled in and what a request brings by itself left out."""
    idle = {True: {"valid_for"}, False: {"valid_for", "class_"}}
    actions = [(one.rule.model_dump(exclude=idle[bool(one.on)]), one.valid_for) for one in book.ready]
    return book.model_dump(exclude={"actions"}), actions


def _built(book: Rulebook) -> Build:
    return lambda: Policy(book, Catalogue())


def _reasons_of(policy: Policy, path: str) -> frozenset[str]:
    """The reasons of the suppressor whose section a path lies in; none for anything else."""
    parts = path.split(".")
    sections = {one.section: one.gives() for class_ in EVERY_CLASS for one in policy.suppressors(class_)}
    return frozenset(sections.get(parts[1], ())) if len(parts) > 1 and parts[0] == "respect" else frozenset()


def _deafened(book: Rulebook, policy: Policy) -> Iterator[Mutant]:
    """One mutant for each reason that a suppressor of a written section can give: it gives it no more."""
    mine = [reason for reason in possible(policy).written if not reason.startswith("action ")]
    given = {reason for class_ in EVERY_CLASS for one in policy.suppressors(class_) for reason in one.gives()}
    for reason in mine:
        if reason in given:
            yield Mutant(f"reason {reason}: never given", _without(book, reason), frozenset({reason}))


def _without(book: Rulebook, reason: str) -> Build:
    def build() -> Policy:
        return _Deaf(book, reason)

    return build


class _Deaf(Policy):
    """A policy in which one reason is never given."""

    def __init__(self, rulebook: Rulebook, reason: str) -> None:
        super().__init__(rulebook, Catalogue())
        self._reason = reason
        self._deafened: dict[str, AnySuppressor] = {}

    def suppressors(self, class_: str, keeps_quiet: bool = False) -> tuple[AnySuppressor, ...]:
        """As usual, but for the one that would give the reason."""
        found = super().suppressors(class_, keeps_quiet)
        return tuple(self._deaf(one) if self._reason in one.gives() else one for one in found)

    def _deaf(self, inner: AnySuppressor) -> AnySuppressor:
        if inner.section not in self._deafened:
            reason = self._reason

            def check(_: AnySuppressor, ask: Ask) -> Objection | None:
                found = inner.check(ask)
                return None if found is not None and found.reason == reason else found

            kind = type("Deaf", (type(inner),), {"check": check, "fades": False})  # another reason may come later
            deaf: AnySuppressor = object.__new__(kind)
            vars(deaf).update(vars(inner))
            self._deafened[inner.section] = deaf
        return self._deafened[inner.section]


def _changes(tree: Any) -> Iterator[tuple[str, str, Any]]:
    """Every change of a tree: path, what is shown of it, and the whole tree with the change."""
    for path, node in _walk(tree, ()):
        inside = str(next((part for part in reversed(path) if isinstance(part, str)), ""))
        for shown, new in _new_values(node, key=inside, condition="when" in path):
            yield ".".join(map(str, path)), shown, _replaced(tree, path, new)
        if isinstance(node, Mapping):
            for name in node:
                if path[:1] == ("actions",) and len(path) == 2 and name not in _REQUIRED:
                    left = {other: value for other, value in node.items() if other != name}
                    yield ".".join(map(str, (*path, name))), "taken out", _replaced(tree, path, left)


def _walk(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if path and path[-1] in _NAMES:
        return
    yield path, node
    parts = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for key, value in parts:
        yield from _walk(value, (*path, key))


def _new_values(node: Any, *, key: str, condition: bool) -> Iterator[tuple[str, Any]]:
    """What may stand in a node's place, with the words for it."""
    if isinstance(node, bool):
        yield f"{node} -> {not node}", not node
    elif isinstance(node, int):
        yield from ((f"{node} -> {new}", new) for new in (node + 1, node - 1))
    elif isinstance(node, float):
        step = node / 10 or 0.1
        yield from ((f"{node} -> {new}", new) for new in (round(node + step, 6), round(node - step, 6)))
    elif isinstance(node, list):
        for place, item in enumerate(node):
            yield f"without {_short(item)}", [*node[:place], *node[place + 1 :]]
            if place and key == "channels":
                others = [*node[: place - 1], item, node[place - 1], *node[place + 1 :]]
                yield f"{_short(item)} before {_short(node[place - 1])}", others
    elif isinstance(node, str):
        texts = _conditions(node) if condition else _texts(node, key)
        yield from ((f"{node} -> {new}", new) for new in texts)


def _texts(text: str, key: str) -> Iterator[str]:
    if _DURATION.fullmatch(text):
        yield from _durations(text)
    elif clock := _CLOCK.fullmatch(text):
        yield from (f"{(int(clock[1]) + hours) % 24:02}:{clock[2]}" for hours in (1, 23))
    elif key in ("class", "classes"):
        yield _CLASSES.get(text, "marketing")
    elif text in _WORDS:
        yield _WORDS[text]


def _durations(text: str) -> Iterator[str]:
    length = parse_duration(text)
    yield format_duration(2 * length)
    if length >= 2 * SECOND:
        yield format_duration(length // 2 // SECOND * SECOND)


def _conditions(text: str) -> Iterator[str]:
    """A condition with one operator, number or duration changed, or the opposite of it."""
    yield f"!({text})"
    for found in _OPERATOR.finditer(text):
        yield text[: found.start()] + _OPERATORS[found[0]] + text[found.end() :]
    for found in _QUOTED_DURATION.finditer(text):
        yield from (text[: found.start()] + new + text[found.end() :] for new in _durations(found[0]))
    for found in _NUMBER.finditer(text):
        number = float(found[0]) if found[1] else int(found[0])
        yield from (text[: found.start()] + str(number + step) + text[found.end() :] for step in (1, -1))


def _short(item: Any) -> str:
    if isinstance(item, Mapping):
        return " ".join(str(item.get(name)) for name in ("name", "action") if name in item) or ", ".join(map(str, item))
    return str(item)


def _replaced(tree: Any, path: Sequence[str | int], new: Any) -> Any:
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(tree, list):
        return [_replaced(item, rest, new) if place == key else item for place, item in enumerate(tree)]
    return {name: _replaced(value, rest, new) if name == key else value for name, value in tree.items()}
