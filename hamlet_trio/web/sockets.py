"""The two WebSockets: who may connect, and how a connection begins and ends around its session."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import trio
from quart import Blueprint, Response, Websocket, websocket
from structlog.contextvars import bound_contextvars

from hamlet_trio.connection import ServerFullError
from hamlet_trio.inference import serve_session
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import CloseCode, ErrorCode
from hamlet_trio.training import serve_viewer
from hamlet_trio.web.problems import problem
from hamlet_trio.web.server import Metaserver

_RETRY_AFTER: Final = "5"
_FAREWELL: Final = 0.5  # seconds a close frame gets when the connection's tasks are being cancelled

Session = Callable[..., Awaitable[CloseCode | None]]


class WebSocketTransport:
    """Quart's WebSocket as a session's transport."""

    def __init__(self, socket: Websocket) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes | None:
        """The next frame."""
        return await self._socket.receive()

    async def send(self, text: str) -> None:
        """Send one text frame."""
        await self._socket.send(text)


def make_sockets(server: Metaserver) -> Blueprint:
    """`/ws` and `/ws/training`."""
    sockets = Blueprint("sockets", __name__)

    @sockets.websocket("/ws")
    async def inference() -> Response | None:
        service = server.inference
        return await hold_or_refuse(server, service.admit(), partial(serve_session, service))

    @sockets.websocket("/ws/training")
    async def training() -> Response | None:
        service = server.training
        return await hold_or_refuse(server, service.admit(), partial(serve_viewer, service))

    return sockets


async def hold_or_refuse(
    server: Metaserver, admission: AbstractContextManager[Any], session: Session
) -> Response | None:
    """Refuse the handshake with an HTTP answer, or hold a session over the connection."""
    # The real object: looking it up through Quart's proxy would cost each frame a little.
    socket: Websocket = websocket._get_current_object()  # type: ignore[attr-defined]  # a werkzeug LocalProxy
    if not server.origins.allow(socket.headers.getlist("Origin")):
        forbidden = ErrorCode.FORBIDDEN_ORIGIN
        return problem(HTTPStatus.FORBIDDEN, forbidden, forbidden.description, connection="close")
    if server.draining.is_set():
        return _unavailable(ErrorCode.DRAINING, ErrorCode.DRAINING.description)
    with ExitStack() as stack:
        try:
            stack.enter_context(admission)
        except ServerFullError as error:
            return _unavailable(ErrorCode.SERVER_FULL, str(error))
        session_id = secrets.token_hex(4)
        with bound_contextvars(session_id=session_id, endpoint=socket.path):
            await _hold(server, socket, session, session_id)
    return None


async def _hold(server: Metaserver, socket: Websocket, session: Session, session_id: str) -> None:
    """Accept, serve the session, close with its code.

    The close is shielded, so that it is delivered also where the session was cancelled: after a disconnect it
    goes nowhere, and at the server's end it says 1012.
    """
    log = get_logger()
    begun = trio.current_time()
    log.debug("connected", client=socket.remote_addr)
    code: CloseCode | None = CloseCode.SERVICE_RESTART
    was_cancelled = True
    try:
        await socket.accept()
        code = await session(
            WebSocketTransport(socket),
            session_id=session_id,
            settings=server.settings,
            draining=server.draining,
        )
        was_cancelled = False
    except* Exception as errors:
        log.error("session failed", exc_info=errors)
        code = CloseCode.INTERNAL_ERROR
        was_cancelled = False
    finally:
        if code is not None and not was_cancelled:
            server.closes[code] += 1
        with trio.move_on_after(_FAREWELL, shield=True):
            await socket.close(1000 if code is None else int(code))
        seconds = round(trio.current_time() - begun, 3)
        log.debug("disconnected", seconds=seconds, code=None if was_cancelled else code)


def _unavailable(code: ErrorCode, detail: str) -> Response:
    unavailable = HTTPStatus.SERVICE_UNAVAILABLE
    return problem(unavailable, code, detail, retry_after=_RETRY_AFTER, connection="close")
