"""Watch one broadcast with many viewers and measure how far each lags behind the first."""

import time
from typing import Final

from bench.server import Server
from bench.suite.figures import percentile
from bench.suite.load import Connection, Load

_FRAME: Final = b'{"type":"state_update"'
_SETTLING: Final = 0.5
_GRACE: Final = 1.0  # seconds that the last frames of a measurement get to reach everybody
_NEVER: Final = 1.0  # seconds that a frame counts which did not come
_SMALL: Final = 4096


class Shown:
    """Record when each frame first arrived, keyed by its text; shared by all viewers of a broadcast."""

    def __init__(self) -> None:
        self._times: dict[bytes, list[float]] = {}

    def __call__(self, payload: bytes, at: float) -> None:
        """Record a viewer's message and its time of arrival in seconds."""
        if payload.startswith(_FRAME):
            self._times.setdefault(payload, []).append(at)

    def clear(self) -> None:
        """Forget all frames."""
        self._times.clear()

    def frame(self) -> bytes:
        """Return the latest frame."""
        return next(reversed(self._times))

    def lateness(self, viewers: int, since: float, until: float) -> list[float]:
        """Return each viewer's lateness for the frames first seen between two times."""
        late: list[float] = []
        for times in self._times.values():
            first = min(times)
            if since <= first < until:
                late += [at - first for at in times]
                late += [_NEVER] * (viewers - len(times))
        return late


class Viewers:
    """Hold connections to a server's `/ws/training`."""

    def __init__(self, server: Server, load: Load) -> None:
        self.shown = Shown()
        self._port = server.port
        self._load = load
        self._open: list[Connection] = []
        self._dead: list[Connection] = []

    def watch(self, count: int, seconds: float) -> float:
        """Watch with `count` viewers for `seconds`; return the 99th percentile of lateness,
        in seconds."""
        while len(self._open) < count:
            connection = Connection(self._port, "/ws/training", self.shown)
            self._load.add(connection)
            self._open.append(connection)
        self._close(count)
        self._load.run(_SETTLING)
        self.shown.clear()
        since = time.time()
        self._load.run(seconds + _GRACE)
        late = self.shown.lateness(count, since, since + seconds)
        return percentile(late, 0.99) if late else _NEVER

    def add_dead(self, count: int) -> None:
        """Connect more viewers, which never read."""
        for _ in range(count):
            self._dead.append(Connection(self._port, "/ws/training", self.shown, receive_buffer=_SMALL))

    def close(self) -> None:
        """Close all connections."""
        self._close(0)

    def _close(self, first: int) -> None:
        for connection in self._open[first:]:
            self._load.remove(connection)
        del self._open[first:]

    def close_dead(self) -> None:
        """Close the connections that never read."""
        for connection in self._dead:
            connection.socket.close()
        self._dead.clear()
