"""The default policy is found, is never put in the place of one that was named, and can be taken to begin from."""

from __future__ import annotations

from pathlib import Path

import pytest

from decisioning.errors import DecisioningError
from decisioning.streaming.settings import Settings
from decisioning.streaming.shipped import RETAIL, RULES, begin, default_policy, rulebook_of
from tests.builders import RETAIL as OURS


def test_the_one_here_wins_over_the_one_that_came_with_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps `rules/retail.yaml` in the folder they work in means that one."""
    monkeypatch.chdir(tmp_path)
    assert default_policy().read_bytes() == OURS.read_bytes()
    (tmp_path / "rules").mkdir()
    (tmp_path / RETAIL).write_text("rulebook: ours\n")
    assert default_policy().read_text() == "rulebook: ours\n"


def test_a_rulebook_that_was_named_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that is missing must not become another policy in silence; and the default's own name is a name too."""
    monkeypatch.chdir(tmp_path)
    assert rulebook_of(Settings(rulebook=RETAIL)) == RETAIL
    monkeypatch.setenv("DECISIONING_RULEBOOK", "rules/retail.yaml")
    assert rulebook_of(Settings()) == RETAIL
    monkeypatch.delenv("DECISIONING_RULEBOOK")
    assert rulebook_of(Settings()) == RULES / "retail.yaml"


def test_the_settings_default_is_the_same_name() -> None:
    """`deploy/env.example` and this module say the same."""
    assert Settings.model_fields["rulebook"].default == RETAIL


def test_a_beginning_is_whole_and_loses_nothing(tmp_path: Path) -> None:
    """Rulebooks, cases, examples, schemas and the page; a second time nothing is written over."""
    written = begin(tmp_path / "ours")
    names = {path.relative_to(tmp_path / "ours").as_posix() for path in written}
    assert names == {path.relative_to(RULES).as_posix() for path in RULES.rglob("*") if path.is_file()}
    assert {"retail.yaml", "retail.cases.yaml", "schema/rulebook.json", "README.md"} <= names
    (tmp_path / "ours" / "retail.yaml").write_text("changed")
    with pytest.raises(DecisioningError, match="exists already"):
        begin(tmp_path / "ours")
    assert (tmp_path / "ours" / "retail.yaml").read_text() == "changed"
