"""Tell systemd that the server is alive, so that one that hangs is ended and started again."""

import os
from collections.abc import Mapping
from typing import Final, NamedTuple

import trio

_SHARE: Final = 4
"""Signs of life in the time that systemd allows between two; the event loop may be late for some."""


class Watchdog(NamedTuple):
    """Represent what systemd expects: a sign of life at this socket, `interval` seconds apart."""

    address: str
    interval: float

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> "Watchdog | None":
        """Return what `WatchdogSec=` of the unit asks of this process, as in sd_watchdog_enabled(3)."""
        variables = os.environ if environment is None else environment
        address, limit = variables.get("NOTIFY_SOCKET", ""), variables.get("WATCHDOG_USEC", "")
        if not address or not limit.isdecimal() or int(limit) == 0:
            return None
        if variables.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
        # In the abstract namespace of Linux the first byte is zero, which no variable can hold.
        address = f"\0{address[1:]}" if address.startswith("@") else address
        return cls(address, int(limit) / 1e6 / _SHARE)

    async def run(self) -> None:
        """Send signs of life until cancelled; `OSError` if systemd takes none."""
        with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM) as sock:
            while True:
                await sock.sendto(b"WATCHDOG=1", self.address)
                await trio.sleep(self.interval)
