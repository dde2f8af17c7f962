"""From what an analyst wrote to the events that the engine reads: ids, source, times and faults with their place.

What a person would not write is filled in: an event's id (`e-3` for the third of a case), a request's (`r-3`), the
source, the customer's name. A response answers the newest act, or with `decision_id: NAME` the decision that an earlier
expectation calls so (`as: NAME`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, get_args

import msgspec
from pydantic import BaseModel, ValidationError

from decisioning import document
from decisioning.cases import words
from decisioning.cases.model import (
    BY_NAME,
    CUSTOMER,
    IN_FULL,
    NEVER,
    Book,
    Case,
    Expected,
    Grant,
    Person,
    Step,
    Weighed,
    read_time,
)
from decisioning.decision import Outcome
from decisioning.errors import EventRejected, Problem, RulebookError
from decisioning.event import Event
from decisioning.event import parse as parse_event
from decisioning.instant import format_instant
from decisioning.payload import TYPES, Moment
from decisioning.reasons import unknown

MAX_PROBLEMS: Final = 50
SOURCE: Final = "/case"
"""The source of an event that names none."""
NEWEST: Final = "the newest act"
"""What a response answers that names no decision."""


class Scene(NamedTuple):
    """One step made ready: the event that is handled at `at` (None: time passes until then), what it answers, and what
    must be said; `line` and `column` are its place in the file, `title` names it to a person."""

    at: int
    event: Event | None
    answers: str | None
    expect: tuple[Expected, ...] | None
    line: int
    column: int
    title: str


class Script(NamedTuple):
    """One case made ready: `opening` are the events that come before its first step."""

    name: str
    story: str | None
    opening: tuple[Event, ...]
    scenes: tuple[Scene, ...]
    line: int
    column: int


def parse(text: bytes, source: str, reasons: Collection[str] = ()) -> tuple[Script, ...]:
    """The cases in the bytes of a file; RulebookError with `source:line:column` for each fault.

    `reasons` are those that the rulebook can give; without them any name of an author's own is let pass as one.
    """
    tree = document.read(text, source)
    if not isinstance(tree, Mapping):
        raise RulebookError(source, [Problem(1, 1, "a cases file is a mapping: start with `cases:`")])
    try:
        book = Book.model_validate(document.plain(tree))
    except ValidationError as error:
        raise RulebookError(source, _problems(tree, error)) from None
    problems: list[Problem] = []
    scripts = tuple(_Writer(tree, book, place, problems, reasons).script() for place in range(len(book.cases)))
    names = [script.name for script in scripts]
    for script in scripts:
        if names.count(script.name) > 1:
            problems += [Problem(script.line, script.column, f"a second case of the name `{script.name}`")]
    if problems:
        raise RulebookError(source, problems[:MAX_PROBLEMS])
    return scripts


class _Writer:
    """Makes one case ready and notes what is wrong with it."""

    def __init__(
        self, tree: Any, book: Book, place: int, problems: list[Problem], reasons: Collection[str] = ()
    ) -> None:
        self._tree = tree
        self._book = book
        self._case: Case = book.cases[place]
        self._path: tuple[str | int, ...] = ("cases", place)
        self._problems = problems
        self._reasons = reasons

    def script(self) -> Script:
        """The case, with an event wherever one could be made."""
        first = min((read_time(step.at) for step in self._case.steps if step.at is not None), default=0)
        person = self._person(first)
        opening = [*self._products(min([first, *(event.time for event in person)])), *person]
        scenes = [self._scene(step, number) for number, step in enumerate(self._case.steps)]
        self._names(scenes)
        self._known(scenes)
        self._times(scenes, opening)
        line, column = document.place(self._tree, self._path)
        return Script(self._case.case, self._case.story, tuple(opening), tuple(scenes), line, column)

    def _products(self, at: int) -> list[Event]:
        found: list[Event] = []
        for path, products in (("products",), self._book.products), ((*self._path, "products"), self._case.products):
            for number, product in enumerate(products):
                named = f"p-{number}" if path == ("products",) else f"q-{number}"
                event = self._event("product.described", product, at, (*path, number), named, subject="")
                found += [event] if event is not None else []
        return found

    def _person(self, first: int) -> list[Event]:
        person = self._case.customer
        path = (*self._path, "customer")
        if isinstance(person, str):
            known = self._book.customers
            if person not in known:
                close = difflib.get_close_matches(person, known, n=1)
                hint = f": did you mean `{close[0]}`?" if close else ""
                self._fault(path, f"no customer `{person}` under `customers`{hint}")
                return []
            path, person = ("customers", person), known[person]
        told = [] if person is None else list(person.events(first))
        events = [self._event(type_, data, at, path, f"c-{number}") for number, (type_, data, at) in enumerate(told)]
        return [event for event in events if event is not None]

    def _scene(self, step: Step, number: int) -> Scene:
        path = (*self._path, "steps", number)
        line, column = document.place(self._tree, path)
        expected = None if step.expect is None else tuple(step.expect)
        if step.happening is None:
            at = read_time(step.until or "")
            return Scene(at, None, None, expected, line, column, f"until {format_instant(at)}")
        type_, data = step.happening
        at = read_time(step.at or "")
        answers = None
        if type_.startswith("response."):
            answers = data.get("decision_id", NEWEST)
            data = {"channel": "", **data, "decision_id": answers}
            if type_ != "response.recalled" and not data["channel"]:
                data["channel"] = NEWEST
        time = at if step.time is None else read_time(step.time)
        if type_ == "contact.requested":
            data = {"request_id": f"r-{number + 1}", **data}
        named = step.id or f"e-{number + 1}"
        event = self._event(type_, data, time, (*path, type_), named, step.subject, step.source)
        return Scene(at, event, answers, expected, line, column, f"{format_instant(at)} {type_}")

    def _event(
        self,
        type_: str,
        data: Mapping[str, Any],
        time: int,
        path: tuple[str | int, ...],
        id_: str,
        subject: str | None = None,
        source: str | None = None,
    ) -> Event | None:
        envelope = {
            "specversion": "1.0",
            "id": id_,
            "source": source or SOURCE,
            "type": type_,
            "time": format_instant(time),
            "subject": CUSTOMER if subject is None else subject,
        }
        misspelt = list(words.misspelt(TYPES[type_][1], data))
        for where, message in misspelt:
            self._fault((*path, *where), f"{type_}: {message}")
        try:
            return parse_event(msgspec.json.encode({**envelope, "data": _timed(data)}))
        except EventRejected as error:
            message = str(error)
            if not (misspelt and "missing required field" in message):  # told already, by the name that it bears
                place = _path(message)
                self._fault((*path, *place), words.advice(TYPES[type_][1], data, place, message))
            return None

    def _names(self, scenes: Sequence[Scene]) -> None:
        """A response, and an expectation that names another decision, may name only what an earlier one is called."""
        known: set[str] = set()
        for number, scene in enumerate(scenes):
            path = (*self._path, "steps", number)
            if scene.answers not in (None, NEWEST, *known):
                self._fault(path, f"no decision before this step is called `{scene.answers}`: name one with `as:`")
            for one in scene.expect or ():
                for name in (one.recalls, one.releases):
                    if name is not None and name not in known:
                        self._fault((*path, "expect"), f"no decision before this one is called `{name}`")
                known.update([one.as_] if one.as_ is not None else [])

    def _known(self, scenes: Sequence[Scene]) -> None:
        """Reasons that no rule gives: such an expectation could only fail."""
        for number, scene in enumerate(scenes):
            for place, one in enumerate(scene.expect or ()):
                path = (*self._path, "steps", number, "expect", place)
                weighed = enumerate(one.considered or ())
                named: list[tuple[tuple[str | int, ...], str | None]] = [
                    (("hold",), one.hold),
                    (("release",), one.release),
                    (("reason",), one.reason),
                    *((("considered", at, "reason"), each.reason) for at, each in weighed),
                ]
                for key, reason in named:
                    fault = unknown(reason, self._reasons) if reason is not None and reason != NEVER else None
                    if fault is not None:
                        self._fault(_written(self._tree, (*path, *key)), fault)

    def _times(self, scenes: Sequence[Scene], opening: Sequence[Event]) -> None:
        """Steps are handled one after the other; only what is handled late happened before the step in front of it."""
        latest = max((event.time for event in opening), default=0)
        for number, scene in enumerate(scenes):
            path = (*self._path, "steps", number)
            if scene.at < latest:
                self._fault(
                    path, "earlier than what comes before it: `at` is when it is handled, `time` when it happened"
                )
            if scene.event is not None and scene.event.time > scene.at:
                self._fault((*path, "time"), "later than `at`: nothing is handled before it happened")
            latest = max(latest, scene.at)

    def _fault(self, path: Sequence[str | int], message: str) -> None:
        line, column = document.place(self._tree, path)
        self._problems.append(Problem(line, column, message))


def _moments() -> frozenset[str]:
    """The names of all fields of events that are times."""

    def is_moment(kind: Any) -> bool:
        return kind == Moment or any(part == Moment for part in get_args(kind))

    models = [model for _, model in TYPES.values()]
    fields = [field for model in models for field in msgspec.structs.fields(model)]
    return frozenset(field.name for field in fields if is_moment(field.type)) | {"expires_at"}


_MOMENTS: Final = _moments()


def _timed(data: Any) -> Any:
    """The same with its times in RFC 3339; what is no time stays, for the event's own parser to refuse."""
    if isinstance(data, Mapping):
        return {key: _instant(value) if key in _MOMENTS else _timed(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_timed(item) for item in data]
    return data


def _instant(value: Any) -> Any:
    try:
        return format_instant(read_time(value)) if isinstance(value, str) else value
    except ValueError:
        return value


def _path(message: str) -> list[str | int]:
    """The path in a message of the event's parser, `$.lines[0].sku`, as keys and places."""
    found = re.search(r"`\$([^`]*)`", message)
    steps = re.findall(r"\.([A-Za-z_]+)|\[(\d+)\]", found[1]) if found else []
    return [int(number) if number else name for name, number in steps]


def _problems(tree: Any, error: ValidationError) -> list[Problem]:
    """Every fault of shape, where it stands; at most `MAX_PROBLEMS`."""
    return [_problem(tree, dict(fault)) for fault in error.errors()[:MAX_PROBLEMS]]


def _problem(tree: Any, fault: dict[str, Any]) -> Problem:
    loc = _written(tree, fault["loc"])
    line, column = document.place(tree, loc)
    path = ".".join(str(part) for part in loc)
    if fault["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(loc[-1]), _known(loc), n=1)
        hint = f": did you mean `{close[0]}`?" if close else ""
        if not close and "expect" in loc and "considered" not in loc:
            hint = f": a decision is one of {', '.join(f'`{one.value}`' for one in Outcome)}"
        return Problem(line, column, f"unknown field `{path}`{hint}")
    if fault["type"] == "missing":
        return Problem(line, column, f"`{path}` is missing")
    message = str(fault["msg"]).removeprefix("Value error, ")
    shown = f" (`{fault['input']}`)" if isinstance(fault["input"], str) and fault["input"] else ""
    if fault["type"] == "literal_error":
        message = words.choice(str(fault["input"]), re.findall(r"'([^']*)'", str(fault["ctx"]["expected"])))
    elif fault["type"] == "list_type" and loc[-1] == "expect":
        message = "write `silence`, a decision such as `{act: name}`, or a list of them"
    return Problem(line, column, f"`{path}`{shown}: {message[:1].lower()}{message[1:]}")


def _written(tree: Any, loc: Sequence[str | int]) -> tuple[str | int, ...]:
    """A model's path without what nobody wrote: the kind of a customer, the place in a list of one."""
    found: list[str | int] = []
    node = tree
    for part in loc:
        if part in (BY_NAME, IN_FULL) or (isinstance(part, int) and isinstance(node, Mapping)):
            continue
        found.append(part)
        if isinstance(node, Mapping):
            node = node.get(part)
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node):
            node = node[part]
    return tuple(found)


def _known(loc: Sequence[str | int]) -> list[str]:
    """The fields that may stand where a path ends."""
    names = {part for part in loc[:-1] if isinstance(part, str)}
    model: type[BaseModel] = Book
    if "considered" in names:
        model = Weighed
    elif "expect" in names:
        model = Expected
    elif "consents" in names:
        model = Grant
    elif names & {"customer", "customers"}:
        model = Person
    elif "cases" in names:
        model = Step if "steps" in names else Case
    return [field.alias or name for name, field in model.model_fields.items()]
