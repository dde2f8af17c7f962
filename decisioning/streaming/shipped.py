"""What comes with the program beside its code: the default policy with its cases, examples and JSON Schemas.

In a checkout they are the folder `rules/`; a wheel carries that folder inside the package (pyproject.toml), so that
`pip install decisioning` is enough to decide, to run and to begin a rulebook of one's own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from decisioning.errors import DecisioningError
from decisioning.streaming.settings import Settings

_HERE: Final = Path(__file__).parents[1]
RULES: Final = next(folder for folder in (_HERE / "rules", _HERE.parent / "rules") if folder.is_dir())
"""The folder that came with us."""
RETAIL: Final = Path("rules") / "retail.yaml"
"""The default policy's name, below the folder we are started in and below the one that came with us."""


def default_policy() -> Path:
    """The rulebook that holds where nobody names one: `rules/retail.yaml` here, else the one that came with us."""
    return RETAIL if RETAIL.exists() else RULES / RETAIL.name


def rulebook_of(settings: Settings) -> Path:
    """The rulebook file of a worker; one that the environment names is never replaced, there or not."""
    return settings.rulebook if "rulebook" in settings.model_fields_set else default_policy()


def begin(folder: Path) -> list[Path]:
    """Copy all of it to a folder, to change it there; the files written. DecisioningError where one would be lost."""
    wanted = {folder / one.relative_to(RULES): one for one in sorted(RULES.rglob("*")) if one.is_file()}
    if there := [str(path) for path in wanted if path.exists()]:
        raise DecisioningError(f"{there[0]} exists already and is left alone; name another folder, or move it away")
    for path, source in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
    return list(wanted)
