"""Why we may keep silent: one file, one family of reasons.

`ORDER` is the order of contract.md, section 4; the first that refuses gives the reason. To add a suppressor: one file
here, one line in `ORDER`, its reasons in `reasons.py`, its test. Its rule shape, the metric labels and the tables
follow.
"""

from __future__ import annotations

from typing import Final

from decisioning.suppress.base import AnySuppressor, Ask, Objection
from decisioning.suppress.basics import BasicsInOrder
from decisioning.suppress.blackout import NoBlackout
from decisioning.suppress.campaign_exclusion import NotAProspect
from decisioning.suppress.concurrent_channel import NotAtOnce
from decisioning.suppress.consent import ConsentGiven
from decisioning.suppress.contact_window import InContactWindow
from decisioning.suppress.degraded import StateKnown
from decisioning.suppress.dnc import MayBeContacted
from decisioning.suppress.do_not_contact import NotAskedToStop
from decisioning.suppress.empathy import NotInDistress
from decisioning.suppress.expired import InTime
from decisioning.suppress.frequency_cap import UnderCaps
from decisioning.suppress.hold import NoOpenIssue
from decisioning.suppress.holdout import NotHeldOut
from decisioning.suppress.ineligible import Eligible
from decisioning.suppress.quiet_hours import NotAtNight
from decisioning.suppress.recent_purchase import NotJustBought
from decisioning.suppress.repetition import NotRepeated
from decisioning.suppress.stopped import NotStopped
from decisioning.suppress.survey import SurveyPlanned
from decisioning.suppress.timezone import ZoneKnown
from decisioning.suppress.topics import OfTheirLiking

ORDER: Final[tuple[type[AnySuppressor], ...]] = (
    MayBeContacted,  # 1 erased, deceased
    NotStopped,  #   what is stopped, by the rulebook or by hand
    StateKnown,  #   a state we could not read
    NotAskedToStop,  # 2 complaint or unsubscribe on the channel
    ConsentGiven,  # 3 consent for purpose and channel
    NotInDistress,  # 4 bereavement, vulnerability
    NoOpenIssue,  # 5 open case, and the time after it
    BasicsInOrder,  # 6 late order, failed payment
    NotJustBought,  # 8-11 price drop, same item, substitute or category, cooldown
    NotAProspect,  # 12 for prospects only
    NotRepeated,  # 13 declined or ignored too often
    OfTheirLiking,  # 15 topics switched off, needs
    Eligible,  #    an author's own refusals
    SurveyPlanned,  # 16 surveys
    NotAtNight,  # 17 quiet hours
    NoBlackout,  #   blackout dates and public holidays
    InContactWindow,  # 18 the customer's own windows
    ZoneKnown,  # 19 where the customer is
    NotAtOnce,  # 20 another channel just spoke
    UnderCaps,  # 21 frequency
    NotHeldOut,  # 22 holdout
    InTime,  # 23 expired or handled too late
)

__all__ = ["ORDER", "AnySuppressor", "Ask", "Objection"]
