"""Set up a serving process: its limit of open files, its memory, its logs and warnings."""

import ctypes
import gc
import logging
import os
import platform
from typing import Any

from hamlet_trio.common.text import readable
from hamlet_trio.logs import get_logger
from hamlet_trio.settings import unknown_variables

resource: Any
try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None

_YOUNG_OBJECTS = 20_000  # new objects that trigger a collection of the youngest generation
_ARENA_MAX = -8  # M_ARENA_MAX of mallopt(3)
_OTHER_FILES = 256  # models, the trainer's pipes, HTTP requests


class StructuredHandler(logging.Handler):
    """Forward what libraries log to the structured log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record."""
        get_logger(library=record.name).log(
            record.levelno, "library_message", message=record.getMessage(), exc_info=record.exc_info
        )


def capture_library_logs() -> None:
    """Send the warnings of Quart, Hypercorn and others to the structured log; idempotent."""
    root = logging.getLogger()
    if not any(isinstance(handler, StructuredHandler) for handler in root.handlers):
        root.addHandler(StructuredHandler())
    root.setLevel(logging.WARNING)


def warn_of_unknown_variables() -> None:
    """Log the variables of the environment that look like settings and have no effect."""
    if names := unknown_variables(os.environ):
        get_logger().warning("unknown_variables", names=[readable(name) for name in names])


def tune_garbage_collector() -> None:
    """Exempt the imported libraries from garbage collection, and collect less often.

    Torch alone has 165,000 objects; a full collection over them stops every session for 0.16 s, and happens
    again at exit. Sessions create no cycles while they play, so that frequent collections over hundreds of
    them find nothing.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


def share_one_arena() -> None:
    """Have all threads allocate from one arena, where the C library is glibc.

    By default glibc gives threads arenas of their own, up to eight a core, and memory that is freed in one
    serves no other. Requests are answered by short-lived threads, so that each arena grew in turn and the
    memory of a server rose for hours. One thread does nearly all the work: sharing costs nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def raise_file_limit(connections: int) -> None:
    """Raise the limit of open files for this many connections, as far as the system permits."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < connections:
        get_logger().warning("file_limit_too_low", allowed=hard, wanted=connections)
