"""What a serving process arranges for itself: room for its connections, one form for its logs."""

import gc
import logging
from typing import Any

from hamlet_trio.logs import get_logger

resource: Any
try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None

_YOUNG_OBJECTS = 20_000  # new objects after which the collector looks for cycles among them
_OTHER_FILES = 256  # models, the trainer's pipes, HTTP requests


class StructuredHandler(logging.Handler):
    """Hands what libraries log to the structured log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record."""
        get_logger(library=record.name).log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def gather_library_logs() -> None:
    """Have what Quart, Hypercorn and others warn of come out like our own; twice changes nothing."""
    root = logging.getLogger()
    if not any(isinstance(handler, StructuredHandler) for handler in root.handlers):
        root.addHandler(StructuredHandler())
    root.setLevel(logging.WARNING)


def settle_memory() -> None:
    """Spare the garbage collector what stays for good: the libraries, once all of them are imported.

    Torch alone brings 165,000 objects, and a full collection that looks at them holds every session up for
    0.16 s; at exit it would look at them again. What is left is looked at less often than by default:
    sessions make no cycles as they play, and hundreds of them are many objects to look at in vain.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


def allow_many_files(connections: int) -> None:
    """Raise the limit of open files for so many connections, as far as this process may."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < connections:
        get_logger().warning(
            "too few open files allowed for all connections", allowed=hard, wanted=connections
        )
