"""Length-prefixed messages over the pipes between the supervisor and its trainer.

A message is a header (unsigned 32-bit length of the payload in network order, one byte of kind) and the
payload. `MessageDecoder` cuts a stream of bytes into messages without doing any I/O; `PipeReader` reads them
from a file descriptor in a thread of the trainer, `MessageStream` from a pipe under Trio.
"""

import os
import struct
from enum import IntEnum
from typing import Final, NamedTuple

import trio
from trio.abc import ReceiveStream

MAX_LENGTH: Final = 16 * 1024 * 1024  # bytes; 2,000 episode records, the largest message, take about 0.6 MB
_HEADER: Final = struct.Struct("!IB")
_CHUNK: Final = 65_536


class LinkError(Exception):
    """The bytes on the pipe are not a message: garbage, an absurd length, or an end in the middle of one."""


class MessageKind(IntEnum):
    """The kind of a payload."""

    CONTROL = 1  # an order to the trainer or a report from it (orders.py), for the two of them alone
    EVENT = 2  # a lifecycle message of the wire as JSON: never dropped, read by the supervisor too
    FRAME = 3  # a `state_update` of the wire as JSON: may be dropped, forwarded unread


class Message(NamedTuple):
    """One message: its kind and payload."""

    kind: MessageKind
    payload: bytes


def pack(kind: MessageKind, payload: bytes) -> bytes:
    """Return the bytes of one message; raises `LinkError` for a payload over `MAX_LENGTH`."""
    if len(payload) > MAX_LENGTH:
        raise LinkError(f"a message of {len(payload)} bytes is longer than the {MAX_LENGTH} allowed")
    return _HEADER.pack(len(payload), kind) + payload


class MessageDecoder:
    """Cut bytes into messages. Memory: one message, thus `MAX_LENGTH`, and the bytes fed beyond it."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | bytearray) -> None:
        """Add bytes that were read."""
        self._buffer += data

    def next(self) -> Message | None:
        """Return the next whole message, or `None` until more is fed. Raises `LinkError` on a bad header."""
        if len(self._buffer) < _HEADER.size:
            return None
        length, kind = _HEADER.unpack_from(self._buffer)
        if length > MAX_LENGTH or kind not in set(MessageKind):
            raise LinkError(f"the pipe carries something other than messages: {bytes(self._buffer[:16])!r}")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        message = Message(MessageKind(kind), bytes(self._buffer[_HEADER.size : end]))
        del self._buffer[:end]
        return message

    def finish(self) -> None:
        """End the stream; raises `LinkError` in the middle of a message."""
        if self._buffer:
            raise LinkError(f"the pipe ended in the middle of a message, after {len(self._buffer)} bytes")


class PipeReader:
    """Read messages from a file descriptor, blocking; for one thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._decoder = MessageDecoder()

    def receive(self) -> Message | None:
        """Return the next message, or `None` once the other side has closed the pipe. Raises `LinkError`."""
        while (message := self._decoder.next()) is None:
            data = os.read(self._descriptor, _CHUNK)
            if not data:
                self._decoder.finish()
                return None
            self._decoder.feed(data)
        return message


class MessageStream:
    """Read messages under Trio; `receive` is always a checkpoint and, cancelled, loses nothing."""

    def __init__(self, stream: ReceiveStream) -> None:
        self._stream = stream
        self._decoder = MessageDecoder()

    async def receive(self) -> list[Message]:
        """Return the messages that have come, one at least, or none once the other side has closed.

        Raises `LinkError`, after the messages before the error were received.
        """
        await trio.lowlevel.checkpoint()
        while not (messages := self._decode()):
            data = await self._stream.receive_some(_CHUNK)
            if not data:
                self._decoder.finish()
                return []
            self._decoder.feed(data)
        return messages

    def _decode(self) -> list[Message]:
        messages: list[Message] = []
        try:
            while (message := self._decoder.next()) is not None:
                messages.append(message)
        except LinkError:
            if not messages:
                raise
        return messages
