"""The settings as they hold for this process, for whoever runs it: each with its value and where that came from;
and the text of the file that lists them.

What is secret is never shown, also where a later setting forgets to say that it is: a name that speaks of a secret and
is no file's is hidden.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from pydantic import SecretStr

from decisioning.streaming.settings import PREFIX, Settings

HIDDEN: Final = "(hidden)"
_SECRET: Final = re.compile(r"(password|secret|token|credential|key)(?!.*_files?$)")


class Shown(NamedTuple):
    """One setting: its variable, its value as it would be written, where it came from, and what it means."""

    variable: str
    value: str
    source: str
    """`environment` or `default`."""
    meaning: str


def shown(settings: Settings) -> list[Shown]:
    """Every setting, in the order of `deploy/env.example`."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value is not None and (isinstance(value, SecretStr) or speaks_of_a_secret(name)):
            text = HIDDEN
        elif isinstance(value, bool):
            text = str(value).lower()
        else:
            text = "" if value is None else str(value)
        source = "environment" if name in settings.model_fields_set else "default"
        rows.append(Shown(PREFIX + name.upper(), text, source, field.description or ""))
    return rows


def speaks_of_a_secret(name: str) -> bool:
    """Whether a setting of this name holds something to hide; the path of a file is none."""
    return _SECRET.search(name) is not None


def render(rows: list[Shown]) -> str:
    """For a person: what is set first, then the defaults, aligned."""
    lines = [("SETTING", "VALUE", "FROM")]
    lines += [row[:3] for row in sorted(rows, key=lambda row: row.source == "default")]
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    return "\n".join(f"{line[0].ljust(widths[0])}  {line[1].ljust(widths[1])}  {line[2]}" for line in lines)


def as_json(rows: list[Shown]) -> str:
    """For a program: a JSON array."""
    return json.dumps([row._asdict() for row in rows], indent=1)


def env_example() -> str:
    """The text of `deploy/env.example`: every variable with its meaning and its default, commented out."""
    parts = [
        "# Every setting of decisioning, with its default. Generated from decisioning/streaming/settings.py:",
        "# change it there. Remove the leading # of a line to set it.",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else field.default
        if isinstance(default, bool):
            default = str(default).lower()
        parts += ["", f"# {field.description}", f"#{PREFIX}{name.upper()}={default}"]
    return "\n".join(parts) + "\n"
