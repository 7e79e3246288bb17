"""Structured logs: one event a line, for a person on a terminal, as JSON elsewhere."""

import logging
import sys
from typing import Any

import structlog

from hamlet_trio.settings import Settings

Logger = structlog.typing.FilteringBoundLogger


def configure_logging(settings: Settings) -> None:
    """Set up structlog for the process: level and form from the settings, written to standard error."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            # Rich tracebacks take seconds to draw, and the event loop would wait.
            exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.dict_tracebacks] if as_json else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_logger(**bound: Any) -> Logger:
    """A logger with these values bound, such as a session's id."""
    logger: Logger = structlog.get_logger(**bound)
    return logger
