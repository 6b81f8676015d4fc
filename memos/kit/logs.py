"""Structured logs on standard error: JSON lines when a machine reads them, coloured text on a terminal.

Records carry ids, never memory text: tracebacks are printed without local variables, and whoever logs passes ids. The
request's id is bound by the middleware, so every line of a request carries it.
"""

import logging
import sys

import structlog

from memos.kit.config import Settings


def configure_logs(settings: Settings) -> None:
    """Called once, at the entry point of a process."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    machine = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
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
