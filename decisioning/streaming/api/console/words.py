"""How instants, facts and outcomes read on a page; pure, and the same on every page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from decisioning.instant import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant

OUTCOMES: Final[Mapping[str, str]] = {
    "act": "Say",
    "suppress": "Keep silent",
    "defer": "Not now",
    "recall": "Take back",
    "hold": "Hold",
    "release": "Release",
}
"""Outcome -> what it tells the channel to do, in the order of the contract."""


class Moment(NamedTuple):
    """An instant for a page: `iso` for machines, `text` in UTC, to the second where it has one, `away` from now."""

    iso: str
    text: str
    away: str


def moment(at: int, now: int) -> Moment:
    """An instant as it is shown at `now`."""
    return Moment(format_instant(at), _spaced(format_instant(at - at % SECOND)), away(at - now))


def moment_of(text: object, now: int) -> Moment | None:
    """The moment that a field of a decision names; None where there is none."""
    return moment(parse_instant(text), now) if isinstance(text, str) else None


def away(span: int) -> str:
    """A span from now: `in 3 d 4 h`, `2 min ago`, `now` within a second."""
    if abs(span) < SECOND:
        return "now"
    told = length(abs(span))
    return f"in {told}" if span > 0 else f"{told} ago"


def length(span: int) -> str:
    """A duration in its two largest units, cut off below them."""
    parts, rest = [], span
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count} {name}")
        if len(parts) == 2 or (parts and not count):
            break
    return " ".join(parts) or "0 s"


def facts(found: Mapping[str, object] | None) -> list[tuple[str, str]]:
    """Facts of a verdict as label and text, in their order."""
    return [(name.replace("_", " "), said(value)) for name, value in (found or {}).items()]


def said(value: object) -> str:
    """A fact's value in words: lists with commas, mappings in brackets, an instant without its `T`."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {said(one)}" for name, one in value.items()) or "nothing"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(said(one) for one in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _spaced(value) if isinstance(value, str) else str(value)


def scoped(scope: Mapping[str, Sequence[str]]) -> str:
    """A hold's scope in words, without its empty lists."""
    return said({name: names for name, names in scope.items() if names})


def _spaced(text: str) -> str:
    try:
        parse_instant(text)
    except ValueError:
        return text
    return text.replace("T", " ").replace("Z", " UTC").replace(":00 UTC", " UTC")
