"""Serve the WebSockets: admit or refuse a handshake, and run a session over the connection."""

import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import trio
from quart import Blueprint, Response, Websocket, request, websocket
from structlog.contextvars import bound_contextvars

from hamlet_trio.connection import NoRoomError, ReadBatch
from hamlet_trio.inference import serve_session
from hamlet_trio.inference.session_keeper import new_secret, session_id_of
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import CloseCode, ErrorCode
from hamlet_trio.room import serve_member
from hamlet_trio.training import serve_viewer
from hamlet_trio.web.access.access_control import Principal
from hamlet_trio.web.access.limits import ClientFullError, ClientPlaces
from hamlet_trio.web.access.login_routes import current_principal
from hamlet_trio.web.guard.websocket import DIRECT, GuardedWebSocket
from hamlet_trio.web.metaserver import Metaserver
from hamlet_trio.web.problems import problem

_RETRY_AFTER: Final = 5
_FAREWELL: Final = 0.5  # seconds for the close frame when the connection's tasks are cancelled

Session = Callable[..., Awaitable[CloseCode | None]]


class WebSocketTransport:
    """Adapt Quart's WebSocket to a session's transport, and postpone the end of `patience` with each frame.

    The deadline lies `seconds` after the last frame in either direction, or up to 1 % later.
    """

    def __init__(self, socket: Websocket, patience: trio.CancelScope, seconds: float) -> None:
        self._socket = socket
        self._patience = patience
        self._seconds = seconds
        self._next_change = -math.inf
        scope: dict[str, Any] = socket.scope  # type: ignore[assignment]  # a TypedDict, whose `state` is optional
        self._direct: GuardedWebSocket | None = scope.get("state", {}).get(DIRECT)
        self._received = self._done = 0
        self._wait_again()

    async def receive(self) -> str | bytes | None:
        """Return the next frame."""
        self._done = self._received
        frame = await self._socket.receive()
        self._received += 1
        self._wait_again()
        return frame

    def take_with(self, take: Callable[[str], bool], batch: ReadBatch) -> None:
        """Offer the function each short text as it comes, in order. Needs the guard."""
        if self._direct is not None:
            self._direct.take_with(partial(self._offer, self._direct, take), batch)

    def _offer(self, direct: GuardedWebSocket, take: Callable[[str], bool], text: str) -> bool:
        if direct.handed != self._done or not take(text):
            return False
        self._wait_again()
        return True

    async def send(self, text: str) -> None:
        """Send one text frame."""
        await self._socket.send(text)
        self._wait_again()

    def send_nowait(self, text: str) -> bool:
        """Send one text frame if that needs no waiting; return whether it was sent. Needs the guard."""
        if self._direct is None or not self._direct.send_nowait(text):
            return False
        self._wait_again()
        return True

    def _wait_again(self) -> None:
        now = trio.current_time()
        if now >= self._next_change:  # changing a deadline with every frame costs too much
            margin = self._seconds / 100
            self._patience.deadline = now + self._seconds + margin
            self._next_change = now + margin


class Endpoint(NamedTuple):
    """Represent one endpoint: its path, its places in total and per client, and its session.

    `keeps` tells whether its sessions go on on other connections, by a secret.
    """

    path: str
    admit: Callable[[], AbstractContextManager[Any]]
    places: ClientPlaces
    session: Session
    keeps: bool = False


def make_socket_routes(server: Metaserver) -> Blueprint:
    """Return the routes `/ws`, `/ws/training` and `/ws/room`."""
    sockets = Blueprint("sockets", __name__)
    inference, training, rooms = server.inference, server.training, server.rooms
    for endpoint in (
        Endpoint("/ws", inference.admit, server.sessions, partial(serve_session, inference), keeps=True),
        Endpoint("/ws/training", training.admit, server.viewers, partial(serve_viewer, training)),
        Endpoint("/ws/room", rooms.admit, server.room_members, partial(serve_member, rooms)),
    ):
        _add(sockets, server, endpoint)
    return sockets


