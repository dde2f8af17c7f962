"""Spans of OpenTelemetry: for each event that was decided on one, as a child of the event's own trace.

This file alone knows OpenTelemetry, which comes with `pip install decisioning[otel]`; `app` imports it only where
`DECISIONING_TRACES` is true. Where spans go, how many are kept and what the service is called say the variables that
OpenTelemetry defines (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME`, ...).

A span lasts as long as the engine's step. Its parent is the event's `traceparent`; so there is none where the sender
chose not to sample, and it begins a trace where the event has none. A decision carries the `traceparent` of the event
that asked for it (contract.md, section 1), so the channel's span stands beside ours; where that is another event than
this one, the span links to it. Nothing in it tells who the customer is: no id, no payload, and a channel that the
rulebook does not name is `other`, for a sender may write anything there.

A wake, a stop and a part of a move are no events and have no span. An event that is handled again after a crash has one
again. Spans are sent by a thread of their own from a queue with a bound: lanes never wait for them, and what there is
no room for, or nobody takes, is lost.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import Final, Self

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from decisioning.decision import Decision
from decisioning.engine import Step, on_event
from decisioning.event import Event
from decisioning.policy import Policy
from decisioning.state import State
from decisioning.streaming.labels import channels
from decisioning.streaming.metrics import OTHER
from decisioning.streaming.settings import SettingsError

_NAME: Final = "decisioning"
_ONLY: Final = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
}
"""Variables that choose among exporters; we have one."""
_QUOTES_HEADERS: Final = "opentelemetry.util.re"
"""Its warning about a malformed `OTEL_EXPORTER_OTLP_HEADERS` repeats it, and a token stands in there."""
_CLOSING: Final = 5.0
_w3c: Final = TraceContextTextMapPropagator()


class Spans:
    """The engine's `on_event`, and a span for each event on which it decided."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(_NAME, importlib.metadata.version(_NAME))
        self._named: tuple[Policy, frozenset[str]] | None = None

    @classmethod
    def begin(cls) -> Self:
        """Spans that go where the environment says; SettingsError where it asks for what we have not."""
        for variable, ours in _ONLY.items():
            if os.environ.get(variable, "") not in ("", ours):
                raise SettingsError(f"{variable}: traces leave us as {ours} only; unset it, or DECISIONING_TRACES")
        logging.getLogger(_QUOTES_HEADERS).disabled = True
        us = Resource({SERVICE_NAME: _NAME, SERVICE_VERSION: importlib.metadata.version(_NAME)})
        try:
            named = Resource.create().merge(us).merge(OTELResourceDetector().detect())
            provider = TracerProvider(resource=named, shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        except ValueError:
            raise SettingsError("OTEL_*: OpenTelemetry refuses one of them; look at OTEL_BSP_* first") from None
        return cls(provider)

    def on_event(
        self, policy: Policy, state: State | None, event: Event, now: int, *, say_at: int | None = None
    ) -> Step:
        """What `engine.on_event` says, and nothing else."""
        began, from_ = time.time_ns(), time.perf_counter_ns()
        step = on_event(policy, state, event, now, say_at=say_at)
        if step.outputs:
            self._decided(policy, event, step.outputs, began, began + time.perf_counter_ns() - from_)
        return step

    def close(self, seconds: float = _CLOSING) -> None:
        """Send what waits, for at most so long: who collects traces may be away, and we shall end."""
        sending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        sending.start()
        sending.join(seconds)

    def _decided(self, policy: Policy, event: Event, said: Sequence[Decision], began: int, ended: int) -> None:
        others = dict.fromkeys(one.traceparent for one in said if one.traceparent != event.traceparent)
        asked = [get_current_span(_context(other)).get_span_context() for other in others]
        span = self._tracer.start_span(
            f"decide {event.type}",
            _context(event.traceparent),
            SpanKind.CONSUMER,
            {
                "cloudevents.event_type": event.type,
                "decisioning.rulebook.name": policy.stamp["name"],
                "decisioning.rulebook.version": policy.stamp["version"],
                "decisioning.outcomes": [one.outcome.value for one in said],
                "decisioning.classes": [one.class_ or "" for one in said],
                "decisioning.channels": [self._channel(policy, one.channel) for one in said],
                "decisioning.reasons": [one.reason for one in said],
            },
            [Link(one) for one in asked if one.is_valid],
            began,
        )
        span.end(ended)

    def _channel(self, policy: Policy, channel: str | None) -> str:
        if self._named is None or self._named[0] is not policy:
            self._named = (policy, frozenset(channels(policy)))
        return "" if channel is None else channel if channel in self._named[1] else OTHER


def _context(traceparent: str | None) -> Context:
    """Where a span of that trace would hang; an empty one where it is none."""
    return _w3c.extract({} if traceparent is None else {"traceparent": traceparent}, Context())
