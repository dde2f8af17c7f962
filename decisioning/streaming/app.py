"""A worker process: settings, rulebook, topics checked, catalogue and rulebooks read, then the chassis until SIGTERM.

Declares and wires; decides nothing. Exit codes: 0 stopped in order, 1 the rulebook is at fault, 3 Kafka, the topics
or the settings refuse; the chassis' own are listed in `chassis/watchdog.py`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import uvloop
from prometheus_client import CollectorRegistry

from decisioning.audit import RULES
from decisioning.catalogue import Catalogue
from decisioning.engine import on_event
from decisioning.errors import EventRejected, Fault, RulebookError
from decisioning.policy import Policy
from decisioning.streaming import adopt as adoption
from decisioning.streaming import erasure, logs, rulebooks, shipped, topics
from decisioning.streaming.acls import acls, render_acls
from decisioning.streaming.api import Service
from decisioning.streaming.auditor import Auditor
from decisioning.streaming.broadcast import Broadcast
from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.job import Output, Record
from decisioning.streaming.chassis.producer import Producer
from decisioning.streaming.chassis.transport import App, build, serve
from decisioning.streaming.chassis.watchdog import say, supervise
from decisioning.streaming.http import HttpServer, Readiness
from decisioning.streaming.labels import shown
from decisioning.streaming.letters import Letters
from decisioning.streaming.metrics import Labels, Metrics, Part
from decisioning.streaming.preflight import configured, preflight
from decisioning.streaming.rulebooks import RulebookFile, Rulebooks
from decisioning.streaming.settings import Settings, SettingsError, kafka_options, load
from decisioning.streaming.strimzi import render_strimzi
from decisioning.streaming.vitals import Signs, Vitals, gauge, ready
from decisioning.streaming.watch import Watch
from decisioning.streaming.worker import EVENT_TYPES, KEPT, Worker

if TYPE_CHECKING:
    from decisioning.streaming.tracing import Spans

EXIT_INPUT = 1
WAKES_AT_ONCE: Final = 256
"""Wakes that a worker has under way at once, all lanes together: what an event may have to wait for."""


def main() -> int:
    """Run a worker to its end; the exit code. SettingsError and TopicsError when it must not start."""
    if os.getpid() == 1:  # in a container; elsewhere the signal ends us by itself
        signal.signal(signal.SIGTERM, _nothing_begun)
    settings = load()
    file = RulebookFile(shipped.rulebook_of(settings))
    found = _read(file)
    if found is None:
        return EXIT_INPUT
    logs.configure(settings.log_format, settings.log_key.get_secret_value() if settings.log_key else None)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # also for the consumer's thread
    spans = _spans(settings)
    code = asyncio.run(_work(settings, file, found[1], spans))
    if spans is not None:
        spans.close()
    return code


def _spans(settings: Settings) -> Spans | None:
    """Where traces are wanted; what they need is imported only then, for not everybody has installed it."""
    if not settings.traces:
        return None
    try:
        from decisioning.streaming.tracing import Spans
    except ImportError:
        raise SettingsError("DECISIONING_TRACES: needs OpenTelemetry; pip install 'decisioning[otel]'") from None
    return Spans.begin()


def _nothing_begun(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM before the chassis listens to it: there is nothing to finish. To process 1 it would be lost without this,
    and the worker would go on starting until the grace period is over and it is killed."""
    os._exit(128 + number)


def publish_rulebook(path: Path) -> int:
    """Put the rulebook of a file on the topic, for every worker that follows its name; the exit code.

    A broken one is refused here, with the messages of `decisioning check`.
    """
    settings = load()
    found = _read(RulebookFile(path))
    if found is None:
        return EXIT_INPUT
    text, policy = found
    asyncio.run(rulebooks.publish(settings, policy.rulebook.rulebook, text))
    print("published", *policy.stamp.values())
    return 0


def withdraw_rulebook(name: str) -> int:
    """Take the rulebook of this name off the topic: every worker goes back to its file; the exit code."""
    asyncio.run(rulebooks.publish(load(), name, None))
    print(f"withdrawn {name}")
    return 0


def _read(file: RulebookFile) -> tuple[bytes, Policy] | None:
    """A rulebook file's text and its policy; None when it is no good, and stderr says why."""
    try:
        text = file.read()
        return text, rulebooks.build(text, str(file.path), Catalogue())
    except RulebookError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{file.path}: cannot be read ({error.strerror or type(error).__name__})", file=sys.stderr)
    return None


def create_topics() -> int:
    """Create what is missing on the broker of the settings, and say what there is."""
    settings = load()

    async def create() -> None:
        made = await topics.create_topics(settings)
        print(topics.render(await topics.list_topics(settings)))
        print(f"created {len(made)}" if made else "nothing was missing")

    asyncio.run(create())
    return 0


def adopt_topics(begin: adoption.From, left_behind: Sequence[Path]) -> int:
    """Move the customers to the topics of the settings, whose offsets begin anew, and say how many there are."""
    settings = load()
    print(
        adoption.render(
            asyncio.run(adoption.adopt_topics(settings, config_of(settings), begin=begin, left_behind=left_behind))
        )
    )
    return 0


def list_topics() -> int:
    """Print the topics as they shall be, beside what the broker has."""
    asyncio.run(_show_topics(load()))
    return 0


def list_acls() -> int:
    """Print what a worker's user must be allowed on a Kafka with ACLs."""
    print(render_acls(acls(load())))
    return 0


