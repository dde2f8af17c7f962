"""Tier B: a real Kafka in the place of the embedded broker, each worker on a way of its own through a proxy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from confluent_kafka.admin import NewTopic

from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import plan
from tests.faults.scenario import Do, Scenario
from tests.faults.world import PARTITIONS
from tests.kafka.cluster import RealKafka
from tests.streaming.live import until

_LONG = 7 * 24 * 3_600_000


class Real:
    """Brokers of `tests/kafka` with every topic of the table; what the embedded broker alone can do is refused."""

    def __init__(self, folder: Path, brokers: int, workers: Sequence[str], further: Sequence[str] = ()) -> None:
        self._kafka = RealKafka(folder, brokers, routes=tuple(workers))
        self.address = self.inside = self._kafka.inside
        self._settings = Settings(kafka=self.address, partitions=PARTITIONS, replication=min(3, brokers))
        self.delete_topics = self._kafka.delete_topics
        self._further = further

    def create_topics(self, settings: Settings) -> list[str]:
        """The table's, with a copy on each broker up to three; and those of another program, plain ones."""
        further = [NewTopic(name, PARTITIONS, self._settings.replication) for name in self._further]
        for done in (self._kafka.admin.create_topics(further) if further else {}).values():
            done.result(30)
        made = self._kafka.create_topics(settings.model_copy(update={"replication": self._settings.replication}))
        # The verifier reads the whole history of the changelog: nothing of it may be compacted while a scenario lasts.
        self._kafka.alter_topic("state-changelog", min_compaction_lag_ms=_LONG, max_compaction_lag_ms=2 * _LONG)
        return made

    def down(self, number: int) -> None:
        """A broker is stopped in order."""
        self._kafka.stop(number)

    def up(self, number: int) -> None:
        """It is started on its old data, and serves."""
        self._kafka.start(number)

    def crash(self, number: int) -> None:
        """A broker is killed."""
        self._kafka.kill(number)

    def delay(self, milliseconds: int, number: int) -> None:
        """Everything between workers and brokers takes so much longer, each way."""
        for route in self._kafka.routes.values():
            route.delay(milliseconds / 2000)

    def coordinate(self, group: str, number: int) -> None:
        """Real brokers choose among themselves."""
        raise NotImplementedError("a real Kafka's coordinator moves when its broker ends: use Do.CRASH")

    def lead(self, topic: str, partition: int, number: int) -> None:
        """Real brokers choose among themselves."""
        raise NotImplementedError("a real Kafka's leaders move when their broker ends: use Do.CRASH")

    def refuse(self, topic: str, partition: int, code: int, count: int) -> None:
        """Real brokers refuse for a reason."""
        raise NotImplementedError("a real Kafka refuses nothing on request: use tier A")

    def recreate(self, topic: str, partitions: int) -> None:
        """A topic is deleted and made anew."""
        (row,) = [row for row in plan(self._settings) if row.name == topic]
        admin = self._kafka.admin
        admin.delete_topics([topic])[topic].result(30)
        until(lambda: topic not in admin.list_topics(timeout=10).topics, what=f"the end of {topic}")
        made = admin.create_topics([NewTopic(topic, partitions, row.replication, config=row.config)])
        made[topic].result(30)
        until(lambda: topic in admin.list_topics(timeout=10).topics, what=f"the new {topic}")

    def address_for(self, worker: str) -> str:
        """The way of this worker."""
        return self._kafka.routes[worker].address

    def cut(self, worker: str, *, deaf: bool) -> None:
        """Nothing, or no answer, passes between this worker and Kafka."""
        self._kafka.routes[worker].cut("answers" if deaf else "both")

    def heal(self, worker: str) -> None:
        """Everything passes; what was held back arrives."""
        self._kafka.routes[worker].heal()

    def close(self) -> None:
        """End the brokers."""
        self._kafka.close()


def real(folder: Path, scenario: Scenario, further: Sequence[str] = ()) -> Real:
    """A Kafka for a scenario, with a way for every worker that it names, and `further` topics."""
    named = [step.target for step in scenario.steps if step.do is Do.START]
    return Real(folder, scenario.brokers, list(dict.fromkeys([*scenario.workers, *named])), further)
