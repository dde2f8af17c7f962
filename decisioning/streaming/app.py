"""A worker process: settings, rulebook, topics checked, catalogue read, then the chassis until SIGTERM.

Declares and wires; decides nothing. Exit codes: 0 stopped in order, 1 the rulebook is at fault, 3 Kafka, the topics
or the settings refuse; the chassis' own are listed in `chassis/watchdog.py`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, Final, cast

import uvloop
from prometheus_client import CollectorRegistry

from decisioning import rulebook as rulebooks
from decisioning.catalogue import Catalogue
from decisioning.decision import Outcome
from decisioning.errors import EventRejected, Fault, RulebookError
from decisioning.policy import Policy
from decisioning.reasons import REASONS
from decisioning.rulebook import Rulebook
from decisioning.streaming import topics
from decisioning.streaming.broadcast import Broadcast
from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.job import Output, Record
from decisioning.streaming.chassis.producer import Producer
from decisioning.streaming.chassis.transport import App, build, serve
from decisioning.streaming.http import HttpServer, Readiness
from decisioning.streaming.letters import Letters
from decisioning.streaming.metrics import Labels, Metrics
from decisioning.streaming.settings import Settings, kafka_options, load
from decisioning.streaming.watch import Watch
from decisioning.streaming.worker import EVENT_TYPES, KEPT, Worker
from decisioning.suppress.base import EVERY_CLASS

EXIT_INPUT = 1
SILENT_SECONDS: Final = 10.0
"""Without an answer of Kafka for so long a worker is not ready; a fetch that finds nothing is answered within 5."""
_GAUGE_SECONDS = 1.0


def main() -> int:
    """Run a worker to its end; the exit code. SettingsError and TopicsError when it must not start."""
    settings = load()
    try:
        rulebook = rulebooks.parse(settings.rulebook.read_bytes(), str(settings.rulebook))
    except RulebookError as error:
        print(error, file=sys.stderr)
        return EXIT_INPUT
    except OSError as error:
        print(f"DECISIONING_RULEBOOK: {settings.rulebook} cannot be read ({error.strerror})", file=sys.stderr)
        return EXIT_INPUT
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # also for the consumer's thread
    return asyncio.run(_work(settings, rulebook))


def create_topics() -> int:
    """Create what is missing on the broker of the settings, and say what there is."""
    settings = load()

    async def create() -> None:
        made = await topics.create_topics(settings)
        print(topics.render(await topics.list_topics(settings)))
        print(f"created {len(made)}" if made else "nothing was missing")

    asyncio.run(create())
    return 0


def list_topics() -> int:
    """Print the topics as they shall be, beside what the broker has."""
    settings = load()
    print(topics.render(asyncio.run(topics.list_topics(settings))))
    return 0


def config_of(settings: Settings) -> ChassisConfig:
    """What the chassis is told of the settings."""
    options = kafka_options(settings)
    options.pop("bootstrap_servers")
    return ChassisConfig(
        group=settings.group_id,
        bootstrap=settings.kafka,
        topics=topics.lane_topics(settings),
        relay=topics.name_of(settings, "relay"),
        changelog=topics.name_of(settings, "state-changelog"),
        data=settings.data_dir,
        partitions=settings.partitions,
        fetch_wait_ms=settings.fetch_wait_ms,
        slice_ms=settings.slice_budget_ms,
        slices=settings.slices_in_flight,
        unfinished=settings.lane_records,
        idle_wait_ms=settings.idle_wait_ms,
        outbox_bytes=settings.outbox_bytes,
        commit_ms=settings.commit_interval_ms,
        session_ms=settings.session_timeout_ms,
        heartbeat_ms=min(3000, settings.session_timeout_ms // 4),
        send_ms=settings.session_timeout_ms * 4 // 5,  # no write of ours may be under way when we are given up (T15)
        request_ms=max(30_000, settings.session_timeout_ms),
        security=options,
    )


def labels_of(settings: Settings) -> Labels:
    """Every label value that a worker can show, so that its series start at zero."""
    return Labels(
        types=EVENT_TYPES,
        decisions=_possible_decisions(),
        codes=list(Fault),
        topics=[*topics.lane_topics(settings), "products"],
    )


def _possible_decisions() -> Iterator[tuple[str, str, str]]:
    """Outcome, class and reason as they can meet: an act is allowed, everything else is not."""
    allowed = "allowed.clear"
    for class_ in sorted(EVERY_CLASS):
        yield Outcome.ACT, class_, allowed
    refusals = [code for code in REASONS if code != allowed]
    yield from product((Outcome.SUPPRESS, Outcome.RECALL), ("marketing", "survey"), refusals)
    for outcome, class_ in product((Outcome.SUPPRESS, Outcome.RECALL), ("service", "care")):
        for code in ("dnc.erased", "empathy.deceased", "expired.too_late", "duplicate.request"):
            yield outcome, class_, code
    yield from product((Outcome.DEFER,), ("marketing", "survey"), ("quiet_hours.night", "contact_window.outside"))


async def _work(settings: Settings, rulebook: Rulebook) -> int:
    await topics.preflight(settings)
    registry = CollectorRegistry()
    metrics = Metrics(registry, labels_of(settings))
    metrics.rulebook.only(rulebook.rulebook, rulebook.version, rulebook.digest)
    watch = Watch(metrics)
    worker = Worker(Policy(rulebook, Catalogue()), settings, metrics, took=watch.read)
    app = build(worker, config_of(settings), watch)
    letters = Letters(settings, partial(_post, app), partial(_owns_letters, app), KEPT)
    broadcast = Broadcast(
        settings,
        [topics.name_of(settings, "products")],
        apply=lambda record: _describe(worker, metrics, record),
        refuse=lambda record, error: _refuse(letters, metrics, record, error),
    )
    server = HttpServer(
        settings.http_host,
        settings.http_port,
        render=metrics.render,
        readiness=lambda: _readiness(broadcast, app),
    )
    async with server:
        print(f"http://{server.host}:{server.port}/metrics", file=sys.stderr, flush=True)
        letters.start()  # first: what an earlier run published is forgotten while the rest is still being read
        broadcast.start()
        await broadcast.ready.wait()
        gauges = asyncio.create_task(_gauge(app, metrics))
        await serve(app, on_ready=lambda: print("ready", file=sys.stderr, flush=True))
        gauges.cancel()
        await broadcast.stop()
        await letters.stop()
    return 0


def _describe(worker: Worker, metrics: Metrics, record: Record) -> None:
    worker.describe(record)
    metrics.broadcast.inc(record.topic)


def _refuse(letters: Letters, metrics: Metrics, record: Record, error: EventRejected) -> None:
    metrics.dead_letters.inc(error.fault)
    letters.refused(record, error)


async def _post(app: App, outputs: Sequence[Output]) -> Sequence[asyncio.Future[Any]]:
    return await cast(Producer, app.producer).post(outputs)


def _owns_letters(app: App) -> bool:
    """Every worker reads the same topics whole; the one that owns lane 0 speaks for all."""
    return not app.should_stop and 0 in app.progress.assigned


def _readiness(broadcast: Broadcast, app: App) -> Readiness:
    progress = app.progress
    silent = broadcast.silent_for > SILENT_SECONDS
    return Readiness(
        broadcast.ready.is_set() and progress.restored and not silent,
        {
            "broker": "silent" if silent else "answers",
            "catalogue": broadcast.remaining,
            "restored": progress.restored,
            "lanes": len(progress.assigned),
            "lag": sum(progress.lag.values()),
        },
    )


async def _gauge(app: App, metrics: Metrics) -> None:
    """What is a level and not a happening, looked up now and then."""
    while True:
        progress = app.progress
        metrics.lanes.set(len(progress.assigned))
        for topic in app.chassis.topics:
            metrics.lag.set(sum(count for (name, _), count in progress.lag.items() if name == topic), topic)
        await asyncio.sleep(_GAUGE_SECONDS)
