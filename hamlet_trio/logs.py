"""Write structured logs: one event per line, formatted for people on a terminal and as JSON elsewhere."""

import io
import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final, TextIO

from hamlet_trio.common.leaving_out import leaving_out

# For tracebacks that nobody sees here, structlog would import rich, a tenth of what the server imports.
with leaving_out("rich", *(() if sys.platform == "win32" else ("colorama",))):
    import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, ExcInfo

from hamlet_trio.common.line_sink import LineSink
from hamlet_trio.common.text import readable
from hamlet_trio.settings import Settings

Logger = structlog.typing.FilteringBoundLogger

REPEAT_WINDOW: Final = 60.0  # seconds
_MAX_FAULTS: Final = 64
_STDERR: Final = 2


def configure_logging(settings: Settings) -> None:
    """Configure structlog for the process: level and format from the settings, to standard error.

    Logging neither blocks nor raises; see `LineSink`. Tracebacks hold no local variables: they would hold
    what clients sent, secrets included.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not is_terminal)
    exceptions = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    renderer: Any = (
        structlog.processors.JSONRenderer()  # which escapes whatever could end a line
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=is_terminal,
            # Rich tracebacks take seconds to draw, and show local variables.
            exception_formatter=_write_traceback,
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            FaultLimiter(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            exceptions if as_json else _make_printable,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level.upper())),
        logger_factory=SinkLoggerFactory(),
        cache_logger_on_first_use=False,
    )


def dropped_lines() -> int:
    """Return how many lines of this process's log could not be written."""
    factory = structlog.get_config()["logger_factory"]
    return factory.sink.dropped if isinstance(factory, SinkLoggerFactory) else 0


def flush_logs(timeout: float) -> bool:
    """Wait up to `timeout` seconds until the log is written; return whether that is so."""
    factory = structlog.get_config()["logger_factory"]
    return not isinstance(factory, SinkLoggerFactory) or factory.sink.flush(timeout)


class SinkLoggerFactory:
    """Make the loggers that structlog writes to; all of them share one sink."""

    def __init__(self) -> None:
        self.sink: Final = LineSink(_STDERR, _report_loss)

    def __call__(self, *_: object) -> "SinkLogger":
        """Return a logger."""
        return SinkLogger(self.sink)


class SinkLogger:
    """Pass rendered lines of every level to a sink."""

    def __init__(self, sink: LineSink) -> None:
        self.msg = self.log = self.debug = self.info = self.warning = self.warn = sink.write
        self.error = self.critical = self.fatal = self.failure = self.err = self.exception = sink.write


def _report_loss(lines: int) -> None:
    get_logger().warning("log_lines_lost", lines=lines)


class _Fault:
    """Count the occurrences of a fault since it was last logged."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields: Final = fields
        self.logged_at = time.monotonic()
        self.count = 0


class FaultLimiter:
    """Log an exception that keeps recurring once, and then how often it recurred.

    Two exceptions are the same fault if event, type and line agree; two messages of a library, if they are
    equal. The first is logged in full. Others are counted, and the count is logged after `REPEAT_WINDOW`
    seconds; a fault that was absent for that long is logged in full again. Memory: `_MAX_FAULTS` counts.
    """

    def __init__(self) -> None:
        self._faults: OrderedDict[Hashable, _Fault] = OrderedDict()
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None

    def __call__(self, _: object, __: str, event: EventDict) -> EventDict:
        """Let an event pass, or drop it."""
        fields = _fault_of(event)
        if fields is None:
            return event
        key = tuple(fields.values())
        with self._lock:
            fault = self._faults.get(key)
            if fault is None or time.monotonic() - fault.logged_at >= REPEAT_WINDOW:
                self._faults[key] = _Fault(fields)
                self._faults.move_to_end(key)
                if len(self._faults) > _MAX_FAULTS:
                    self._faults.popitem(last=False)
                return event
            fault.count += 1
            if self._timer is None:
                self._start_timer()
        raise structlog.DropEvent

    def report(self) -> None:
        """Log the counts."""
        with self._lock:
            self._timer = None
            repeated = [fault for fault in self._faults.values() if fault.count]
            for fault in repeated:
                get_logger().error("fault_repeated", **fault.fields, count=fault.count)
                fault.count, fault.logged_at = 0, time.monotonic()

    def _start_timer(self) -> None:
        timer = threading.Timer(REPEAT_WINDOW, self.report)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no thread can be started now; the next occurrence tries again
            return
        self._timer = timer


def _fault_of(event: EventDict) -> dict[str, Any] | None:
    """Return what identifies the fault that an event reports; None for other events."""
    exception = event.get("exc_info")
    if exception is True:
        exception = sys.exc_info()[1]
    elif isinstance(exception, tuple):
        exception = exception[1]
    while isinstance(exception, BaseExceptionGroup):
        exception = exception.exceptions[0]
    if not isinstance(exception, BaseException):
        return {"fault": event.get("message")} if "library" in event else None
    place = exception.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = None if place is None else f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    return {"fault": event["event"], "error": type(exception).__name__, "where": where}


def _make_printable(_: object, __: str, event: EventDict) -> EventDict:
    """Escape text from clients, which must neither forge a line nor control the terminal."""
    return {key: readable(value) if isinstance(value, str) else value for key, value in event.items()}


def _write_traceback(out: TextIO, exception: ExcInfo) -> None:
    """Write an indented traceback, so that no message in it can pass for a line of the log."""
    written = io.StringIO()
    structlog.dev.plain_traceback(written, exception)
    out.write("\n".join(f"  {readable(line)}" for line in written.getvalue().split("\n")))


def get_logger(**bound: Any) -> Logger:
    """Return a logger with these values bound, such as a session's id."""
    logger: Logger = structlog.get_logger(**bound)
    return logger
