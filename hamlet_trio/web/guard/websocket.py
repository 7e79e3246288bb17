"""Serve WebSockets (RFC 6455): count messages in bytes, and end a connection after its close."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import trio
from hypercorn.protocol.events import Body, Data, EndBody, Event, Request, Response
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hypercorn.typing import ASGISendEvent, WebsocketAcceptEvent
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Message, Ping, TextMessage
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason
from wsproto.handshake import WEBSOCKET_VERSION, server_extensions_handshake
from wsproto.utilities import generate_accept_token

from hamlet_trio.connection import ReadBatch
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.web.guard.deflate import BoundedDeflate
from hamlet_trio.web.guard.guarded_config import ConnectionEnded, DirectPath, guarded
from hamlet_trio.web.problems import PROBLEM_TYPE, problem_document

DIRECT: Final = "hamlet_trio.direct"
"""Where an app finds its `GuardedWebSocket` in the `state` of its scope."""

_WHOLE_TEXT: Final = 0x81  # the first byte of a text message that is one frame; RFC 6455, section 5.2
_MASKED: Final = 0x80
_SHORT: Final = 125  # bytes of a payload whose length is in the second byte
_HEAD: Final = 6  # bytes of the header of a short masked frame
_MASK: Final = 4  # bytes

Take = Callable[[str], bool]
"""Takes a text that has arrived, if it can without waiting; returns whether it did."""


class GuardedWebSocket(WSStream):
    """Serve one WebSocket from its handshake to its end.

    Memory: at most one message of `max_message_bytes`. A longer one, whole, fragmented or inflated, closes
    with 1009; a protocol error closes with wsproto's code for it (1002, 1007). Either ends the connection:
    nothing more is collected, and the app receives a disconnect.

    It is pinged when the server has sent nothing for `websocket_ping_interval` seconds. Proxies count that as
    a sign of life: a person who thinks, or a run that is paused, may be silent for long.
    """

    _message: bytearray | None = None
    _answered = False  # the app has answered the handshake, perhaps not sent in full yet
    _refused = False  # the guard has
    _writes_frames = False  # the handshake is done, and texts are sent uncompressed
    _write_nowait: Callable[[bytes], bool] | None = None
    _take: Take | None = None
    _batch: ReadBatch | None = None
    handed = 0
    """Messages that went to the app through its queue, and not to what `take_with` names."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._pinging = trio.CancelScope()
        self._sent_at = 0.0

    async def handle(self, event: Event) -> None:
        """Handle an event of the connection.

        Data before the answer to the handshake is the client's error; Hypercorn answers it but does not tell
        the app, or fails if the app has already answered.
        """
        if isinstance(event, Body | Data) and not self.closed and not self.handshake.accepted:
            self._refused = True
            if not self._answered:
                self.state = ASGIWebsocketState.HTTPCLOSED
                await self._send_error_response(400)
            raise ConnectionEnded
        if isinstance(event, Request):
            event.state[DIRECT] = self
        await super().handle(event)
        if self.closed:
            self._pinging.cancel()
            if isinstance(event, Request):  # refused, so the app was never told
                raise ConnectionEnded

    async def app_send(self, message: ASGISendEvent | None) -> None:
        """Send the app's message; a checkpoint even after the end, or an app that only sends would spin."""
        if self.closed or (self._refused and message is not None):
            await trio.lowlevel.checkpoint()
            return
        self._answered = True
        self._sent_at = trio.current_time()
        if (
            message is not None
            and message["type"] == "websocket.send"
            and (text := message.get("text")) is not None
            and self._takes_frames
        ):
            await self.send(Data(self.stream_id, text_frame(text)))
        else:
            await super().app_send(message)

    def send_nowait(self, text: str) -> bool:
        """Send a text past Hypercorn and without waiting, if possible; return whether it was taken.

        The app finds this object in the `state` of its scope, under `DIRECT`.
        """
        if self._write_nowait is None or self.closed or not self._takes_frames:
            return False
        is_taken = self._write_nowait(text_frame(text))
        if is_taken:
            self._sent_at = trio.current_time()
        return is_taken

    def take_with(self, take: Take, batch: ReadBatch) -> None:
        """Offer the app's function each short text before it goes through the app's queue.

        It is called by whoever reads, and may take one only when the app has done with all that were `handed`
        to it before. It must not wait and not raise. While it takes all that comes, the connection is read
        with the others of the batch.
        """
        self._take, self._batch = take, batch

    @property
    def batch(self) -> ReadBatch | None:
        """With whom the connection is read once all that has come is taken."""
        return self._batch

    def take_nowait(self, data: bytes) -> bytes:
        """Hand the short texts at the beginning of these bytes past Hypercorn to the app; return the rest.

        The rest begins with the first that the app does not take.
        """
        if self._take is None or self.closed or not self._takes_frames or not self._is_between_messages:
            return data
        while data and (text := first_text(data)) is not None and self._take(text):
            data = data[_HEAD + (data[1] ^ _MASKED) :]
        return data

    @property
    def _is_between_messages(self) -> bool:
        frames = self.connection._proto  # wsproto does not tell otherwise
        decoder = frames._frame_decoder
        return decoder.header is None and not decoder.buffer and self._message is None

    @property
    def _takes_frames(self) -> bool:
        return self._writes_frames and self.connection.state is ConnectionState.OPEN

    async def _send_error_response(self, status_code: int) -> None:
        """Refuse a handshake that the app never sees; Hypercorn's own answer has no body.

        A version other than 13 is answered with the supported one (RFC 6455 section 4.2.2).
        """
        guarded(self.config).counts.malformed += 1
        detail, headers = ErrorCode.INVALID_REQUEST.description, []
        if self.handshake.version != WEBSOCKET_VERSION:
            status_code, headers = (
                HTTPStatus.UPGRADE_REQUIRED,
                [(b"sec-websocket-version", WEBSOCKET_VERSION)],
            )
            detail = "This server speaks version 13 of WebSocket; send `Sec-WebSocket-Version: 13`."
        body = problem_document(status_code, ErrorCode.INVALID_REQUEST, detail)
        headers += [
            (b"content-type", PROBLEM_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        await self.send(Response(stream_id=self.stream_id, status_code=status_code, headers=headers))
        await self.send(Body(stream_id=self.stream_id, data=body))
        await self.send(EndBody(stream_id=self.stream_id))

    async def _accept(self, message: WebsocketAcceptEvent) -> None:
        """Accept the handshake without subprotocols, and with compression only if the settings allow it."""
        assert self.handshake.key is not None, (
            "GuardedHTTP admits HTTP/1.1 alone, whose handshakes have a key"
        )
        limits = guarded(self.config).limits
        extensions: list[Extension] = [BoundedDeflate(limits.max_message_bytes)] if limits.compression else []
        headers = [
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-accept", generate_accept_token(self.handshake.key)),
            *message.get("headers", []),
        ]
        if agreed := self._agree(extensions):
            headers.append((b"sec-websocket-extensions", agreed))
        self.state = ASGIWebsocketState.CONNECTED
        self.connection = Connection(ConnectionType.SERVER, extensions)
        self._writes_frames = not extensions
        self.handshake.accepted = True
        await self.send(Response(stream_id=self.stream_id, status_code=101, headers=headers))
        direct = DirectPath(self)
        await self.send(direct)  # type: ignore[arg-type]  # GuardedHTTP hands it on
        self._write_nowait = direct.write_nowait
        self.task_group.spawn(self._ping)

    async def _ping(self) -> None:
        interval = self.config.websocket_ping_interval
        self._sent_at = trio.current_time()
        with self._pinging:
            while interval:
                await trio.sleep_until(self._sent_at + interval)
                if trio.current_time() >= self._sent_at + interval:
                    self._sent_at = trio.current_time()
                    await self._send_wsproto_event(Ping())

    def _agree(self, extensions: list[Extension]) -> bytes | None:
        try:
            return server_extensions_handshake(self.handshake.extensions or [], extensions)
        except ValueError:  # an offer with malformed parameters counts as none
            return None

    async def _handle_events(self) -> None:
        for event in self.connection.events():
            if isinstance(event, Message):
                await self._collect(event)
            elif isinstance(event, Ping):
                await self._send_wsproto_event(event.response())
            elif isinstance(event, CloseConnection):
                await self._answer_close(event)
            # One read can hold ten thousand empty frames; let other connections run between them.
            await trio.lowlevel.checkpoint()

    async def _collect(self, event: "Message[Any]") -> None:
        """Assemble a message from its fragments and hand it to the app."""
        is_text = isinstance(event, TextMessage)
        piece = event.data.encode() if is_text else event.data
        message = bytearray() if self._message is None else self._message
        if len(message) + len(piece) > guarded(self.config).limits.max_message_bytes:
            await self._fail(CloseReason.MESSAGE_TOO_BIG)
        message += piece
        self._message = None if event.message_finished else message
        if event.message_finished:
            assert self.app_put is not None
            self.handed += 1
            await self.app_put(
                {
                    "type": "websocket.receive",
                    "bytes": None if is_text else bytes(message),
                    "text": message.decode() if is_text else None,
                }
            )

    async def _answer_close(self, event: CloseConnection) -> None:
        if self.connection.state is ConnectionState.REMOTE_CLOSING:
            await self._send_wsproto_event(event.response())
        elif self.connection.state is ConnectionState.OPEN:  # wsproto's way of reporting a protocol error
            await self._fail(CloseReason(event.code))
        raise ConnectionEnded

    async def _fail(self, code: CloseReason) -> None:
        self._message = None
        if code is CloseReason.MESSAGE_TOO_BIG:
            guarded(self.config).counts.oversized += 1
        await self._send_wsproto_event(CloseConnection(code=code))
        raise ConnectionEnded


def first_text(data: bytes) -> str | None:
    """Return a client's text, if the bytes begin with a short masked frame that is the whole of it."""
    if len(data) < _HEAD or data[0] != _WHOLE_TEXT or not _MASKED <= data[1] <= _MASKED | _SHORT:
        return None
    length = data[1] ^ _MASKED
    payload = data[_HEAD : _HEAD + length]
    if len(payload) < length:
        return None
    mask = data[2:_HEAD] * (length // _MASK + 1)
    unmasked = int.from_bytes(payload) ^ int.from_bytes(mask[:length])
    try:
        return unmasked.to_bytes(length).decode()
    except UnicodeDecodeError:  # wsproto knows how to close for that
        return None


def text_frame(text: str) -> bytes:
    """Return a text message as one unmasked frame; RFC 6455, section 5.2."""
    payload = text.encode()
    length = len(payload)
    if length < 126:
        return b"\x81" + length.to_bytes(1) + payload
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2) + payload
    return b"\x81\x7f" + length.to_bytes(8) + payload
