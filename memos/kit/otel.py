"""OpenTelemetry behind `memos.kit.tracing`, imported only when traces are configured.

Spans leave in batches as OTLP over HTTP. The standard variables (OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES,
OTEL_EXPORTER_OTLP_HEADERS and the others) hold as they do everywhere; `MEMOS_OTLP_URL` is the collector's address
without the path. Nothing global is set: two services in one process do not share a tracer. A collector that is away
costs spans and nothing else.
"""

import asyncio
import os
import time
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from memos.kit.config import Settings
from memos.kit.tracing import Kind, Value, kind_of

# Whoever waited went away, or had all it wanted: nothing failed.
GONE = (asyncio.CancelledError, GeneratorExit)
KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}


def tracer_of(settings: Settings, process: str) -> "OtelTracer":
    return OtelTracer(_exporter(settings), process)


def _exporter(settings: Settings) -> SpanExporter:
    if settings.otlp_url is None:
        return OTLPSpanExporter()
    return OTLPSpanExporter(endpoint=f"{settings.otlp_url.rstrip('/')}/v1/traces")


class OtelTracer:
    """Fits `memos.kit.tracing.Tracer`."""

    def __init__(self, exporter: SpanExporter, process: str) -> None:
        own: dict[str, str] = {"service.namespace": "memos", "service.version": version("memos")}
        if not os.environ.get("OTEL_SERVICE_NAME"):  # an operator's own name wins
            own["service.name"] = f"memos-{process}"
        self._provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("memos")

    def begin(self, name: str, kind: Kind, parent: str | None, attributes: dict[str, Value]) -> "OtelSpan":
        above = trace.set_span_in_context(_remote(parent)) if parent else trace.set_span_in_context(trace.INVALID_SPAN)
        return OtelSpan(
            self._tracer, self._tracer.start_span(name, above, kind=KINDS[kind], attributes=dict(attributes))
        )

    def close(self) -> None:
        self._provider.shutdown()


class OtelSpan:
    """Fits `memos.kit.tracing.Span`."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def child(self, name: str, kind: Kind, attributes: dict[str, Value], began_s_ago: float = 0.0) -> "OtelSpan":
        began_ns = time.time_ns() - round(began_s_ago * 1e9)
        above = trace.set_span_in_context(self._span)
        return OtelSpan(
            self._tracer,
            self._tracer.start_span(name, above, kind=KINDS[kind], attributes=dict(attributes), start_time=began_ns),
        )

    def named(self, name: str, attributes: dict[str, Value]) -> None:
        self._span.update_name(name)
        self._span.set_attributes(dict(attributes))

    def end(self, error: BaseException | None = None) -> None:
        if error is not None and not isinstance(error, GONE):
            self._span.set_attribute("error.type", kind_of(error))
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _remote(traceparent: str) -> trace.Span:
    _, trace_id, span_id, flags = traceparent.split("-")
    return NonRecordingSpan(
        SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    )
