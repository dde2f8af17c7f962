"""Spans of events: whose child, how long, what they say and what they never say; and a worker that does without."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from decisioning.catalogue import Catalogue
from decisioning.engine import on_event
from decisioning.event import parse
from decisioning.instant import parse_instant
from decisioning.policy import Policy
from decisioning.rulebook import parse as parse_rulebook
from decisioning.state import State
from decisioning.streaming.app import _spans
from decisioning.streaming.settings import Settings, SettingsError
from decisioning.streaming.tracing import Spans
from tests.builders import RETAIL
from tests.streaming.live import Live, until
from tests.streaming.records import event

POLICY = Policy(parse_rulebook(RETAIL.read_bytes(), "retail.yaml"), Catalogue())
CANARY = "jane.doe@example.com"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
EARLIER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOON = "2026-03-02T12:00:00Z"


class Traced:
    """An engine with spans, and what they say."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.engine = Spans(provider)
        self.state: State | None = None

    def hear(self, type_: str, at: str = NOON, id_: str = "e", traceparent: str | None = None, **data: Any) -> None:
        """One event of the customer, from the past of the machine."""
        told = json.loads(event(type_, at, of=CANARY, id_=id_, **data))
        if traceparent is not None:
            told["traceparent"] = traceparent
        read = parse(json.dumps(told).encode())
        now = parse_instant(at)
        expected = on_event(POLICY, self.state, read, now)
        step = self.engine.on_event(POLICY, self.state, read, now)
        assert step == expected, "a span changes nothing"
        self.state = step.state

    def ask(self, id_: str = "q", channel: str = "email", **more: Any) -> None:
        """A request for one offer."""
        offer = {"action": f"for-{CANARY}", "class": "marketing", "channels": [channel]}
        self.hear("contact.requested", id_=id_, request_id=f"r-{id_}", candidates=[offer], **more)

    def agree(self) -> None:
        """May be spoken to at noon."""
        self.hear("consent.granted", "2026-03-02T09:00:00Z", "c", purpose="marketing")
        self.hear("customer.updated", "2026-03-02T09:00:00Z", "u", time_zone="UTC")

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those that ended."""
        return list(self._kept.get_finished_spans())


def said(span: ReadableSpan) -> dict[str, Any]:
    """Its attributes, sequences as lists."""
    return {name: list(one) if isinstance(one, tuple) else one for name, one in (span.attributes or {}).items()}


def test_a_span_is_a_child_of_the_events_own() -> None:
    """Trace and parent are the sender's; it says what was decided, and lasts as long as the engine's step."""
    traced = Traced()
    before = time.time_ns()
    traced.ask(traceparent=TRACEPARENT)
    (span,) = traced.spans
    assert (span.name, span.kind) == ("decide contact.requested", SpanKind.CONSUMER)
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert said(span) == {
        "cloudevents.event_type": "contact.requested",
        "decisioning.rulebook.name": "retail",
        "decisioning.rulebook.version": POLICY.stamp["version"],
        "decisioning.outcomes": ["suppress"],
        "decisioning.classes": ["marketing"],
        "decisioning.channels": ["email"],
        "decisioning.reasons": ["consent.missing"],
    }
    assert span.start_time is not None
    assert span.end_time is not None
    assert before <= span.start_time < span.end_time
    assert not span.links


def test_an_event_on_which_nothing_was_decided_has_none() -> None:
    """A consent, a time zone, and the same request again."""
    traced = Traced()
    traced.agree()
    assert traced.spans == []
    traced.ask()
    traced.ask()
    assert len(traced.spans) == 1


@pytest.mark.parametrize("traceparent", [None, "", "rubbish", CANARY, f"00-{'0' * 32}-{SPAN}-01"])
def test_without_a_trace_it_begins_one(traceparent: str | None) -> None:
    """Whatever stands there."""
    traced = Traced()
    traced.ask(traceparent=traceparent)
    assert [span.parent for span in traced.spans] == [None]


def test_what_the_sender_does_not_sample_is_not_sampled() -> None:
    """Its choice goes for the whole trace."""
    traced = Traced()
    traced.ask(traceparent=f"00-{TRACE}-{SPAN}-00")
    assert traced.spans == []


def test_a_decision_about_another_event_is_linked_to_its_trace() -> None:
    """Deferred on one event, withdrawn by another: the second span is that one's, and links to the request."""
    traced = Traced()
    traced.agree()
    night = "2026-03-02T23:00:00Z"
    offer = {"action": "a", "class": "marketing", "channels": ["sms"]}
    traced.hear("contact.requested", night, "q", EARLIER, request_id="r", candidates=[offer])
    traced.hear("contact.withdrawn", "2026-03-02T23:30:00Z", "w", TRACEPARENT, request_id="r")
    asked, taken_back = traced.spans
    assert said(asked)["decisioning.outcomes"] == ["defer"]
    assert taken_back.parent is not None
    assert f"{taken_back.parent.trace_id:032x}" == TRACE
    assert "suppress" in said(taken_back)["decisioning.outcomes"]
    assert [f"{link.context.trace_id:032x}" for link in taken_back.links] == [EARLIER.split("-")[1]]


