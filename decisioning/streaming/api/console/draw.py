"""View models to HTML: the templates, and where things lie on a time line.

Everything that is shown is escaped, and no markup carries a style or a script of its own, so that the policy in
`pages.py` need not allow any. Places are percentages of a line's width: a line stretches, its words do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from decisioning.instant import DAY, HOUR, format_instant
from decisioning.streaming.api.console.timeline import Bar, Chart
from decisioning.streaming.api.console.words import OUTCOMES
from decisioning.zones import EPOCH_DAY, zone

_STEPS: Final = (DAY // 2, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 15 * DAY, 30 * DAY)
_MOST_TICKS: Final = 7
_KINDS: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}


class Tick(NamedTuple):
    """A mark on an axis; every second one is `minor` and goes where there is little room."""

    x: str
    label: str
    minor: bool


def render(name: str, **shown: Any) -> bytes:
    """A template with what it shows."""
    return _templates().get_template(name).render(outcomes=OUTCOMES, **shown).encode()


def static(name: str) -> tuple[bytes, str] | None:
    """A vendored or own file, and its type; None where there is none of that name."""
    found = _files().get(name)
    return None if found is None else (found, f"{_KINDS[name.rpartition('.')[2]]}; charset=utf-8")


def asset(name: str) -> str:
    """The address of a file, another one for other content, so that browsers may keep what they have."""
    return f"/console/static/{name}?v={sha256(_files()[name]).hexdigest()[:12]}"


def place(chart: Chart, at: int) -> str:
    """Where an instant lies, as a percentage of the chart's width; the ends where it lies outside."""
    share = (at - chart.first) / (chart.last - chart.first)
    return f"{min(max(share, 0.0), 1.0) * 100:.3f}%"


def width(chart: Chart, bar: Bar) -> str:
    """How wide a bar is, of the chart's width, as far as it lies within."""
    start, end = max(bar.start, chart.first), min(bar.end, chart.last)
    return f"{max(0.0, (end - start) / (chart.last - chart.first)) * 100:.3f}%"


def days(chart: Chart) -> list[Tick]:
    """Days in UTC, no more than fit."""
    step = next((one for one in _STEPS if (chart.last - chart.first) / one <= _MOST_TICKS), _STEPS[-1])
    first = -(-chart.first // step) * step
    return list(_ticks(chart, [(at, _date(at, step)) for at in range(first, chart.last, step)]))


def hours(chart: Chart, zone_name: str) -> list[Tick]:
    """Every sixth hour of the clock in a zone, with the day at midnight."""
    shown, marks = zone(zone_name), []
    day = shown.local(chart.first)[0]
    while (midnight := shown.to_utc(day, 0)) < chart.last:
        name = date.fromordinal(day).strftime("%a")
        marks.append((midnight, f"{name} 00:00"))
        marks += [(shown.to_utc(day, hour * 60), f"{hour:02}:00") for hour in (6, 12, 18)]
        day += 1
    return list(_ticks(chart, [(at, label) for at, label in marks if at >= chart.first]))


def _ticks(chart: Chart, marks: list[tuple[int, str]]) -> Iterator[Tick]:
    margin = (chart.last - chart.first) // 25  # a label at the very edge would be cut off
    inside = [(at, label) for at, label in marks if chart.first + margin <= at <= chart.last - margin]
    for number, (at, label) in enumerate(inside):
        yield Tick(place(chart, at), label, bool(number % 2))


def _date(at: int, step: int) -> str:
    if step < DAY and at % DAY:
        return f"{at % DAY // HOUR:02}:00"
    return date.fromordinal(EPOCH_DAY + at // DAY).strftime("%-d %b")


@cache
def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader("decisioning.streaming.api.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {
        "asset": asset,
        "place": place,
        "width": width,
        "days": days,
        "hours": hours,
        "instant": format_instant,
    }
    return found


@cache
def _files() -> dict[str, bytes]:
    folder = resources.files("decisioning.streaming.api.console").joinpath("static")
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in _KINDS}
