"""The gate before every route, and logging in and out."""

from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Quart, Response, g, has_websocket_context, request, websocket
from quart.wrappers.base import BaseRequestWebsocket

from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.settings import Settings
from hamlet_trio.web.access.access_control import AccessControl, Principal, RefusedError
from hamlet_trio.web.access.cookies import PLAIN_NAME, SECURE_NAME
from hamlet_trio.web.access.roles import Role, role_for_route
from hamlet_trio.web.access.tokens import MAX_SECRET
from hamlet_trio.web.answers import as_json
from hamlet_trio.web.origins import Origins
from hamlet_trio.web.problems import problem

_SAFE: Final = ("GET", "HEAD", "OPTIONS")


class LoginRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /api/login`."""

    secret: Annotated[str, Meta(min_length=1, max_length=MAX_SECRET)]


class SessionAnswer(Struct, frozen=True, kw_only=True):
    """`GET /api/session` and `POST /api/login`: who asks, and what logging in is needed for."""

    role: str
    name: str | None
    login: str
    may_watch: bool
    may_train: bool


def session_answer(visitor: Principal, settings: Settings) -> SessionAnswer:
    """What a visitor is told of itself."""
    return SessionAnswer(
        role=visitor.role.word,
        name=visitor.name,
        login=settings.login,
        may_watch=visitor.role >= Role.VIEWER,
        may_train=visitor.role >= Role.TEACHER,
    )


def put_gate(app: Quart, access: AccessControl, origins: Origins) -> None:
    """Have every request and every handshake of the app pass the gate; `visitor()` tells who it was.

    What changes something is refused also where another site's page sends it (cross-site request forgery):
    by its `Origin`, beside the cookie's SameSite.
    """

    @app.before_request
    async def enter() -> None:
        rule = request.url_rule
        if rule is None or request.method == "OPTIONS":  # no such route, or a question about one
            return
        if request.method not in _SAFE and not origins.allow(request.headers.getlist("Origin")):
            forbidden = ErrorCode.FORBIDDEN_ORIGIN
            raise RefusedError(HTTPStatus.FORBIDDEN, forbidden, forbidden.description)
        await _enter(access, request, role_for_route(rule.rule, request.method))

    @app.before_websocket
    async def shake_hands() -> None:
        rule = websocket.url_rule
        if not origins.allow(websocket.headers.getlist("Origin")):
            forbidden = ErrorCode.FORBIDDEN_ORIGIN
            raise RefusedError(HTTPStatus.FORBIDDEN, forbidden, forbidden.description)
        if rule is not None:
            await _enter(access, websocket, role_for_route(rule.rule, "GET"))

    @app.errorhandler(RefusedError)
    async def refused(error: RefusedError) -> Response:
        response = problem(error.status, error.code, error.detail, **error.headers)
        response.headers["Cache-Control"] = "no-store"
        if has_websocket_context():
            response.headers["Connection"] = "close"
        return response


async def _enter(access: AccessControl, asking: BaseRequestWebsocket, needed: Role) -> None:
    g.visitor = await access.visitor(asking)
    access.check(g.visitor, needed)


def visitor() -> Principal:
    """Who asks, within a request or a handshake that has passed the gate."""
    assert isinstance(g.visitor, Principal)
    return g.visitor


def make_login(access: AccessControl, settings: Settings) -> Blueprint:
    """`/api/login`, `/api/logout` and `/api/session`."""
    routes = Blueprint("login", __name__)

    @routes.get("/api/session")
    async def session() -> Response:
        return _told(visitor(), settings)

    @routes.post("/api/login")
    async def login() -> Response:
        if settings.login == "nobody":
            return _told(visitor(), settings)
        token = await access.recognise(_read_secret(await request.get_data()), visitor().client)
        shown = Principal(client=visitor().client, role=token.grants, name=token.name, token_id=token.id)
        get_logger(service="access").info(
            "logged in", client=shown.client, token=token.id, name=token.name, role=token.role
        )
        response = _told(shown, settings)
        name, value = access.cookie_for(token, request)
        _set_cookie(response, name, value, access.lifetime)
        return response

    @routes.post("/api/logout")
    async def logout() -> Response:
        anybody = Principal(client=visitor().client, role=access.role_of_anyone)
        response = _told(anybody, settings)
        for name in (SECURE_NAME, PLAIN_NAME):
            _set_cookie(response, name, "", 0)
        return response

    return routes


def _read_secret(body: str | bytes) -> str:
    try:
        return msgspec.json.decode(body, type=LoginRequest).secret.strip()
    except msgspec.MsgspecError:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST,
            ErrorCode.INVALID_REQUEST,
            f'Send {{"secret": "..."}}: a token or a class code, of at most {MAX_SECRET} characters.',
        ) from None


def _told(asking: Principal, settings: Settings) -> Response:
    response = as_json(session_answer(asking, settings))
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(["Cookie", "Authorization"])
    return response


def _set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    """For this host alone, out of reach of scripts, and not sent when another site's page leads here.

    Strict costs nobody anything: the page itself needs no cookie, and what it asks for then is its own.
    """
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        secure=name == SECURE_NAME,
        httponly=True,
        samesite="Strict",
    )
