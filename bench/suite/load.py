"""Generate load: thousands of WebSocket connections on one epoll, with the time of each frame.

Times are those at which the kernel received a frame from the server (SO_TIMESTAMPNS), so neither a late
reader nor other work on its core blurs them. They are seconds of the system's clock.
"""

import base64
import os
import select
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final

_TIMESTAMPS: Final = 35  # SO_TIMESTAMPNS, and the kind of its control messages
_NANOSECONDS: Final = struct.Struct("qq")
_CONTROL: Final = socket.CMSG_SPACE(_NANOSECONDS.size) if hasattr(socket, "CMSG_SPACE") else 0
_READ: Final = 262_144
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_COMPRESSED: Final = 64  # RFC 7692, section 6
_TAIL: Final = b"\0\0\xff\xff"  # section 7.2.2
_PATIENCE: Final = 30.0

Take = Callable[[bytes, float], None]
"""What is done with the text of a message and the time at which it came."""


class LoadError(RuntimeError):
    """Raised when the server refuses or closes a connection, which no benchmark expects."""


def frame(opcode: int, payload: bytes) -> bytes:
    """Encode a client's frame of at most 65,535 bytes, with a mask of zeros (RFC 6455, section 5.3)."""
    length = len(payload)
    if length < 126:
        return struct.pack("!BB4x", 128 | opcode, 128 | length) + payload
    return struct.pack("!BBH4x", 128 | opcode, 128 | 126, length) + payload


class Connection:
    """Represent one WebSocket; `take` is called with its messages.

    `size` is the bytes on the wire of the last message, its header included.
    """

    def __init__(
        self, port: int, path: str, take: Take, *, receive_buffer: int | None = None, deflated: bool = False
    ) -> None:
        """Connect and wait for the handshake. `receive_buffer` is in bytes, for one that is to be slow.

        `deflated` asks for permessage-deflate (RFC 7692). Raises `LoadError` when the server refuses.
        """
        self.take = take
        self.size = 0
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS) if deflated else None
        self.socket = socket.socket()
        self.socket.settimeout(_PATIENCE)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(("127.0.0.1", port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _CONTROL:
                self.socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
            # Frames may come right behind the handshake.
            self._rest = b""
            self._split(self._shake_hands(path), time.time())
        except OSError as error:
            self.socket.close()
            raise LoadError(f"no connection: {error}") from error
        self.socket.setblocking(False)

    def _shake_hands(self, path: str) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        extensions = "" if self._inflater is None else "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = self.socket.recv(4096)
            if not more:
                break
            answer += more
        head, _, rest = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            self.socket.close()
            raise LoadError(f"the server refused a connection: {head.decode(errors='replace')[:200]}")
        if self._inflater is not None and b"permessage-deflate" not in head:
            self.socket.close()
            raise LoadError("the server does not compress")
        return rest

    def send(self, text: str) -> None:
        """Send a short text."""
        self.socket.sendall(frame(_TEXT, text.encode()))

    def read(self) -> None:
        """Read all that has arrived. Raises `LoadError` when the server has closed the connection."""
        try:
            data, control, _, _ = self.socket.recvmsg(_READ, _CONTROL)
        except BlockingIOError:
            return
        except OSError as error:
            raise LoadError(f"a connection broke: {error}") from error
        if not data:
            raise LoadError("the server closed a connection")
        self._split(self._rest + data if self._rest else data, _came_at(control))

    def _split(self, data: bytes, at: float) -> None:
        position, available = 0, len(data)
        while available - position >= 2:
            length, start = data[position + 1], position + 2
            if length >= 126:
                wide = 2 if length == 126 else 8
                start += wide
                if start > available:
                    break
                length = int.from_bytes(data[start - wide : start], "big")
            if start + length > available:
                break
            first, payload = data[position], data[start : start + length]
            opcode, size = first & 15, start + length - position
            position += size
            if opcode == _TEXT:
                self.size = size
                if first & _COMPRESSED and self._inflater is not None:
                    payload = self._inflater.decompress(payload + _TAIL)
                self.take(payload, at)
            elif opcode == _PING:
                self.socket.sendall(frame(_PONG, payload))
            elif opcode == _CLOSE:
                raise LoadError(f"the server closed a connection: {payload!r}")
        self._rest = data[position:]


def _came_at(control: Sequence[tuple[int, int, bytes]]) -> float:
    for _, kind, data in control:
        if kind == _TIMESTAMPS:
            seconds, nanoseconds = _NANOSECONDS.unpack(data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()


class Load(AbstractContextManager["Load"]):
    """Read many connections in `run`; a context manager that closes them."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self._by_file: dict[int, Connection] = {}
        self._poll = select.epoll()

    def add(self, connection: Connection) -> None:
        """Add a connection."""
        self.connections.append(connection)
        self._by_file[connection.socket.fileno()] = connection
        self._poll.register(connection.socket, select.EPOLLIN)

    def remove(self, connection: Connection) -> None:
        """Close and remove a connection."""
        self.connections.remove(connection)
        del self._by_file[connection.socket.fileno()]
        connection.socket.close()

    def run(self, seconds: float, sends: Iterable[tuple[float, Connection, str]] = ()) -> None:
        """Read for some seconds, and send each text at its time in seconds from now, in order.

        Raises `LoadError` when the server closes a connection.
        """
        began = time.perf_counter()
        waiting = iter(sends)
        following = next(waiting, None)
        by_file = self._by_file
        while (elapsed := time.perf_counter() - began) < seconds:
            while following is not None and following[0] <= elapsed:
                _, connection, text = following
                connection.send(text)
                following = next(waiting, None)
            until = seconds if following is None else min(following[0], seconds)
            for file, _ in self._poll.poll(max(until - elapsed, 0.0), 1024):
                by_file[file].read()

    def __exit__(self, *_: object) -> None:
        for connection in self.connections:
            connection.socket.close()
        self._poll.close()
