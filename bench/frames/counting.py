"""Count the frames of many connections, and what they cost."""

import json
from typing import Final

import psutil
from msgspec import Struct

from bench.server import Server
from bench.suite.load import Connection, Load, LoadError

_FRAMES: Final = (b'{"type":"state_update"', b'{"type":"delta"')
_REFUSAL: Final = b'{"type":"error"'
_SPREAD: Final = 1.0  # seconds over which sessions begin to play, so that their turns are spread evenly
_SETTLING: Final = 1.5
_QUIET: Final = 0.3
_READING: Final = 0.001
COMPACT: Final = json.dumps({"command": "set_view", "frames": "compact"})
PLAY: Final = json.dumps({"command": "play"})


class Frames(Struct):
    """Count what one or more connections were sent."""

    count: int = 0
    size: int = 0
    """Bytes on the wire."""
    longest: bytes = b""

    def follow(self, connection: Connection) -> None:
        """Count the frames of this connection too."""

        def take(payload: bytes, _: float) -> None:
            if payload.startswith(_FRAMES):
                self.count += 1
                self.size += connection.size
                if len(payload) > len(self.longest):
                    self.longest = payload
            elif payload.startswith(_REFUSAL):
                raise LoadError(f"the server refused a command: {payload.decode()}")

        connection.take = take


def ignore(_: bytes, __: float) -> None:
    """Ignore a message that came with the handshake."""


def bytes_a_frame(server: Server, texts: list[str], seconds: float, *, deflated: bool = False) -> float:
    """Return the mean bytes of a frame on the wire, of one session that sends these texts first."""
    with Load() as load:
        connection = Connection(server.port, "/ws", ignore, deflated=deflated)
        frames = Frames()
        frames.follow(connection)
        load.add(connection)
        for text in texts:
            connection.send(text)
        load.run(seconds)
        if not frames.count:
            raise LoadError("there was no frame")
        return frames.size / frames.count


class Crowd:
    """Hold connections of one server that are all sent frames, and measure what a frame costs it."""

    def __init__(self, server: Server, load: Load, path: str, count: int, *, compact: bool) -> None:
        """Connect them, and ask for compact frames where wanted."""
        self._process = psutil.Process(server.process.pid)
        self._load = load
        self._plays = path == "/ws"
        self.frames = Frames()
        self.connections: list[Connection] = []
        for _ in range(count):
            connection = Connection(server.port, path, ignore)
            self.frames.follow(connection)
            load.add(connection)
            self.connections.append(connection)
            if compact:
                connection.send(COMPACT)
            # Those that are sent frames already have to read meanwhile, or the server takes them for dead.
            load.run(_READING)
        load.run(_QUIET)

    def measure(self, seconds: float) -> float:
        """Return processor seconds a frame over some seconds, in which sessions play."""
        if not self._plays:
            self._load.run(_SETTLING)
            return self._watch(seconds)
        every = _SPREAD / len(self.connections)
        sends = [(every * n, one, PLAY) for n, one in enumerate(self.connections)]
        self._load.run(_SPREAD + _SETTLING, sends)
        found = self._watch(seconds)
        for command in ("pause", "reset"):
            text = json.dumps({"command": command})
            self._load.run(_QUIET, [(0.0, one, text) for one in self.connections])
        return found

    def _watch(self, seconds: float) -> float:
        self.frames.count = self.frames.size = 0
        began = self._spent()
        self._load.run(seconds)
        spent = self._spent() - began
        if not self.frames.count:
            raise LoadError("there was no frame")
        return spent / self.frames.count

    def close(self) -> None:
        """Close all connections."""
        for connection in self.connections:
            self._load.remove(connection)
        self.connections.clear()

    def _spent(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)
