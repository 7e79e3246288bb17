"""Free ports, for tests that must know one before a program opens it."""

import os
import socket
from itertools import count
from typing import Final

_FIRST: Final = 20_000  # below those that the system hands out by itself
_PER_WORKER: Final = 500
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

_ports = count(_FIRST + _WORKER * _PER_WORKER + os.getpid() % (_PER_WORKER // 2))


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that no other worker of pytest returns."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port := next(_ports)))
            except OSError:
                continue
            return port
