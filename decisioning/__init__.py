"""Real-time decisions about customers, with respect first.

The door for embedders; read the rooms in walking order: `payload` and `event` (what happened), `catalogue` (what we
sell), `state/` (what we remember), `suppress/` (why we may keep silent), `rulebook` and `policy` (what an author
decided), `judge` and `rank` (which candidate), `engine` (the question itself), `decision` (what we answer), `inbox`
(what a channel does with it). Everything that touches Kafka, files or time lives behind one wall, `streaming/`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from decisioning.catalogue import Catalogue
    from decisioning.decision import Decision, Outcome
    from decisioning.engine import Step, on_event, on_wake
    from decisioning.event import Event, parse
    from decisioning.inbox import Inbox
    from decisioning.policy import Policy
    from decisioning.rulebook import Rulebook
    from decisioning.state import State

__version__ = "0.1.0"

_ROOMS: Final = {
    "catalogue": ("Catalogue",),
    "decision": ("Decision", "Outcome"),
    "engine": ("Step", "on_event", "on_wake"),
    "event": ("Event", "parse"),
    "inbox": ("Inbox",),
    "policy": ("Policy",),
    "rulebook": ("Rulebook",),
    "state": ("State",),
}
_ROOM_OF: Final = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Catalogue",
    "Decision",
    "Event",
    "Inbox",
    "Outcome",
    "Policy",
    "Rulebook",
    "State",
    "Step",
    "on_event",
    "on_wake",
    "parse",
]


def __getattr__(name: str) -> Any:
    """A public name, from its room when it is first asked for: a broker or a command that needs none opens none."""
    if name in _ROOM_OF:
        return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
