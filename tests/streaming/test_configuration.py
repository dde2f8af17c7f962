"""The settings as they are shown: all of them, with their source, and nothing that is secret."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from decisioning.streaming import operate
from decisioning.streaming.configuration import HIDDEN, Shown, as_json, env_example, render, shown, speaks_of_a_secret
from decisioning.streaming.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
SECRET = "hunter2-canary"


def by_name(settings: Settings) -> dict[str, Shown]:
    """Every setting by its variable."""
    return {row.variable: row for row in shown(settings)}


def test_each_setting_says_its_value_and_where_it_came_from() -> None:
    """As it would be written into the environment."""
    rows = by_name(Settings(partitions=4, rulebooks_topic=False))
    assert len(rows) == len(Settings.model_fields)
    assert rows["DECISIONING_PARTITIONS"][1:3] == ("4", "environment")
    assert rows["DECISIONING_RULEBOOKS_TOPIC"][1:3] == ("false", "environment")
    assert rows["DECISIONING_KAFKA"][1:3] == ("127.0.0.1:9092", "default")
    assert rows["DECISIONING_INSTANCE"][1:3] == ("", "default")
    assert all(row.meaning for row in rows.values())


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    """Neither a password nor what stands in its file; the file's path is none."""
    settings = Settings(security_protocol="SASL_SSL", sasl_username="worker", sasl_password=SecretStr(SECRET))
    assert by_name(settings)["DECISIONING_SASL_PASSWORD"].value == HIDDEN
    file = tmp_path / "password"
    file.write_text(SECRET)
    of_a_file = Settings(security_protocol="SASL_SSL", sasl_username="worker", sasl_password_file=file)
    assert by_name(of_a_file)["DECISIONING_SASL_PASSWORD_FILE"].value == str(file)
    assert by_name(of_a_file)["DECISIONING_SASL_PASSWORD"].value == ""
    for one in (settings, of_a_file):
        assert SECRET not in render(shown(one)) + as_json(shown(one))


@pytest.mark.parametrize(
    ("name", "hidden"),
    [("api_token", True), ("key", True), ("tokens_file", False), ("ssl_key_file", False), ("partitions", False)],
)
def test_a_later_setting_that_speaks_of_a_secret_is_hidden(name: str, hidden: bool) -> None:
    """Also where it is a plain text; the path of a file is shown."""
    assert speaks_of_a_secret(name) is hidden


def test_the_command_prints_what_is_set_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table for a person, JSON for a program."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DECISIONING_GROUP_ID", "shop")
    assert operate.show_config(json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["SETTING", "VALUE", "FROM"],
        ["DECISIONING_GROUP_ID", "shop", "environment"],
    ]
    assert operate.show_config(json=True) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["variable"]: row["value"] for row in rows}["DECISIONING_GROUP_ID"] == "shop"


def test_env_example_is_fresh() -> None:
    """`deploy/env.example` is what `env_example()` says; write it anew when settings change."""
    assert (ROOT / "deploy" / "env.example").read_text(encoding="utf-8") == env_example()
