"""The demo as a whole: broker, topics, a real worker process, the history, the picture, and an honest exit code."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple, NoReturn

from pydantic import SecretStr

from decisioning.errors import DecisioningError
from decisioning.streaming.broker import BrokerError, start_broker
from decisioning.streaming.demo.feeder import Watcher
from decisioning.streaming.demo.loop import Loop
from decisioning.streaming.demo.plain import Lines
from decisioning.streaming.demo.processes import Child, PartFailed, readiness, run_once, wait_until_ready
from decisioning.streaming.demo.sample import invoices
from decisioning.streaming.demo.screen import Screen, summary
from decisioning.streaming.demo.shop import history
from decisioning.streaming.demo.view import Picture
from decisioning.streaming.settings import PREFIX, Settings, client_options
from decisioning.streaming.shipped import default_policy
from decisioning.streaming.topics import name_of, plan

OUR_NAME: Final = "decisioning-demo"
_READY_SECONDS: Final = 60.0


class Options(NamedTuple):
    """How to run the demo; see `run_demo`."""

    plain: bool
    keep: bool
    seed: int
    broker: str | None
    seconds: float
    days: int | None


def run_demo(*, plain: bool, keep: bool, seed: int, broker: str | None, seconds: float, days: int | None) -> int:
    """Run it to its end: 0 when every request was answered and the worker ended well, else 1; 3 for an unusable part.

    `plain` logs lines in place of the live view, `keep` leaves broker and worker running at the end, `seed` is what the
    synthetic part is drawn from, `broker` any Kafka's host:port (None: the embedded one), `seconds` how long to feed,
    `days` how many of the shop's days (None: all).
    Ctrl-C ends everything that was started and returns 130; SIGTERM does so too and exits with 143.
    """
    options = Options(plain, keep, seed, broker, seconds, days)
    ctrl_c = _CtrlC()
    before = signal.signal(signal.SIGTERM, _terminated), signal.signal(signal.SIGINT, ctrl_c)
    try:
        with ExitStack() as parts:
            return _run(options, parts, ctrl_c)
    except KeyboardInterrupt:
        print("stopped; nothing is left running", file=sys.stderr)
        return 130
    except (DecisioningError, BrokerError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 3
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


class _CtrlC:
    """SIGINT as Python takes it, and remembered."""

    came = False

    def __call__(self, number: int, frame: FrameType | None) -> NoReturn:
        self.came = True
        raise KeyboardInterrupt


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _run(options: Options, parts: ExitStack, ctrl_c: _CtrlC) -> int:
    told = history(invoices(options.days), options.seed)
    screen: Screen = Lines() if options.plain or not sys.stdout.isatty() else Picture(told.protagonist)
    parts.callback(screen.close)  # also on the way out after Ctrl-C: the terminal is given back
    screen.note("decisioning demo: 20 days of a real shop, with synthetic campaigns, consents, support and deliveries")
    folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="decisioning-demo-")))
    settings = _prepared(options, folder, parts, screen)
    watcher = Watcher(client_options(settings), [name_of(settings, name) for name in ("decisions", "dead-letters")])
    parts.callback(watcher.close)
    if options.broker is not None:
        _refuse_used_topics(settings, watcher)
    worker = parts.enter_context(Child(["run"], _environment(settings), folder / "worker.log"))
    wait_until_ready(worker, lambda: readiness(settings.http_port), _READY_SECONDS)
    screen.note(f"worker: ready, process {worker.pid}, http://127.0.0.1:{settings.http_port}/metrics")
    stamped = options.broker is None
    run = Loop(told, settings, watcher, screen, worker, stamped=stamped, interrupted=lambda: ctrl_c.came)
    run.feed(options.seconds)
    screen.close()
    problems = run.problems()
    if options.keep:
        print(summary(run.tally, run.progress(), problems))
        print(
            f"kept: broker {settings.kafka}, worker http://127.0.0.1:{settings.http_port}; Ctrl-C ends them", flush=True
        )
        return _wait_for(worker)
    if code := worker.stop():
        problems.append(f"the worker ended with exit code {code}: {worker.last_words()}")
    print(summary(run.tally, run.progress(), problems), flush=True)
    return 1 if problems else 0


def _prepared(options: Options, folder: Path, parts: ExitStack, screen: Screen) -> Settings:
    """Settings for a broker that runs and has every topic."""
    broker = options.broker
    if broker is None:
        small = {"partitions": 4, "fetch_wait_ms": 20}  # its answers cost more the more partitions a fetch names
        topics = [row.name for row in plan(_settings(folder, **small))]
        broker = parts.enter_context(start_broker(topics, partitions=small["partitions"])).address
        screen.note(f"broker: embedded, {broker}")
        return _settings(folder, kafka=broker, **small)
    settings = _settings(folder, kafka=broker)
    run_once(["topics", "create"], _environment(settings))
    screen.note(f"broker: {broker}, topics created")
    return settings


def _settings(folder: Path, **more: Any) -> Settings:
    """The demo's own settings over those of the environment (which may carry a broker's security settings)."""
    named = os.environ.get(f"{PREFIX}RULEBOOK")
    return Settings(
        group_id=OUR_NAME,
        topic_prefix="demo-",
        clock="event",
        rulebook=Path(named) if named else default_policy(),
        data_dir=folder / "data",
        http_host="127.0.0.1",
        http_port=_free_port(),
        log_format="text",
        **more,
    )


def _environment(settings: Settings) -> dict[str, str]:
    """The worker's environment: ours, with the demo's settings in it."""
    chosen = {name: getattr(settings, name) for name in settings.model_fields_set}
    return os.environ | {PREFIX + name.upper(): _text(value) for name, value in chosen.items()}


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _refuse_used_topics(settings: Settings, watcher: Watcher) -> None:
    """The demo never mixes its invented customers with records of someone else, or of an earlier run."""
    used = watcher.occupied(row.name for row in plan(settings))
    if used is not None:
        raise PartFailed(
            f"topic {used} at {settings.kafka} already holds records and the demo wants topics of its own: "
            "give it an empty Kafka (after `docker compose -f docker-compose.kafka.yml down -v`, up again)"
        )


def _wait_for(worker: Child) -> int:
    while worker.ended is None:
        time.sleep(0.5)
    print(f"demo: the worker ended with exit code {worker.ended}: {worker.last_words()}", file=sys.stderr)
    return 1
