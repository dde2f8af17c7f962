"""Asks Kafka what `assignment` compares, at the two moments where it must be known.

- `check_stores` before anything is restored, of active partitions and of standbys;
- `check_lanes` before a lane is taken over: from then on its changelog is no longer as it was found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from faust.types import TP

from decisioning.streaming.chassis.assignment import (
    IDENTITY,
    POSITIONS,
    Log,
    Positions,
    Source,
    check_lane,
    check_store,
)
from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.identity import topic_ids
from decisioning.streaming.chassis.store import Store

__all__ = ["Inquiry"]


class Inquiry:
    """What Kafka said at the last assignment. `consumer` is the app's, `store` gives the local store of a partition."""

    def __init__(self, config: ChassisConfig) -> None:
        self._config = config
        self.ids: Mapping[str, str] = {}
        """The ids of the topics; without those that have none."""
        self._logs: dict[int, Log] = {}

    async def check_stores(self, consumer: Any, changelogs: Iterable[TP], store: Any) -> None:
        """Compare local stores with their changelog partitions. Raises `StoreError`."""
        tps, config = list(changelogs), self._config
        if not tps:
            return
        self.ids = await topic_ids(config, [*config.topics, config.changelog])
        id_ = self.ids.get(config.changelog, "")
        firsts, ends = await consumer.earliest_offsets(*tps), await consumer.highwaters(*tps)
        for tp in tps:
            local: Store = store(tp.partition)
            log = self._logs[tp.partition] = Log(firsts[tp], ends[tp], id_)
            kept = (local.get(IDENTITY) or b"").decode()
            check_store(local.path, local.offset, kept, log)
            if id_ and not kept:
                local.note(IDENTITY, id_.encode())
            await asyncio.sleep(0)  # opening many may take longer than the group waits for a heartbeat

    def check_lanes(self, known: Mapping[TP, tuple[int | None, int]], ends: Mapping[TP, int], store: Any) -> None:
        """Compare source topics and commits with what was restored. Raises `Refusal`.

        `known` gives for each source partition the group's commit and where the log begins, `ends` where it ends.
        """
        config = self._config
        for number in sorted({tp.partition for tp in known}):
            sources = [self._source(TP(topic, number), known, ends) for topic in config.topics]
            positions = Positions(store(number).get(POSITIONS), self.ids)
            check_lane(number, sources, positions.known, self._logs[number], config.group)

    def _source(
        self, tp: TP, known: Mapping[TP, tuple[int | None, int]], ends: Mapping[TP, int]
    ) -> Source:  # fmt: skip
        committed, first = known[tp]
        return Source(tp.topic, first, ends[tp], committed, self.ids.get(tp.topic, ""))
