"""A rulebook's proof: stories with the answers that it must give, read, played and compared.

`parse` reads a cases file, `trial.play` plays one case through the same engine that `decide` and the worker run.
"""

from __future__ import annotations

from decisioning.cases.script import Script, parse
from decisioning.cases.trial import Outcomes, Result, play

__all__ = ["Outcomes", "Result", "Script", "parse", "play"]
