"""What goes along when one process asks another: which request, turn or job it is for, so that the lines of both can be
laid beside each other; and the trace, in the W3C form. Ids only.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog

from memos.kit import tracing

# Header -> the name that log lines carry it by.
HEADERS = {"x-memos-request": "request_id", "x-memos-turn": "turn_id", "x-memos-job": "job_id"}
TRACEPARENT = "traceparent"
_ID = re.compile(r"^[A-Za-z0-9._-]{1,128}$")


def outgoing(span: tracing.Span | None = None) -> dict[str, str]:
    """Headers for a call that is made now, within `span` if it has one of its own."""
    bound = structlog.contextvars.get_contextvars()
    headers = {header: str(bound[name]) for header, name in HEADERS.items() if name in bound}
    parent = tracing.traceparent() if span is None else span.traceparent
    return headers | ({TRACEPARENT: parent} if parent else {})


@contextmanager
def incoming(headers: Mapping[str, str]) -> Iterator[None]:
    """Binds what came along to every line that is logged inside."""
    found = {name: headers[header] for header, name in HEADERS.items() if _ID.match(headers.get(header, ""))}
    with structlog.contextvars.bound_contextvars(**found):
        yield
