"""Speak HTTP/1.1 only; a malformed request gets a problem document and ends the connection."""

from http import HTTPStatus
from typing import Final

import h11
from hypercorn.events import RawData
from hypercorn.protocol.events import Data
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import H11Protocol

from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.web.guard.guarded_config import ConnectionEnded, DirectPath, guarded
from hamlet_trio.web.problems import PROBLEM_TYPE, problem_document

_VERSIONS: Final = (b"1.0", b"1.1")
_TARGETS: Final = (b"/", b"http://", b"https://")
MAX_HEAD: Final = 16_384
"""Bytes of a request line and its header fields."""
MAX_FIELDS: Final = 100
MAX_VALUE: Final = 4_096
"""Bytes of a header field's value; Werkzeug takes 2 ms to parse a hostile `Accept` of 1,000."""
MAX_SECRET_VALUE: Final = 8_192
"""The same for `Cookie` and `Authorization`: a host's cookies may be many."""
_SECRETS: Final = (b"cookie", b"authorization")
_LENGTHS: Final = {b"content-length", b"transfer-encoding"}
_TOO_LARGE: Final = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)


class GuardedHTTP(H11Protocol):
    """Serve one HTTP/1.1 connection.

    Hypercorn switches to HTTP/2 at the client's word, and fails on header bytes that are not ASCII. Here
    HTTP/2 without TLS is refused with 505, an upgrade to h2c is ignored (the answer comes over HTTP/1.1, as
    RFC 9110 section 7.8 allows), and such bytes are answered with 400.
    """

    async def stream_send(self, event: StreamEvent | DirectPath) -> None:
        """Send a stream's event; WebSocket frames, which are most of them, take the fastest path."""
        if type(event) is Data:
            await self.send(RawData(event.data))
        elif isinstance(event, DirectPath):
            await self.send(event)
        else:
            await super().stream_send(event)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Refuse requests that the app must not see; raise `ConnectionEnded` after the answer."""
        if event.http_version not in _VERSIONS:
            await self._refuse(event, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        if not event.target.startswith(_TARGETS) and (event.method, event.target) != (b"OPTIONS", b"*"):
            await self._refuse(event, HTTPStatus.BAD_REQUEST)
        if _is_too_large(event):
            await self._refuse(event, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        # Two readers could take such a request for two different ones (RFC 9112, section 6.1).
        if {name for name, _ in event.headers} >= _LENGTHS:
            await self._refuse(event, HTTPStatus.BAD_REQUEST)
        for name, value in event.headers:
            is_handshake = name in {b"connection", b"upgrade"} or name.startswith(b"sec-websocket-")
            if is_handshake and not value.isascii():
                await self._refuse(event, HTTPStatus.BAD_REQUEST)

    async def _refuse(self, request: h11.Request, status: HTTPStatus) -> None:
        await self._send_error_response(status, with_body=request.method != b"HEAD")
        raise ConnectionEnded

    async def _send_error_response(self, status_code: int, with_body: bool = True) -> None:
        """Answer a malformed request; Hypercorn's own answer has no body."""
        guarded(self.config).counts.malformed += 1
        code = ErrorCode.REQUEST_TOO_LARGE if status_code in _TOO_LARGE else ErrorCode.INVALID_REQUEST
        body = problem_document(status_code, code, code.description)
        headers = [
            (b"content-type", PROBLEM_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            *self.config.response_headers("h11"),
        ]
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        if with_body:
            await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())


def _is_too_large(request: h11.Request) -> bool:
    """Return whether the head exceeds a limit; h11 limits only what did not arrive in one piece."""
    size = len(request.method) + len(request.target)
    for name, value in request.headers:
        size += len(name) + len(value) + len(": \r\n")
        if len(value) > (MAX_SECRET_VALUE if name in _SECRETS else MAX_VALUE):
            return True
    return size > MAX_HEAD or len(request.headers) > MAX_FIELDS
