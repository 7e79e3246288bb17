"""Write structured logs: one event per line, formatted for people on a terminal and as JSON elsewhere."""

import io
import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo

from hamlet_trio.settings import Settings

Logger = structlog.typing.FilteringBoundLogger


def configure_logging(settings: Settings) -> None:
    """Configure structlog for the process: level and format from the settings, to standard error."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    renderer: Any = (
        structlog.processors.JSONRenderer()  # which escapes whatever could end a line
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # Rich tracebacks take seconds to draw, and the event loop would wait.
            exception_formatter=_write_traceback,
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.dict_tracebacks] if as_json else [_make_printable]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _make_printable(_: object, __: str, event: EventDict) -> EventDict:
    """Escape text from clients, which must neither forge a line nor control the terminal."""
    return {key: _printable(value) if isinstance(value, str) else value for key, value in event.items()}


def _write_traceback(out: TextIO, exception: ExcInfo) -> None:
    """Write an indented traceback, so that no message in it can pass for a line of the log."""
    written = io.StringIO()
    structlog.dev.plain_traceback(written, exception)
    out.write("\n".join(f"  {_printable(line)}" for line in written.getvalue().split("\n")))


def _printable(text: str) -> str:
    """Return the text with control characters, such as line ends and ESC, as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def get_logger(**bound: Any) -> Logger:
    """Return a logger with these values bound, such as a session's id."""
    logger: Logger = structlog.get_logger(**bound)
    return logger
