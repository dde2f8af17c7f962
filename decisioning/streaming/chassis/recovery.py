"""Recovery in the right order: restore, open the lanes, seek while nothing is fetched, and only then fetch.

Replaced in Faust 0.15.3, `faust.tables.recovery.Recovery`:

- `on_recovery_completed` (T1: it resumes the source partitions, seeks then, and last clears the queues, so that what
  was fetched in between is lost for ever; test_recovery.py::test_lanes_open_before_anything_is_fetched).
- `_build_highwaters` (T33: a local store is taken for the cache of any changelog that is as long;
  test_inquiry.py::test_a_store_of_another_changelog_is_refused).
- `FlowControlEvent.resume` of mode 0.7.1, by `Flow` (T1, T45: it clears all queues whenever it is called, also while
  the standbys' records are in them).
"""

from __future__ import annotations

from typing import Any

from faust.tables.recovery import Recovery as FaustRecovery
from faust.types import TP
from mode.utils.queues import FlowControlEvent

__all__ = ["Flow", "Recovery"]


class Flow(FlowControlEvent):  # type: ignore[misc]  # mode is untyped here
    """Flow control that clears nothing while records flow."""

    def resume(self) -> None:
        """Let records flow; nothing where they already do."""
        if not self.is_active():
            super().resume()


class Recovery(FaustRecovery):  # type: ignore[misc]  # Faust is untyped here
    """Faust's recovery with the last step in an order that loses nothing."""

    async def _build_highwaters(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        """Also make sure, before anything is restored, that the local stores are those of this changelog."""
        await self.app.inquiry.check_stores(consumer, tps, self.app.states.data.store)
        await super()._build_highwaters(consumer, tps, destination, title)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """All changelog records are applied: begin with the source partitions."""
        app: Any = self.app
        consumer = app.consumer
        await app.on_rebalance_complete.send()
        self._set_recovery_ended()
        for table in self.tables.values():
            await table.on_recovery_completed(self.actives_for_table[table], self.standbys_for_table[table])
        if app.consumer_generation_id != generation_id:
            return
        self.flush_buffers()  # whatever of the changelog is still on its way would come after what the lanes write
        sources: set[TP] = consumer.sources()
        await self._wait(app.open_lanes(sources))  # a timeout would end the recovery in silence
        self.completed.set()
        app.flow_control.resume()
        consumer.resume_flow()
        consumer.resume_partitions(sources)
        await app._fetcher.maybe_start()
        self.tables.on_actives_ready()
        if not app.assignor.assigned_standbys():
            self.tables.on_standbys_ready()
        app.on_rebalance_end()
        app.on_lanes_open()