def list_strimzi(cluster: str, user: str) -> int:
    """Print topics and permissions as resources of Strimzi."""
    print(render_strimzi(load(), cluster, user), end="")
    return 0


async def _show_topics(settings: Settings) -> None:
    print(topics.render(await topics.list_topics(settings)))
    print(erasure.render(erasure.traces(topics.plan(settings), await configured(settings))))


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
        instance=settings.instance,
        standbys=settings.standbys,
        free_share=settings.disk_free_percent / 100,
        free_bytes=settings.disk_free_bytes,
        fetch_wait_ms=settings.fetch_wait_ms,
        slice_ms=settings.slice_budget_ms,
        slices=settings.slices_in_flight,
        unfinished=settings.lane_records,
        idle_wait_ms=settings.idle_wait_ms,
        outbox_bytes=settings.outbox_bytes,
        cached_bytes=settings.state_cache_bytes,
        commit_ms=settings.commit_interval_ms,
        session_ms=settings.session_timeout_ms,
        heartbeat_ms=min(3000, settings.session_timeout_ms // 4),
        send_ms=settings.session_timeout_ms * 4 // 5,  # no write of ours may be under way when we are given up (T15)
        wake_share=max(1, WAKES_AT_ONCE // settings.partitions),
        wakes_in_flight=max(1, WAKES_AT_ONCE // settings.partitions),
        request_ms=max(30_000, settings.session_timeout_ms),
        security=options,
    )


def labels_of(settings: Settings, policy: Policy) -> Labels:
    """Every label value that a worker can show, so that its series start at zero."""
    return Labels(
        types=EVENT_TYPES,
        decisions=shown(policy),
        codes=list(Fault),
        topics=[*topics.lane_topics(settings), *_read_whole(settings)],
        forbidden=RULES,
    )


def _read_whole(settings: Settings) -> list[str]:
    """The topics that every worker reads whole."""
    return [topics.name_of(settings, name) for name in ("products", rulebooks.TOPIC)]


async def _work(settings: Settings, file: RulebookFile, first: Policy, spans: Spans | None) -> int:
    for name in await preflight(settings):
        say(f"topic {name}: its configuration was not checked, for we may not describe it; allow DescribeConfigs")
    metrics = Metrics(CollectorRegistry(), labels_of(settings, first))
    watch = Watch(metrics)
    within = erasure.within(erasure.traces(topics.plan(settings), await configured(settings)))
    auditor = Auditor(metrics)
    ask = on_event if spans is None else spans.on_event
    worker = Worker(first, settings, metrics, took=watch.read, erased_within=within, audit=auditor.sent, ask=ask)
    app = build(worker, config_of(settings), watch)
    letters = Letters(settings, partial(_post, app), partial(_owns_letters, app), KEPT)
    followed = Rulebooks(settings, file, first, metrics, use=worker.follow, say=say)
    broadcast = Broadcast(
        settings,
        _read_whole(settings),
        apply=partial(_take_in, worker, followed, metrics),
        refuse=lambda record, error: _refuse(letters, metrics, record, error),
    )
    vitals = Vitals(settings.session_timeout_ms / 1000, settings.commit_interval_ms / 1000, time.monotonic())
    server = HttpServer(
        settings.http_host,
        settings.http_port,
        render=metrics.render,
        readiness=partial(_readiness, vitals, broadcast, followed, app),
    )
    async with server, Service(settings, app, worker, followed.stops, metrics, say, followed.shown):
        say(f"http://{server.host}:{server.port}/metrics")
        signs = partial(_signs, broadcast, followed, app)
        gauges = supervise(gauge(metrics, signs, vitals, app.chassis.topics), lambda: "the gauges")
        audit = supervise(auditor.run(), lambda: "the audit")
        letters.start()  # first: what an earlier run published is forgotten while the rest is still being read
        followed.start()
        broadcast.start()
        await broadcast.ready.wait()
        await followed.settled()
        code = EXIT_INPUT if followed.orphaned else 0
        if code:
            say("\n".join([*followed.orphaned, f"publish a good rulebook `{followed.name}`, or withdraw this one"]))
        else:
            await serve(app, on_ready=lambda: say("ready"))
        gauges.cancel()
        audit.cancel()
        auditor.look()
        await broadcast.stop()
        await followed.stop()
        await letters.stop()
    return code


def _take_in(worker: Worker, followed: Rulebooks, metrics: Metrics, record: Record) -> None:
    if record.topic == rulebooks.TOPIC:
        followed.told(record)
    else:
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


def _signs(broadcast: Broadcast, followed: Rulebooks, app: App) -> Signs:
    return Signs(
        app.progress,
        silent_for=broadcast.silent_for,
        reading=not broadcast.ready.is_set(),
        full=app.disk.closed,
        free=app.disk.free,
        refused=bool(followed.faults),
    )


def _readiness(vitals: Vitals, broadcast: Broadcast, followed: Rulebooks, app: App) -> Readiness:
    signs = _signs(broadcast, followed, app)
    trouble = vitals.look(signs, time.monotonic())
    return Readiness(
        ready(trouble),
        {
            "trouble": sorted(trouble),
            "broker": "silent" if Part.BROKER in trouble else "answers",
            "catalogue": broadcast.remaining,
            "disk": app.disk.reason or "has room",
            "rulebook": followed.shown(),
            "restored": signs.progress.restored,
            "restoring": signs.progress.remaining,
            "lanes": len(signs.progress.assigned),
            "lag": sum(signs.progress.lag.values()),
        },
    )