def _add(sockets: Blueprint, server: Metaserver, endpoint: Endpoint) -> None:
    name = endpoint.path.strip("/").replace("/", "_")

    @sockets.websocket(endpoint.path, endpoint=name)
    async def serve() -> Response | None:
        return await serve_or_refuse(server, endpoint)

    @sockets.get(endpoint.path, endpoint=f"{name}_asked")
    async def explain() -> Response:
        """Say why a handshake was refused: browsers hide that from the page, so the page asks here.

        `?origin=` names the page's origin, which browsers send with handshakes but not with this request.
        """
        if not server.origins.allow(request.args.getlist("origin")):
            forbidden = ErrorCode.FORBIDDEN_ORIGIN
            return problem(HTTPStatus.FORBIDDEN, forbidden, forbidden.description)
        if not server.handshakes.has(current_principal().client):
            return _rate_limited(server)
        with ExitStack() as stack:
            if (refused := _enter(stack, server, endpoint)) is not None:
                return refused
        return problem(
            HTTPStatus.UPGRADE_REQUIRED,
            ErrorCode.INVALID_REQUEST,
            "This address speaks WebSocket; open it with a WebSocket client, such as `new WebSocket(...)`. "
            "If you did, a proxy on the way does not pass `Upgrade` on.",
            upgrade="websocket",
            connection="Upgrade",
        )


async def serve_or_refuse(server: Metaserver, endpoint: Endpoint) -> Response | None:
    """Refuse a handshake, whose access was checked, with an HTTP answer, or serve a session over it."""
    # The real object: Quart's proxy would add a lookup to each frame.
    socket: Websocket = websocket._get_current_object()  # type: ignore[attr-defined]  # a werkzeug LocalProxy
    if not server.handshakes.take(current_principal().client):
        return _rate_limited(server)
    with ExitStack() as stack:
        if (refused := _enter(stack, server, endpoint)) is not None:
            return refused
        principal, secret = current_principal(), new_secret()
        session_id = session_id_of(secret)
        with bound_contextvars(session_id=session_id, endpoint=endpoint.path):
            permit = server.access.permit(endpoint.path, principal)
            if endpoint.keeps:
                session = partial(endpoint.session, secret=secret, owner=principal.token_id or "")
            else:
                session = partial(endpoint.session, session_id=session_id)
            await _serve(server, socket, partial(session, permit=permit), principal)
    return None


def _enter(stack: ExitStack, server: Metaserver, endpoint: Endpoint) -> Response | None:
    """Take a place in total and for this client while the stack is open; or return the refusal."""
    if server.draining.is_set():
        return _unavailable(ErrorCode.DRAINING, ErrorCode.DRAINING.description)
    try:
        stack.enter_context(endpoint.places.admit(current_principal().client))
        stack.enter_context(endpoint.admit())
    except ClientFullError as error:
        return _unavailable(ErrorCode.CLIENT_FULL, str(error))
    except NoRoomError as error:
        return _unavailable(ErrorCode.SERVER_FULL, str(error), error.retry_after)
    return None


async def _serve(server: Metaserver, socket: Websocket, session: Session, principal: Principal) -> None:
    """Accept the connection, serve the session, and close with its code.

    The code is 4408 when neither a command nor a message crossed the connection for `idle_timeout` (a session
    that plays is never idle, nor is a viewer of an active run), and 4401 when its token ends.

    The close is shielded so that it is delivered even if the session was cancelled: after a disconnect it
    goes nowhere, and at the server's shutdown it says 1012.
    """
    log = get_logger()
    begun = trio.current_time()
    log.debug("connected", client=principal.client)
    code: CloseCode | None = CloseCode.SERVICE_RESTART
    was_cancelled = True
    try:
        await socket.accept()
        with server.access.hold(principal) as login, trio.CancelScope() as patience:
            code = await session(
                WebSocketTransport(socket, patience, server.settings.idle_timeout),
                settings=server.settings,
                draining=server.draining,
            )
        if login.cancelled_caught:
            code = CloseCode.LOGIN_ENDED
        elif patience.cancelled_caught:
            code = CloseCode.IDLE
        was_cancelled = False
    except* Exception as errors:
        log.error("session_failed", exc_info=errors)
        code = CloseCode.INTERNAL_ERROR
        was_cancelled = False
    finally:
        if code is not None and not was_cancelled:
            server.closes[code] += 1
        with trio.move_on_after(_FAREWELL, shield=True):
            await socket.close(1000 if code is None else int(code))
        seconds = round(trio.current_time() - begun, 3)
        log.debug("disconnected", seconds=seconds, code=None if was_cancelled else code)


def _rate_limited(server: Metaserver) -> Response:
    return problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        ErrorCode.RATE_LIMITED,
        "Your address opened too many connections (HAMLET_HANDSHAKE_RATE); wait a moment.",
        retry_after=server.handshakes.retry_after,
        connection="close",
    )


def _unavailable(code: ErrorCode, detail: str, retry_after: int = _RETRY_AFTER) -> Response:
    unavailable = HTTPStatus.SERVICE_UNAVAILABLE
    return problem(unavailable, code, detail, retry_after=str(retry_after), connection="close")
