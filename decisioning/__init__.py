"""Real-time decisions about customers, with respect first.

The door for embedders; read the rooms in walking order: `payload` and `event` (what happened), `catalogue` (what we
sell), `state/` (what we remember), `suppress/` (why we may keep silent), `rulebook` and `policy` (what an author
decided), `judge` and `rank` (which candidate), `engine` (the question itself), `decision` (what we answer).
Everything that touches Kafka, files or time lives behind one wall, `streaming/`.
"""

from decisioning.catalogue import Catalogue
from decisioning.decision import Decision, Outcome
from decisioning.engine import Step, on_event, on_wake
from decisioning.event import Event, parse
from decisioning.policy import Policy
from decisioning.rulebook import Rulebook
from decisioning.state import State

__version__ = "0.1.0"

__all__ = [
    "Catalogue",
    "Decision",
    "Event",
    "Outcome",
    "Policy",
    "Rulebook",
    "State",
    "Step",
    "on_event",
    "on_wake",
    "parse",
]