def test_several_decisions_are_one_span() -> None:
    """Its lists go side by side: an erasure says one hold, a request of two candidates one answer."""
    traced = Traced()
    traced.agree()
    traced.ask()
    traced.hear("customer.erased", "2026-03-02T12:30:00Z", "x")
    attributes = said(traced.spans[-1])
    assert len(traced.spans) == 2
    assert sorted(attributes["decisioning.outcomes"]) == ["hold", "recall"]
    assert len({len(one) for one in attributes.values() if isinstance(one, list)}) == 1


def test_nothing_in_a_span_tells_who_it_is() -> None:
    """Id, action and channel are the sender's words; none of them is in it."""
    traced = Traced()
    traced.agree()
    traced.ask(channel=CANARY.replace("@", "."))
    traced.ask("second")
    assert len(traced.spans) == 2
    for span in traced.spans:
        assert "jane" not in span.to_json()
    assert said(traced.spans[0])["decisioning.channels"] == ["other"]


class _Away(SpanExporter):
    """A collector that answers nobody until it is let."""

    def __init__(self) -> None:
        self.asked, self.let = threading.Event(), threading.Event()

    def export(self, spans: Any) -> SpanExportResult:
        """Wait, then fail."""
        self.asked.set()
        self.let.wait(60)
        raise OSError("gone")


def test_a_collector_that_hangs_holds_nobody_up() -> None:
    """Neither events, though the queue is full long since, nor the end."""
    away = _Away()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(away, max_queue_size=4, max_export_batch_size=2, schedule_delay_millis=1)
    )
    engine, now = Spans(provider), parse_instant(NOON)
    offer = {"action": "a", "class": "marketing", "channels": ["email"]}
    try:
        for number in range(50):
            asked = event("contact.requested", NOON, id_=f"q{number}", request_id=f"r{number}", candidates=[offer])
            assert engine.on_event(POLICY, None, parse(asked), now).outputs
        assert away.asked.wait(30)
        closing = threading.Thread(target=engine.close, args=(0.1,))
        closing.start()
        closing.join(30)
        assert not closing.is_alive()
    finally:
        away.let.set()


class Collector:
    """An OpenTelemetry collector: what it was sent, and by which token."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        self.paths: set[str] = set()
        self.tokens: set[str | None] = set()
        collector = self

        class _Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.paths.add(self.path)
                collector.tokens.add(self.headers.get("x-token"))
                sent = cast(Any, ExportTraceServiceRequest).FromString(body)  # protobuf is untyped
                for one in sent.resource_spans:
                    named = {each.key: each.value.string_value for each in one.resource.attributes}
                    collector.services.add(named["service.name"])
                    collector.spans += [span for scope in one.scope_spans for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name for it
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that runs."""
    running = Collector()
    yield running
    running.close()


def test_a_worker_sends_its_spans_where_the_environment_says(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an event with a trace to a collector's own bytes; the last ones are sent at SIGTERM."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=t")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-decisions")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")  # nothing goes before the end
    with Live(tmp_path) as broker:
        worker = broker.worker(traces="true").ready()
        offer = {"action": "sale", "class": "marketing", "channels": ["email"]}
        asked = json.loads(event("contact.requested", of=CANARY, request_id="r-1", candidates=[offer]))
        broker.publish("contact-requests", json.dumps({**asked, "traceparent": TRACEPARENT}).encode(), CANARY)
        broker.flush()
        until(lambda: broker.distinct() == 1, what="a decision")
        assert worker.term() == 0, worker.output
        (decision,) = broker.said()
    (span,) = collector.spans
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert decision["traceparent"] == TRACEPARENT, "the channel's span is our sibling"
    assert (collector.services, collector.paths, collector.tokens) == ({"shop-decisions"}, {"/v1/traces"}, {"t"})
    assert CANARY not in str(span)


def test_it_is_off_unless_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not installed it never notices; whoever wants it and has not is told what to do."""
    monkeypatch.delitem(sys.modules, "decisioning.streaming.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)  # Python's way to say: not there
    assert _spans(Settings()) is None
    with pytest.raises(SettingsError, match=r"^DECISIONING_TRACES: .*pip install 'decisioning\[otel\]'$"):
        _spans(Settings(traces=True))


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
    ],
)
def test_another_exporter_is_refused_and_not_ignored(variable: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans would go nowhere, and nobody would know why."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(SettingsError, match=rf"^{variable}: "):
        Spans.begin()


def test_numbers_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, and without a stack: a queue smaller than what is sent at once."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    with pytest.raises(SettingsError, match=r"^OTEL_\*: "):
        Spans.begin()


def test_a_token_in_a_malformed_header_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """OpenTelemetry quotes what it cannot read."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"bearer {CANARY}")
    Spans.begin().close()
    assert CANARY not in caplog.text
