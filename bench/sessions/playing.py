"""Let any number of sessions of one server play, and measure them."""

import json
import time
from collections.abc import Sequence
from typing import Final, TypeAlias

import psutil
from msgspec import Struct

from bench.server import Server
from bench.sessions.lateness import Lateness
from bench.suite.figures import percentile
from bench.suite.load import Connection, Load

_SPREAD: Final = 1.0  # seconds over which the sessions begin to play, so that their turns are spread evenly
_SETTLING: Final = 0.5
_QUIET: Final = 0.3

Sends: TypeAlias = Sequence[tuple[float, Connection, str]]
"""When, in seconds from now, on which connection what is sent, in order."""


class Played(Struct, frozen=True, kw_only=True):
    """Hold what was measured while sessions played; times are in seconds.

    Attributes:
        sessions: how many played.
        lateness: how late each frame was.
        gaps: between the frames of each session.
        frames: how many there were.
        maps: how many policy maps came.
        server_share, own_share: of a core, the server's and the load generator's.
    """

    sessions: int
    lateness: list[float]
    gaps: list[float]
    frames: int
    maps: int
    server_share: float
    own_share: float

    @property
    def p99(self) -> float:
        """Return the 99th percentile of lateness."""
        return percentile(self.lateness, 0.99)

    @property
    def processor_time(self) -> float:
        """Return the server's processor seconds for a frame, with everything else that it did included."""
        return self.server_share * self._seconds / self.frames

    @property
    def _seconds(self) -> float:
        return self.frames / self.sessions / 10


class Players:
    """Hold connections to a server's `/ws`, opened on demand and paused between measurements."""

    def __init__(self, server: Server, load: Load, *, first: Sequence[str] = ()) -> None:
        """Begin without connections; new ones send one of the texts `first` each, in turn."""
        self._first = first
        self._port = server.port
        self._process = psutil.Process(server.process.pid)
        self._load = load
        self._sessions: list[tuple[Connection, Lateness]] = []

    def frame(self) -> bytes:
        """Return the longest frame sent; frames grow as cells are visited."""
        return max((lateness.frame for _, lateness in self._sessions), key=len)

    def play(
        self, count: int, seconds: float, *, ask: tuple[str, float] | None = None, sends: Sends = ()
    ) -> Played:
        """Let `count` sessions play from the start of an episode, and measure for some seconds.

        `ask` is a text that each session sends meanwhile, and every how many seconds; `sends` is what others
        send, if no session asks.
        """
        while len(self._sessions) < count:
            lateness = Lateness()
            connection = Connection(self._port, "/ws", lateness)
            self._load.add(connection)
            if self._first:
                connection.send(self._first[len(self._sessions) % len(self._first)])
            self._sessions.append((connection, lateness))
        chosen = self._sessions[:count]
        self._load.run(_QUIET)
        for _, lateness in chosen:
            lateness.begin()
        play = json.dumps({"command": "play"})
        starts = [(_SPREAD * index / count, connection, play) for index, (connection, _) in enumerate(chosen)]
        self._load.run(_SPREAD + _SETTLING, starts)
        for _, lateness in chosen:
            lateness.watch()
        began, spent, own = time.perf_counter(), self._spent(), time.process_time()
        self._load.run(seconds, sends if ask is None else _spread(*ask, [one for one, _ in chosen], seconds))
        now, elapsed = time.time(), time.perf_counter() - began
        spent, own = self._spent() - spent, time.process_time() - own
        late = [found for _, lateness in chosen for found in lateness.seconds(now)]
        gaps = [found for _, lateness in chosen for found in lateness.gaps(now)]
        for command in ("pause", "reset"):
            self._load.run(
                _QUIET, [(0.0, connection, json.dumps({"command": command})) for connection, _ in chosen]
            )
        return Played(
            sessions=count,
            lateness=late,
            gaps=gaps,
            frames=len(late),
            maps=sum(lateness.maps for _, lateness in chosen),
            server_share=spent / elapsed,
            own_share=own / elapsed,
        )

    def _spent(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def _spread(
    text: str, every: float, connections: list[Connection], seconds: float
) -> list[tuple[float, Connection, str]]:
    """Return when each connection sends the text: evenly spread, in order."""
    count = len(connections)
    return [
        (turn * every + every * index / count, connection, text)
        for turn in range(int(seconds / every))
        for index, connection in enumerate(connections)
    ]
