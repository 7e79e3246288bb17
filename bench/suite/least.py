"""Write prepared frames with the least that Trio can do: `python -m bench.suite.least PORT FILE`.

Each connection has a task that reads and, on `/ws` from `play` to `pause`, one that writes the frame in FILE
ten times a second to the plain socket. On `/ws/training` each viewer's task writes the same frame twenty
times a second. No app, no WebSocket library, no queues: a frame's header is prepared with the frame.
"""

import base64
import hashlib
import struct
import sys
from pathlib import Path
from typing import Final, NoReturn

import trio

_STEP_SECONDS: Final = 0.1
_SHOWN_SECONDS: Final = 0.05
_DIGITS: Final = 8
_READ: Final = 65_536
_KEY: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_READY: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def message(text: bytes) -> bytes:
    """Return a text message as a server sends it, at most 65,535 bytes of text."""
    if len(text) < 126:
        return struct.pack("!BB", 129, len(text)) + text
    return struct.pack("!BBH", 129, 126, len(text)) + text


async def _play(socket: trio.socket.SocketType, frame: bytes, scope: trio.CancelScope) -> None:
    with scope:
        due = trio.current_time()
        while True:
            due += _STEP_SECONDS
            await trio.sleep_until(due)
            await _send(socket, frame)


async def _send(socket: trio.socket.SocketType, data: bytes) -> None:
    sent = await socket.send(data)
    while sent < len(data):
        sent += await socket.send(data[sent:])


class _Server:
    """Serve the frame to sessions and, numbered, to viewers; a slow viewer misses frames."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._frame = self._shown = message(text)
        self._watching = trio.lowlevel.ParkingLot()

    async def show(self) -> NoReturn:
        """Publish a frame twenty times a second, ending in its number so that no two are equal."""
        due, number = trio.current_time(), 0
        while True:
            due += _SHOWN_SECONDS
            await trio.sleep_until(due)
            number += 1
            self._shown = message(b"%s%0*d" % (self._text[:-_DIGITS], _DIGITS, number))
            self._watching.unpark_all()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection until the client ends it."""
        socket = stream.socket
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := await socket.recv(_READ)):
                    return
                head += more
            request, *lines = head.split(b"\r\n")
            path = request.split()[1]
            if path == b"/readyz":
                await _send(socket, _READY)
                return
            key = next(line.split(b": ")[1] for line in lines if line.startswith(b"Sec-WebSocket-Key"))
            accept = base64.b64encode(hashlib.sha1(key + _KEY).digest())  # noqa: S324 (RFC 6455 wants it)
            upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            await _send(socket, upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            await (self._serve_session(socket) if path == b"/ws" else self._serve_viewer(socket))
        except* OSError:
            pass  # the client is gone
        finally:
            await stream.aclose()

    async def _serve_session(self, socket: trio.socket.SocketType) -> None:
        await _send(socket, self._frame)
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            # The load generator masks with zeros, so commands can be read as they are.
            while command := await socket.recv(_READ):
                if b"play" in command or b"pause" in command:
                    scope.cancel()
                if b"play" in command:
                    scope = trio.CancelScope()
                    nursery.start_soon(_play, socket, self._frame, scope)
            nursery.cancel_scope.cancel()

    async def _serve_viewer(self, socket: trio.socket.SocketType) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, socket)
            while await socket.recv(_READ):
                pass
            nursery.cancel_scope.cancel()

    async def _watch(self, socket: trio.socket.SocketType) -> NoReturn:
        while True:
            await self._watching.park()
            await _send(socket, self._shown)


async def _run(port: int, text: bytes) -> None:
    server = _Server(text)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.show)
        await trio.serve_tcp(server.serve, port, host="127.0.0.1", backlog=1024)


def main() -> None:
    """Serve until SIGTERM."""
    port, file = sys.argv[1:]
    trio.run(_run, int(port), Path(file).read_bytes())


if __name__ == "__main__":
    main()
