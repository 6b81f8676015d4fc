"""Traces: one turn is one trace, across the API, the model worker and the worker of its job; and none where none is
asked for.
"""

import contextlib
import subprocess
import sys

import httpx2
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from memos.kit import carried, tracing
from memos.kit.errors import NotFound, StartupError
from memos.kit.otel import OtelTracer
from memos.kit.tracing import Tracing
from tests.api.talk import eventually, say
from tests.observability.conftest import Watched
from tests.observability.receiver import Span
from tests.support.live import settings_for

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
WORDS = "zyqvokx"


def test_a_turn_is_one_trace_across_the_processes(watched: Watched) -> None:
    with watched.stack.client() as client:
        conversation = watched.live.conversation(client)
        client.headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
        turn = say(client, conversation, f"I like {WORDS}")
        del client.headers["traceparent"]
        watched.live.settled(client, conversation)
    wanted = {
        ("memos-api", "POST /v1/conversations/{conversation_id}/turns"),
        ("memos-api", "turn.accept"), ("memos-api", "turn.wait"), ("memos-api", "turn.generate"),
        ("memos-api", "turn.answer"), ("memos-api", "model /generate"),
        ("memos-model-worker", "POST /generate"),
        ("memos-worker", "job advance"), ("memos-worker", "model /advance"),
        ("memos-model-worker", "POST /advance"),
    }  # fmt: skip
    spans = eventually(lambda: _complete(watched, wanted), 30)
    by_id = {span.id: span for span in spans}

    def one(name: str) -> Span:
        [found] = [span for span in spans if span.name == name]
        return found

    request, job = one("POST /v1/conversations/{conversation_id}/turns"), one("job advance")
    assert request.parent == CALLER
    assert by_id[one("POST /generate").parent].name == "model /generate"
    assert by_id[one("POST /advance").parent].name == "model /advance"
    assert by_id[one("model /advance").parent] is job
    assert by_id[job.parent] is request, "through the outbox row"
    assert job.attributes["turn_id"] == turn["id"]
    assert request.attributes["http.response.status_code"] == 201
    assert not any(span.failed for span in spans)
    assert WORDS not in str(watched.receiver.spans)


def _complete(watched: Watched, wanted: set[tuple[str, str]]) -> list[Span]:
    spans = watched.receiver.of(TRACE)
    return spans if wanted <= {(span.service, span.name) for span in spans} else []


def test_a_parent_that_is_none_is_passed_over(watched: Watched) -> None:
    for number, parent in enumerate((f"00-{'0' * 32}-{CALLER}-01", f"ff-{TRACE}-{CALLER}-01", WORDS)):
        headers = {"traceparent": parent, "X-Request-Id": f"strange-{number}"}
        answer = httpx2.get(f"{watched.live.url}/v1/nothing", headers=headers, timeout=10)
        assert answer.status_code == 404
    found = [line for line in watched.lines("api-0") if str(line.get("request_id")).startswith("strange-")]
    assert len({line["trace_id"] for line in found}) == 3
    assert TRACE not in {line["trace_id"] for line in found}


def test_spans_tell_kinds_and_never_what_an_error_says() -> None:
    exporter = InMemorySpanExporter()
    tracer = OtelTracer(exporter, "test")
    opened = Tracing(tracer).entry("outer", "server", f"00-{TRACE}-{CALLER}-01")
    with contextlib.suppress(NotFound), opened:
        above = tracing.traceparent()
        tracing.happened("before", 0.5)
        with tracing.span("inner", "client", number=3) as inner:
            assert inner is not None
            assert carried.outgoing()["traceparent"] == inner.traceparent
        late = tracing.begin("late")
        assert late is not None
        assert carried.outgoing(late)["traceparent"] == late.traceparent
        assert tracing.traceparent() == above
        late.end(ValueError(WORDS))
        raise NotFound(WORDS)
    tracer.close()
    assert tracing.traceparent() is None
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert [*spans] == ["before", "inner", "late", "outer"]
    assert {span.context.trace_id for span in spans.values() if span.context} == {int(TRACE, 16)}
    assert spans["inner"].kind is SpanKind.CLIENT
    before, outer, late_span = spans["before"], spans["outer"], spans["late"]
    assert before.start_time is not None
    assert before.end_time is not None
    assert 0.4e9 < before.end_time - before.start_time < 0.6e9
    assert (outer.attributes or {})["error.type"] == "not_found"
    assert (late_span.attributes or {})["error.type"] == "ValueError"
    assert not any(span.events for span in spans.values()), "an exception event holds its message"
    assert WORDS not in "".join(span.to_json() for span in spans.values())


def test_without_a_tracer_everything_is_free() -> None:
    with Tracing(None).entry("outer", "server", f"00-{TRACE}-{CALLER}-01") as opened:
        assert opened is None
        assert tracing.traceparent() is None
        assert tracing.begin("x") is None
        tracing.happened("x", 1.0)
        with tracing.span("x") as inner:
            assert inner is None
        assert carried.outgoing() == {}


UNTRACED = """
import sys
import memos.http.app, workers.model.app
from memos.kit.config import Settings
from memos.kit.tracing import Tracing
Tracing.configured(Settings({}), "api")
ours = ("memos.kit.otel", "opentelemetry.exporter", "opentelemetry.sdk.trace", "google.protobuf")
print([name for name in ours if name in sys.modules])
"""


@pytest.mark.parametrize(("settings", "imported"), [("", False), ("otlp_url='http://127.0.0.1:9'", True)])
def test_nothing_of_it_is_imported_unless_it_is_asked_for(settings: str, imported: bool) -> None:
    """What makes spans and sends them; the web framework looks for the bare interfaces by itself."""
    code = UNTRACED.replace("{}", settings)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.strip() == "[]") is not imported, done.stdout
    assert ("memos.kit.otel" in done.stdout) is imported


def test_the_standard_variables_ask_for_traces_too(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    asked = []
    monkeypatch.setattr("memos.kit.otel.tracer_of", lambda settings, process: asked.append(process))
    settings = settings_for_nothing(tmp_path)
    Tracing.configured(settings, "one")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    Tracing.configured(settings, "two")
    assert asked == ["two"]


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "memos.kit.otel", None)
    with pytest.raises(StartupError, match="cannot be made") as caught:
        Tracing.configured(settings_for_nothing(tmp_path, otlp_url="http://127.0.0.1:9"), "api")
    assert "memos[otel]" in caught.value.hint


def settings_for_nothing(folder, **changes):
    class Nowhere:
        app = "postgresql://nobody@127.0.0.1/none"

    return settings_for(Nowhere, folder, **changes)  # type: ignore[arg-type]
