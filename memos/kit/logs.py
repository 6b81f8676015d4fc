"""Structured logs on standard error: JSON lines when a machine reads them, coloured text on a terminal.

Every line of a request, a turn or a job carries its ids: the edges bind them (`memos.kit.carried`), nobody passes them
by hand. Records hold ids and never memory text:

* Whoever logs passes ids. Tracebacks show places and kinds of errors; what an error says is left out where it may quote
  what somebody wrote (a database names the row that it refused, a parser what it could not read). With
  `MEMOS_LOG_TEXTS=true` it is shown, for finding a bug on a machine that holds nobody's words.
* Libraries log through the same door, from warnings on, and the first line of what they say: the rest may be a repr.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import TextIO

import structlog

from memos.kit.config import Settings
from memos.kit.errors import MemosError

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure_logs(settings: Settings) -> None:
    """Called once, at the entry point of a process."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    if settings.log_texts:
        plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        machine = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        plain = structlog.dev.ConsoleRenderer(exception_formatter=_write_quietly)
        machine = [structlog.processors.ExceptionRenderer(_quietly), structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([plain] if sys.stderr.isatty() else machine),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)


def quiet_traceback(error: BaseException) -> str:
    """Where an error came from and of what kind each is, without what any of them says; innermost cause first."""
    return "\n".join(_told(error))


def _told(error: BaseException) -> Iterator[str]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _told(cause)
        yield "which led to"
    yield from (line.rstrip("\n") for line in traceback.format_tb(error.__traceback__))
    yield f"{type(error).__module__}.{type(error).__qualname__}{_safe_part(error)}"
    for one in getattr(error, "exceptions", ()):  # of a group
        yield from _told(one)


def _safe_part(error: BaseException) -> str:
    """What may be said of an error: our own messages name ids, a database's error its code and constraint."""
    if isinstance(error, MemosError):
        return f": {error.code}"
    state = getattr(error, "sqlstate", None)
    if state is None:
        return ""
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
    return f": SQLSTATE {state}" + (f", constraint {constraint}" if constraint else "")


def _quietly(exc_info: ExcInfo) -> str:
    return quiet_traceback(exc_info[1])


def _write_quietly(out: TextIO, found: ExcInfo) -> None:
    out.write("\n" + quiet_traceback(found[1]))


class _Libraries(logging.Handler):
    """Hands a record of the standard library's logging on."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            log = structlog.get_logger()
            said = record.getMessage().partition("\n")[0]
            error = record.exc_info[1] if record.exc_info else None
            log.log(record.levelno, "library", logger=record.name, said=said, **({"exc_info": error} if error else {}))
        except Exception:
            self.handleError(record)
