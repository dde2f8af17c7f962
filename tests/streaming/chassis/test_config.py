"""The configuration refuses what would lose or stall records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from decisioning.streaming.chassis.config import ConfigError
from tests.streaming.chassis.toy_worker import config


def test_a_sound_configuration_is_taken(tmp_path: Path) -> None:
    """The toy's own configuration stands, and security does not appear in what is printed."""
    given = config(bootstrap="h:1", data=tmp_path, security={"sasl_plain_password": "secret"})
    assert given.topics[-1] == given.relay
    assert "secret" not in repr(given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"topics": ("a", "b")}, "must be the last of the source topics"),
        ({"topics": ("a", "a", "relay")}, "named twice"),
        ({"changelog": "a"}, "cannot be a source topic"),
        ({"send_ms": 10_000, "session_ms": 10_000}, "must be below session_ms"),
        ({"session_ms": 40_000}, "must not exceed request_ms"),
        ({"slices": 0}, "must be at least 1"),
    ],
)
def test_contradictions_are_refused(given: dict[str, Any], says: str, tmp_path: Path) -> None:
    """Each contradiction is named with the settings that are in it."""
    with pytest.raises(ConfigError, match=says):
        config(bootstrap="h:1", data=tmp_path, **given)
