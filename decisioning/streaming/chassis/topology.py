"""Workers of one group have one topology, and Kafka itself sees to it (trap T27).

Where members of a group subscribe to different topics, Faust's assignor puts a topic that not all of them have into a
group of its own, and its partitions may go to another worker than those of the changelog: states are then written
where nobody owns them. So the name of the assignor carries a fingerprint of the topology. Kafka's coordinator lets
nobody join a group with whose members he has no assignor in common: the newcomer ends with code 76, those at work go
on undisturbed, and once the last of them has left the other topology may begin.

Why so: a record that names the topology, in the changelog or elsewhere, can only be read before it is written, so two
topologies that start together would miss each other; and of members' metadata only the group's leader knows, who may
be the one in the wrong, or a program from before such a check. What the changelog does say (``NUL t``, the order of
topics behind the marks) is another question: it survives a change of topology.

Replaced in Faust 0.15.3: `faust.assignor.partition_assignor.PartitionAssignor.name`, which is the same for all.
"""

from __future__ import annotations

import hashlib

import msgspec
from faust.assignor import PartitionAssignor

from decisioning.streaming.chassis.config import ChassisConfig

__all__ = ["Assignor", "fingerprint"]

_DIGITS = 12


class Assignor(PartitionAssignor):  # type: ignore[misc]  # Faust is untyped here
    """Faust's assignor under a name that only workers of one topology share."""

    @property
    def name(self) -> str:
        """What Kafka compares when a member joins."""
        return f"lanes-{fingerprint(self.app.chassis)}"


def fingerprint(config: ChassisConfig) -> str:
    """Hex digits that are the same for all that have these source topics in this order, changelog and partitions."""
    text = msgspec.json.encode([config.topics, config.changelog, config.partitions])
    return hashlib.sha256(text).hexdigest()[:_DIGITS]
