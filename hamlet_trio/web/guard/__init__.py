"""Guard Hypercorn's connections, so that no client can harm another one or the process.

Hypercorn 0.18 lets an error on one connection end the whole process, sends without a deadline, switches to
HTTP/2 unasked, counts messages in characters and goes on collecting past the limit. The guard replaces four
of Hypercorn's classes with subclasses; each names what it fixes. It depends on Hypercorn's internals, so
Hypercorn is pinned exactly, and tests/web/test_guard_installation.py fails when they change.
"""

from types import ModuleType
from typing import Any, Final, NamedTuple

import hypercorn.protocol
import hypercorn.protocol.h11
import hypercorn.trio.run
import hypercorn.trio.tcp_server
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer

from hamlet_trio.web.guard.guarded_config import ConnectionCounts, ConnectionLimits, GuardedConfig
from hamlet_trio.web.guard.http import GuardedHTTP
from hamlet_trio.web.guard.tasks import GuardedTaskGroup
from hamlet_trio.web.guard.tcp import GuardedTCPServer
from hamlet_trio.web.guard.websocket import GuardedWebSocket

__all__ = [
    "REPLACEMENTS",
    "ConnectionCounts",
    "ConnectionLimits",
    "GuardedConfig",
    "Replacement",
    "install_guard",
]


class Replacement(NamedTuple):
    """Represent a name in one of Hypercorn's modules, its original class and the guard's subclass."""

    module: ModuleType
    name: str
    original: type[Any]
    guarded: type[Any]


REPLACEMENTS: Final = (
    Replacement(hypercorn.trio.run, "TCPServer", TCPServer, GuardedTCPServer),
    Replacement(hypercorn.trio.tcp_server, "TaskGroup", TaskGroup, GuardedTaskGroup),
    Replacement(hypercorn.protocol, "H11Protocol", H11Protocol, GuardedHTTP),
    Replacement(hypercorn.protocol.h11, "WSStream", WSStream, GuardedWebSocket),
)


def install_guard() -> None:
    """Install the guard for every server of this process; installing it twice changes nothing.

    Raises `RuntimeError` if something else has replaced one of the classes.
    """
    for module, name, original, guarded in REPLACEMENTS:
        current = getattr(module, name)
        if current is not original and current is not guarded:
            raise RuntimeError(f"{module.__name__}.{name} is {current!r}, not {original!r}: cannot guard it.")
    for module, name, _, guarded in REPLACEMENTS:
        setattr(module, name, guarded)
