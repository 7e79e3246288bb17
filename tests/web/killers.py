"""Requests that end a bare Hypercorn 0.18.0 process under Trio; each is a list of what is written in turn."""

from typing import Final

from hpack import Encoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame, SettingsFrame

from tests.web.wire import TEXT, Client, frame, handshake

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize()


def _headers(*fields: tuple[bytes, bytes], end: bool = True) -> Frame:
    opening = HeadersFrame(1, data=Encoder().encode(fields))
    opening.flags.add("END_HEADERS")
    if end:
        opening.flags.add("END_STREAM")
    return opening


def _get(path: bytes, *, end: bool = True) -> bytes:
    fields = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", path))
    return _headers(*fields, end=end).serialize()


def _late_data() -> bytes:
    late = DataFrame(1, data=b"late")
    late.flags.add("END_STREAM")
    return late.serialize()


def _not_ascii(header: bytes) -> bytes:
    return handshake().replace(b"\r\n\r\n", b"\r\n" + header + b": caf\xe9\r\n\r\n")


KILLERS: Final[dict[str, list[bytes]]] = {
    "a Sec-WebSocket-Protocol that is not ASCII": [_not_ascii(b"Sec-WebSocket-Protocol")],
    "a Sec-WebSocket-Extensions that is not ASCII": [_not_ascii(b"Sec-WebSocket-Extensions")],
    "an HTTP/2 path that is not ASCII": [_PREFACE + _get("/café".encode())],
    "an HTTP/2 CONNECT without a path": [
        _PREFACE + _headers((b":method", b"CONNECT"), (b":authority", b"x")).serialize()
    ],
    "HTTP/2 data after the response": [_PREFACE + _get(b"/", end=False), _late_data()],
    "bytes before a WebSocket is accepted": [handshake() + frame(TEXT, b"too early")],
}


async def send_killer(client: Client, name: str) -> None:
    """Write one of them; a later part waits until the answer to the first is complete, or refused."""
    first, *later = KILLERS[name]
    await client.send(first)
    for part in later:
        try:
            await client.read_until(b"\x00\x01\x00\x00\x00\x01")  # DATA, END_STREAM, stream 1
            await client.send(part)
        except EOFError:
            pass
