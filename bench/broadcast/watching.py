"""Viewers of one broadcast, and how much later than the first of them the others get each frame."""

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
    """When each frame came, by its text; all viewers of a broadcast share one."""

    def __init__(self) -> None:
        self._times: dict[bytes, list[float]] = {}

    def __call__(self, payload: bytes, at: float) -> None:
        """Take a viewer's message that came at this time, in seconds."""
        if payload.startswith(_FRAME):
            self._times.setdefault(payload, []).append(at)

    def clear(self) -> None:
        """Forget all."""
        self._times.clear()

    def frame(self) -> bytes:
        """The latest frame."""
        return next(reversed(self._times))

    def lateness(self, viewers: int, since: float, until: float) -> list[float]:
        """How late each frame was for each viewer, of the frames first seen between two times."""
        late: list[float] = []
        for times in self._times.values():
            first = min(times)
            if since <= first < until:
                late += [at - first for at in times]
                late += [_NEVER] * (viewers - len(times))
        return late


class Viewers:
    """Connections to a server's `/ws/training`."""

    def __init__(self, server: Server, load: Load) -> None:
        self.shown = Shown()
        self._port = server.port
        self._load = load
        self._open: list[Connection] = []
        self._dead: list[Connection] = []

    def watch(self, count: int, seconds: float) -> float:
        """Have so many viewers watch for some seconds: 99 % of frames are less late than this,
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
        """Have so many more viewers come that never read."""
        for _ in range(count):
            self._dead.append(Connection(self._port, "/ws/training", self.shown, receive_buffer=_SMALL))

    def close(self) -> None:
        """Let all go."""
        self._close(0)

    def _close(self, first: int) -> None:
        for connection in self._open[first:]:
            self._load.remove(connection)
        del self._open[first:]

    def close_dead(self) -> None:
        """Let those go."""
        for connection in self._dead:
            connection.socket.close()
        self._dead.clear()
