"""Decisions as bytes, for tests that only read them."""

from __future__ import annotations

from typing import Any

import orjson


def decision(
    outcome: str, reason: str = "allowed.clear", *, id_: str = "d-1", trigger: str = "e-1", **data: Any
) -> bytes:
    """A decision about c-7 at noon, as it stands on the topic."""
    wake = trigger.startswith("wake")
    source = "/decisioning" if wake else "/crm"
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": id_,
            "source": "/decisioning",
            "type": f"decision.{outcome}",
            "time": "2010-12-06T12:00:00Z",
            "subject": "c-7",
            "data": {
                "outcome": outcome,
                "reason": reason,
                "trigger": {"source": source, "id": trigger, "type": "wake" if wake else "contact.requested"},
                **data,
            },
        }
    )
