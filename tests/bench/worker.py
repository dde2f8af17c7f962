"""This project's whole worker, `decisioning run`, with the retail rulebook: not the trivial job but decisions."""

from __future__ import annotations

import re
import sys
import urllib.request
from typing import Final

from confluent_kafka.admin import NewTopic

from decisioning.streaming.settings import PREFIX, Settings
from decisioning.streaming.topics import Role, plan
from tests.bench.chassis import SAFE
from tests.bench.engine import PARTITIONS, ROOT, Engine, Process, Run

_PAGE: Final = re.compile(r"http://127\.0\.0\.1:\d+/metrics")
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_COUNTED: Final = re.compile(
    r'^decisioning_(?:events_total\{(?!.*result="forwarded").*\}|dead_letters_total\{.*\}) (\S+)$', re.M
)


class FullWorker(Engine):
    """Its events lie in the topics of the contract, whatever `Run.source` says."""

    name = "worker"
    mark = b'"request_id":"'
    promise = SAFE._replace(settings="its defaults, event clock; recorded events, full rulebook")

    def __init__(self, *, instance: bool = False, events: int = 40_000) -> None:
        self._named = instance
        self.events = events

    def settings(self, run: Run, member: int = 1) -> dict[str, object]:
        """What it is told beside its defaults."""
        more: dict[str, object] = {"instance": f"{run.name}-{member}"} if self._named else {}
        return more | {
            "kafka": run.kafka, "partitions": PARTITIONS, "group_id": run.name, "topic_prefix": f"{run.name}-",
            "clock": "event", "rulebook": ROOT / "rules" / "retail.yaml", "data_dir": run.data(member), "http_port": 0,
            "disk_free_percent": 0, "log_format": "text",
        }  # fmt: skip

    def topics(self, run: Run) -> list[NewTopic]:
        """Those that it writes; the sources are filled before."""
        return [new for new, role in self._plan(run) if role in (Role.OUTPUT, Role.INTERNAL)]

    def sources(self, run: Run) -> list[NewTopic]:
        """Those that it reads."""
        return [new for new, role in self._plan(run) if role in (Role.SOURCE, Role.BROADCAST)]

    def _plan(self, run: Run) -> list[tuple[NewTopic, Role]]:
        rows = plan(Settings.model_validate(self.settings(run)))
        return [(NewTopic(row.name, row.partitions, 1, config=row.config), row.topic.role) for row in rows]

    def changelog(self, run: Run) -> str:
        """As the table of topics names it."""
        return f"{run.name}-state-changelog"

    def command(self, run: Run, member: int) -> tuple[list[str], dict[str, str]]:
        """`decisioning run`."""
        told = {PREFIX + name.upper(): str(value) for name, value in self.settings(run, member).items()}
        return [sys.executable, "-m", "decisioning", "run"], told

    def handled(self, process: Process, answers: int) -> int:
        """What its own counters say: not every event has an answer, and some have several."""
        found = _PAGE.findall(process.output)
        if not found:
            return 0
        with _DIRECT.open(found[-1], timeout=10) as page:
            return int(sum(float(count) for count in _COUNTED.findall(page.read().decode())))
