"""A WebSocket client that can misbehave: it writes bytes and frames as it is told, right or wrong."""

import os
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio

from tests.patience import PATIENCE

TEXT: Final = 1
BINARY: Final = 2
CONTINUATION: Final = 0
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclass
class Answer:
    """The head of an HTTP response, and its body where it has a Content-Length."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def handshake(path: str = "/ws", **headers: str) -> bytes:
    """A valid upgrade request; `sec_websocket_key="..."` sets or replaces a header, "" leaves it out."""
    fields = {
        "host": "localhost",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": KEY,
        "sec-websocket-version": "13",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode("utf-8")


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bool = True, rsv1: bool = False
) -> bytes:
    """One frame (RFC 6455 section 5.2), masked as a client's must be unless told otherwise."""
    first = (fin << 7) | (rsv1 << 6) | opcode
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", first, (mask << 7) | length)
    elif length < 2**16:
        head = struct.pack("!BBH", first, (mask << 7) | 126, length)
    else:
        head = struct.pack("!BBQ", first, (mask << 7) | 127, length)
    if not mask:
        return head + payload
    key = os.urandom(4)
    repeated = key * (length // 4 + 1)
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated[:length], "big")).to_bytes(
        length, "big"
    )
    return head + key + masked


class Client:
    """One TCP connection to a server under test; reads fail after `PATIENCE` instead of hanging."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._buffer = b""

    async def send(self, data: bytes) -> None:
        """Write all of it, as long as the server takes it."""
        await self.stream.send_all(data)

    async def read(self, size: int) -> bytes:
        """Exactly so many bytes; raises `EOFError` if the connection ends before."""
        while len(self._buffer) < size:
            await self._fill()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    async def read_until(self, mark: bytes) -> bytes:
        """All up to and with the mark."""
        while mark not in self._buffer:
            await self._fill()
        head, _, self._buffer = self._buffer.partition(mark)
        return head + mark

    async def read_answer(self) -> Answer:
        """One HTTP response."""
        head = (await self.read_until(b"\r\n\r\n")).decode("latin1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self.read(int(headers.get("content-length", 0)))
        return Answer(int(first.split()[1]), headers, body)

    async def open_websocket(self, path: str = "/ws", **headers: str) -> Answer:
        """Upgrade; raises `AssertionError` if the server refuses."""
        await self.send(handshake(path, **headers))
        answer = await self.read_answer()
        assert answer.status == 101, answer
        return answer

    async def read_frame(self) -> tuple[int, bytes]:
        """The opcode and the payload of the server's next frame."""
        first, second = await self.read(2)
        length = second & 127
        if length == 126:
            (length,) = struct.unpack("!H", await self.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.read(8))
        return first & 15, await self.read(length)

    async def read_close(self) -> int:
        """The code of the server's close frame; frames before it are passed over."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0])

    async def read_text(self) -> str:
        """The next text message."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == TEXT:
                return payload.decode()

    async def read_eof(self) -> None:
        """Read until the server has closed its half, in order or by a reset."""
        try:
            while True:
                await self._fill()
                self._buffer = b""
        except (EOFError, trio.BrokenResourceError):
            pass

    async def _fill(self) -> None:
        with trio.fail_after(PATIENCE):
            data = await self.stream.receive_some(65536)
        if not data:
            raise EOFError(f"the server closed after {self._buffer[-200:]!r}")
        self._buffer += bytes(data)


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    """A connection to the server on this port, closed afterwards without any farewell."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    try:
        yield Client(stream)
    finally:
        await trio.aclose_forcefully(stream)


async def request(port: int, text: str) -> Answer:
    """One HTTP request, such as "GET /api/models", on a connection of its own."""
    async with connect(port) as client:
        await client.send(f"{text} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        return await client.read_answer()
