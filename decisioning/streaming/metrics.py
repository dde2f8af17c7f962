"""What an operator sees: one `Metrics` object over a given registry, made from the table in its body.

The next metric is one line of the table. Names are `decisioning_*` in base units (seconds, bytes). Label values are
handed in and pre-set to zero, so that a rate has a beginning; children are cached, because finding one costs more than
counting. No label carries what a sender may choose freely: an unlisted event type or channel is counted as `other`.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import product
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar, overload

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

OTHER: Final = "other"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_AGES: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 6 * 3600.0, 86400.0, 7 * 86400.0)
_COUNTS: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
_BYTES: Final = tuple(float(2**power) for power in range(8, 21, 2))


class Result(StrEnum):
    """What became of one source record: the label `result` of `decisioning_events_total`."""

    APPLIED = "applied"  # folded into state
    REPEATED = "repeated"  # the same event again: nothing changed, nothing said
    SKIPPED = "skipped"  # of a type that we do not know
    FORWARDED = "forwarded"  # sent on to the place it belongs to
    REFUSED = "refused"  # a dead letter


class Audited(StrEnum):
    """What the audit did with a contact: the label `result` of `decisioning_audited_contacts_total`."""

    CHECKED = "checked"  # looked at after it was sent
    MISSED = "missed"  # more went out than it could look at


class Part(StrEnum):
    """What a worker leans on: the label `part` of `decisioning_trouble`."""

    BROKER = "broker"  # Kafka is silent
    CATALOGUE = "catalogue"  # products and rulebooks are not read to their end
    LANES = "lanes"  # joining the group, or restoring
    DISK = "disk"  # no room: no events are taken
    PROGRESS = "progress"  # work waits and nothing is finished or committed
    LEASE = "lease"  # the process stood still for so long that another may have taken over
    RULEBOOK = "rulebook"  # the newest one is refused, the last good one decides


class Source(StrEnum):
    """Where a rulebook comes from: the label `source` of the metrics of rulebooks."""

    FILE = "file"
    TOPIC = "topic"


class Load(StrEnum):
    """What became of a rulebook that was read: the label `result` of `decisioning_rulebook_loads_total`."""

    ACCEPTED = "accepted"  # it decides, or would if the topic had none
    REFUSED = "refused"  # the last good one stays


class Labels(NamedTuple):
    """The label values that are there from the start; `decisions` holds (outcome, class, channel, reason), those that
    can occur.

    Class and channel are "" where a decision has none (holds). A scrape costs about 5 us a series, so leave out what
    cannot be.
    """

    types: Iterable[str]
    decisions: Iterable[tuple[str, str, str, str]]
    codes: Iterable[str]
    topics: Iterable[str]
    forbidden: Iterable[str] = ()
    """What a contact may break: the rules of the audit."""


_M = TypeVar("_M", bound=Counter | Gauge | Histogram)
_Preset = Callable[[Labels], Iterable[tuple[str, ...]]]


class _Family(Generic[_M]):
    """One metric with its children by label values. `closed`: labels whose values are counted as `other` where they
    were not shown before."""

    def __init__(
        self, metric: _M, labels: tuple[str, ...], preset: Iterable[tuple[str, ...]] | None, closed: tuple[str, ...]
    ) -> None:
        self._metric: _M = metric
        self._labels = labels
        self._closed = frozenset(map(labels.index, closed))
        self._children: dict[tuple[str, ...], _M] = {}
        self._known: list[set[str]] = [set() for _ in labels]
        self.expect(preset or ([()] if not labels else []))

    def expect(self, combinations: Iterable[tuple[str, ...]]) -> None:
        """Shows these label values from now on, counters at zero: what a new rulebook can give has a beginning, too."""
        for values in combinations:
            texts = tuple(map(str, values))
            for known, text in zip(self._known, texts, strict=True):
                known.add(text)
            self._child(texts)

    def _child(self, values: tuple[str, ...]) -> _M:
        found = self._children.get(values)
        if found is None:
            values = tuple(
                OTHER if place in self._closed and value not in self._known[place] else value
                for place, value in enumerate(values)
            )
            found = self._children.get(values)
        if found is None:
            made: Any = self._metric.labels(*values) if self._labels else self._metric
            found = self._children.setdefault(values, made)
        return found


class Counts(_Family[Counter]):
    """A counter: it only grows."""

    def inc(self, *values: str, by: float = 1) -> None:
        """Adds `by` under these label values, in the order of the table."""
        self._child(values).inc(by)


class Level(_Family[Gauge]):
    """A gauge: it says how much there is now."""

    def set(self, level: float, *values: str) -> None:
        """Says the level under these label values, in the order of the table."""
        self._child(values).set(level)

    def only(self, *values: str) -> None:
        """1 under these label values and nothing under any other: how an `_info` metric says what holds now."""
        self._metric.clear()
        self._children.clear()
        self.set(1, *values)


class Spread(_Family[Histogram]):
    """A histogram: how often which size."""

    def observe(self, size: float, *values: str) -> None:
        """Counts one of this size under these label values, in the order of the table."""
        self._child(values).observe(size)


_F = TypeVar("_F", bound=Counts | Level | Spread)
_PROMETHEUS: Final[dict[Any, type[Any]]] = {Counts: Counter, Level: Gauge, Spread: Histogram}


class _Row(Generic[_F]):
    """A line of the table; on an instance of `Metrics` its name is the family made from it."""

    def __init__(
        self,
        family: type[_F],
        name: str,
        meaning: str,
        labels: tuple[str, ...] = (),
        preset: _Preset | None = None,
        *,
        closed: tuple[str, ...] = (),
        buckets: tuple[float, ...] = (),
    ) -> None:
        self.family: type[_F] = family
        self.name, self.meaning, self.labels = name, meaning, labels
        self.preset, self.closed, self.buckets = preset, closed, buckets

    def make(self, registry: CollectorRegistry, known: Labels) -> _F:
        """The family in this registry, its pre-set children at zero."""
        more = {"buckets": self.buckets} if self.buckets else {}
        metric = _PROMETHEUS[self.family](
            f"decisioning_{self.name}", self.meaning, self.labels, registry=registry, **more
        )
        return self.family(metric, self.labels, self.preset(known) if self.preset else None, self.closed)

    @overload
    def __get__(self, metrics: None, owner: type[Metrics]) -> Self: ...
    @overload
    def __get__(self, metrics: Metrics, owner: type[Metrics]) -> _F: ...
    def __get__(self, metrics: Metrics | None, owner: type[Metrics]) -> Self | _F:
        if metrics is None:
            return self
        raise AttributeError(self.name)  # an instance holds the family itself, which is found first


def _topics(known: Labels) -> Iterable[tuple[str]]:
    return ((topic,) for topic in known.topics)


class Metrics:
    """All metrics of a worker. The table: attribute, kind, name, meaning, labels, what is pre-set."""

    events = _Row(
        Counts, "events_total", "Source records taken, by event type and what became of them.", ("type", "result"),
        lambda known: product((*known.types, OTHER), Result), closed=("type",),
    )  # fmt: skip
    decisions = _Row(
        Counts, "decisions_total", "Decisions published.", ("outcome", "class", "channel", "reason"),
        lambda known: known.decisions, closed=("channel",),
    )  # fmt: skip
    forbidden = _Row(
        Counts, "forbidden_contacts_total", "Contacts that went out though a rule forbids them: 0.", ("rule",),
        lambda known: ((rule,) for rule in known.forbidden),
    )  # fmt: skip
    audited = _Row(
        Counts, "audited_contacts_total", "Contacts that the audit looked at, or had to leave out.", ("result",),
        lambda known: ((result,) for result in Audited),
    )  # fmt: skip
    event_seconds = _Row(
        Spread, "event_seconds", "From an event's Kafka timestamp until its decisions are durable.", buckets=_FAST
    )
    event_age = _Row(Spread, "event_age_seconds", "From an event's own time until it is handled.", buckets=_AGES)
    dead_letters = _Row(
        Counts, "dead_letters_total", "Records that could not be read, by fault.", ("code",),
        lambda known: ((code,) for code in known.codes),
    )  # fmt: skip
    lag = _Row(Level, "lag_records", "Records of a topic not yet handled by this worker.", ("topic",), _topics)
    misrouted = _Row(
        Counts, "misrouted_records_total", "Records in another partition than their key's.", ("topic",), _topics
    )
    unknown_references = _Row(
        Counts, "unknown_references_total", "Events that name a decision, order or case unknown to us.", ("type",),
        lambda known: ((type_,) for type_ in (*known.types, OTHER)), closed=("type",),
    )  # fmt: skip
    ready = _Row(Level, "ready", "1 while /readyz says so.")
    trouble = _Row(
        Level, "trouble", "1 while a part keeps the worker from deciding, or from deciding by the newest rulebook.",
        ("part",), lambda known: ((part,) for part in Part),
    )  # fmt: skip
    degraded = _Row(Counts, "degraded_customers_total", "Customers whose stored state could not be read.")
    customers = _Row(Level, "store_customers", "Customers in this worker's lanes, as RocksDB estimates them.")
    store_bytes = _Row(Level, "store_bytes", "Size of this worker's local stores, files and memory tables.")
    state_bytes = _Row(Spread, "state_bytes", "Size of a customer's state when it was written.", buckets=_BYTES)
    wakes_due = _Row(Counts, "wakes_due_total", "Due wakes sent to the relay, one a customer and instant.")
    wakes = _Row(Counts, "wakes_total", "Customers woken because something they wait for was due.")
    wake_late = _Row(Spread, "wake_late_seconds", "From the instant that was promised until the wake.", buckets=_AGES)
    slice_seconds = _Row(Spread, "slice_seconds", "Work on a slice, before it waits.", buckets=_FAST)
    slice_wait_seconds = _Row(
        Spread, "slice_wait_seconds", "Wait of a slice until all that it wrote and said is durable.", buckets=_FAST
    )
    slice_records = _Row(Spread, "slice_records", "Records that shared one wait for acknowledgements.", buckets=_COUNTS)
    outputs = _Row(Counts, "published_records_total", "Decisions, relay records and dead letters published.")
    replayed = _Row(Counts, "replayed_records_total", "Redelivered records that had been handled before.")
    intruded = _Row(Counts, "stale_writer_records_total", "Changelog records of a superseded worker, written over.")
    restored = _Row(Counts, "restored_records_total", "Changelog records read to rebuild local state.")
    restoring = _Row(Level, "restore_remaining_records", "Changelog records still to be read before events are taken.")
    rebalances = _Row(Counts, "rebalances_total", "Times that the consumer group shared out its partitions anew.")
    stores_set_aside = _Row(
        Counts, "stores_set_aside_total", "Damaged local stores that were set aside and restored from the changelog."
    )
    disk_free = _Row(
        Level, "disk_free_bytes", "Free space under the data directory; below the least no event is taken."
    )
    outbox_bytes = _Row(Level, "outbox_bytes", "Outputs kept for repetition until their commit.")
    outbox_records = _Row(Level, "outbox_records", "Slices whose outputs are kept for repetition.")
    commits = _Row(Counts, "commits_total", "Commits of source offsets, one a partition.")
    commit_age = _Row(Level, "commit_age_seconds", "Since all that was finished was last known to be committed.")
    lanes = _Row(Level, "lanes", "Partitions that this worker owns.")
    broadcast = _Row(Counts, "broadcast_records_total", "Catalogue and rulebook records read.", ("topic",), _topics)
    rulebook_loads = _Row(
        Counts, "rulebook_loads_total", "Rulebooks read; where one was refused the last good one stayed.",
        ("source", "result"), lambda known: product(Source, Load),
    )  # fmt: skip
    rulebook_error = _Row(
        Level, "rulebook_error", "1 while the newest rulebook of a source is refused; /readyz says why.", ("source",),
        lambda known: ((source,) for source in Source),
    )  # fmt: skip
    rule_errors = _Row(
        Counts, "rule_errors_total", "Clauses of the rulebook that could not be judged; they kept us silent.",
        ("clause",),
    )  # fmt: skip
    api_requests = _Row(Counts, "api_requests_total", "Requests to the HTTP API.", ("route", "status"))
    api_seconds = _Row(
        Spread, "api_request_seconds", "From a request to the HTTP API until its answer.", ("route",), buckets=_FAST
    )
    rulebook = _Row(Level, "rulebook_info", "The rulebook that decides now.", ("name", "version", "digest"))
    stops = _Row(Level, "stops", "Stops pulled by hand that stand; `decisioning stops` says whose and why.")
    build = _Row(Level, "build_info", "What is running.", ("version", "python", "faust", "aiokafka"))

    def __init__(self, registry: CollectorRegistry, known: Labels) -> None:
        """Makes every metric of the table in `registry`; ValueError when the registry has one of them already."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside every counter that says nothing about customers
        self._registry = registry
        for attribute, row in vars(Metrics).items():
            if isinstance(row, _Row):
                vars(self)[attribute] = row.make(registry, known)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        packages = ("faust-streaming", "aiokafka")
        versions = [importlib.metadata.version(package) for package in packages]
        self.build.only(importlib.metadata.version("decisioning"), platform.python_version(), *versions)

    def render(self) -> bytes:
        """All of it in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self._registry)
