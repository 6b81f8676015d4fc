"""Traces across API, worker and model worker, when an operator asks for them; otherwise nothing, and nothing of
OpenTelemetry is imported.

An edge (a request, a job, a call of the model worker) opens a span with `Tracing.entry`, taking its parent from the W3C
`traceparent` that came along. Whatever happens inside is told with `begin`, `span` and `happened`, which know the
active span by a context variable and do nothing where there is none: code in between holds no tracer and asks for none.

Spans carry ids, names of ours and numbers, never memory text, an address or what an error says.
"""

import importlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol, Self

import structlog

from memos.kit.config import Settings
from memos.kit.errors import MemosError, StartupError

Kind = Literal["internal", "server", "client", "consumer"]
Value = str | int | float | bool
# Any of them asks for traces, as for every program that knows OpenTelemetry.
STANDARD = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


class Span(Protocol):
    """Something that takes time."""

    @property
    def traceparent(self) -> str: ...

    def child(self, name: str, kind: Kind, attributes: dict[str, Value], began_s_ago: float = 0.0) -> "Span": ...

    def named(self, name: str, attributes: dict[str, Value]) -> None:
        """Gives it a better name, and says more of it."""
        ...

    def end(self, error: BaseException | None = None) -> None: ...


class Tracer(Protocol):
    """Begins traces and sends them away."""

    def begin(self, name: str, kind: Kind, parent: str | None, attributes: dict[str, Value]) -> Span: ...

    def close(self) -> None:
        """Sends what is left; blocks for a moment."""
        ...


ACTIVE: ContextVar[Span | None] = ContextVar("memos_span", default=None)


class Tracing:
    """What an edge holds. Without a tracer every entry is free."""

    def __init__(self, tracer: Tracer | None) -> None:
        self._tracer = tracer

    @classmethod
    def configured(cls, settings: Settings, process: str) -> Self:
        """`process` is the last part of the service's name. Raises StartupError if traces are asked for and cannot
        be made."""
        if settings.otlp_url is None and not any(os.environ.get(name) for name in STANDARD):
            return cls(None)
        try:
            otel = importlib.import_module("memos.kit.otel")
        except ImportError as error:
            raise StartupError(
                f"traces are asked for and cannot be made: {error}", hint="pip install 'memos[otel]', or unset the URL."
            ) from error
        tracer: Tracer = otel.tracer_of(settings, process)
        return cls(tracer)

    @contextmanager
    def entry(
        self, name: str, kind: Kind, traceparent: str | None = None, **attributes: Value
    ) -> Iterator[Span | None]:
        """A span that is the first of this process, and the active one inside. A parent that is none is passed over."""
        if self._tracer is None:
            yield None
            return
        parent = traceparent if traceparent and _TRACEPARENT.match(traceparent) else None
        begun = self._tracer.begin(name, kind, parent, attributes)
        with _active(begun), structlog.contextvars.bound_contextvars(trace_id=begun.traceparent.split("-")[1]):
            yield begun

    def close(self) -> None:
        if self._tracer is not None:
            self._tracer.close()


def traceparent() -> str | None:
    """Of the active span, for whoever is asked or told next."""
    active = ACTIVE.get()
    return None if active is None else active.traceparent


def begin(name: str, kind: Kind = "internal", **attributes: Value) -> Span | None:
    """A span within the active one, which somebody ends later, in whatever task."""
    active = ACTIVE.get()
    return None if active is None else active.child(name, kind, attributes)


@contextmanager
def span(name: str, kind: Kind = "internal", **attributes: Value) -> Iterator[Span | None]:
    """A span within the active one, and the active one inside the block, which one task enters and leaves."""
    begun = begin(name, kind, **attributes)
    if begun is None:
        yield None
        return
    with _active(begun) as opened:
        yield opened


def happened(name: str, took_s: float, **attributes: Value) -> None:
    """A span that is over: it ends now and began so long ago."""
    active = ACTIVE.get()
    if active is not None:
        active.child(name, "internal", attributes, began_s_ago=took_s).end()


@contextmanager
def _active(opened: Span) -> Iterator[Span]:
    token = ACTIVE.set(opened)
    try:
        yield opened
    except BaseException as error:
        opened.end(error)
        raise
    else:
        opened.end()
    finally:
        ACTIVE.reset(token)


def kind_of(error: BaseException) -> str:
    """What a span may say of an error: our code for it, or its class."""
    return error.code if isinstance(error, MemosError) else type(error).__qualname__
