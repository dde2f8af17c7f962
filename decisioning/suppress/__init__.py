"""Why we may keep silent: one file, one family of reasons.

`ORDER` is the order of contract.md, section 4; the first that refuses gives the reason. To add a suppressor: one file
here, one line in `ORDER`, its reasons in `reasons.py`, its test. Its rule shape, the metric labels and the tables
follow.
"""

from __future__ import annotations

from typing import Final

from decisioning.suppress.base import AnySuppressor, Ask, Objection
from decisioning.suppress.consent import ConsentGiven
from decisioning.suppress.contact_window import InContactWindow
from decisioning.suppress.degraded import StateKnown
from decisioning.suppress.dnc import MayBeContacted
from decisioning.suppress.expired import InTime
from decisioning.suppress.frequency_cap import UnderCaps
from decisioning.suppress.quiet_hours import NotAtNight
from decisioning.suppress.recent_purchase import NotJustBought
from decisioning.suppress.timezone import ZoneKnown

ORDER: Final[tuple[type[AnySuppressor], ...]] = (
    MayBeContacted,  # 1 erased, deceased
    StateKnown,  #   a state we could not read
    ConsentGiven,  # 3 consent for purpose and channel
    NotJustBought,  # 8-11 price drop, same item, substitute or category, cooldown
    NotAtNight,  # 17 quiet hours
    InContactWindow,  # 18 the customer's own windows
    ZoneKnown,  # 19 where the customer is
    UnderCaps,  # 21 frequency
    InTime,  # 23 expired or handled too late
)

__all__ = ["ORDER", "AnySuppressor", "Ask", "Objection"]
