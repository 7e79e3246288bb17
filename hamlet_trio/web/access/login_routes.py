"""Check access before every route, and serve login, logout and the current session."""

from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Quart, Response, g, has_websocket_context, request, websocket
from quart.wrappers.base import BaseRequestWebsocket

from hamlet_trio.common.decoding import decode_json
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.settings import Login, Settings
from hamlet_trio.web.access.access_control import AccessControl, Principal, RefusedError, token_principal
from hamlet_trio.web.access.cookies import PLAIN_NAME, SECURE_NAME
from hamlet_trio.web.access.roles import Role, role_for_route
from hamlet_trio.web.access.tokens import MAX_SECRET
from hamlet_trio.web.origins import Origins
from hamlet_trio.web.problems import problem
from hamlet_trio.web.responses import as_json

_SAFE: Final = ("GET", "HEAD", "OPTIONS")


class LoginRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /api/login`: the secret to log in with."""

    secret: Annotated[str, Meta(min_length=1, max_length=MAX_SECRET, description="token or class code")]


class SessionResponse(Struct, frozen=True, kw_only=True):
    """`GET /api/session`, and after logging in or out: who the client is, and what it may do."""

    role: Annotated[str, Meta(description="role of the client: `anyone`, `viewer` or `teacher`")]
    name: Annotated[str | None, Meta(description="name of the token; null without a login")]
    login: Annotated[Login, Meta(description="who must log in")]
    may_watch: Annotated[bool, Meta(description="whether the client may watch")]
    may_train: Annotated[bool, Meta(description="whether the client may train")]


def session_response(principal: Principal, settings: Settings) -> SessionResponse:
    """Return what a client is told about its own session."""
    return SessionResponse(
        role=principal.role.word,
        name=principal.name,
        login=settings.login,
        may_watch=principal.role >= Role.VIEWER,
        may_train=principal.role >= Role.TEACHER,
    )


def install_access_control(app: Quart, access: AccessControl, origins: Origins) -> None:
    """Check every request and handshake of the app; afterwards `current_principal()` names the sender.

    Requests that change something are also refused by their `Origin`, as a second defence against
    cross-site request forgery beside the cookie's SameSite.
    """

    @app.before_request
    async def check_request() -> None:
        rule = request.url_rule
        if rule is None or request.method == "OPTIONS":  # no such route, or a CORS preflight
            return
        if request.method not in _SAFE and not origins.allow(request.headers.getlist("Origin")):
            forbidden = ErrorCode.FORBIDDEN_ORIGIN
            raise RefusedError(HTTPStatus.FORBIDDEN, forbidden, forbidden.description)
        await _check(access, request, role_for_route(rule.rule, request.method))

    @app.before_websocket
    async def check_handshake() -> None:
        rule = websocket.url_rule
        if not origins.allow(websocket.headers.getlist("Origin")):
            forbidden = ErrorCode.FORBIDDEN_ORIGIN
            raise RefusedError(HTTPStatus.FORBIDDEN, forbidden, forbidden.description)
        if rule is not None:
            await _check(access, websocket, role_for_route(rule.rule, "GET"))

    @app.errorhandler(RefusedError)
    async def refused(error: RefusedError) -> Response:
        response = problem(error.status, error.code, error.detail, **error.headers)
        response.headers["Cache-Control"] = "no-store"
        if has_websocket_context():
            response.headers["Connection"] = "close"
        return response


async def _check(access: AccessControl, incoming: BaseRequestWebsocket, needed: Role) -> None:
    g.principal = await access.identify(incoming)
    access.check(g.principal, needed)


def current_principal() -> Principal:
    """Return the sender of the request or handshake being handled, whose access was checked."""
    assert isinstance(g.principal, Principal)
    return g.principal


def make_login_routes(access: AccessControl, settings: Settings) -> Blueprint:
    """Return the routes `/api/login`, `/api/logout` and `/api/session`."""
    routes = Blueprint("login", __name__)

    @routes.get("/api/session")
    async def session() -> Response:
        return _session_response(current_principal(), settings)

    @routes.post("/api/login")
    async def login() -> Response:
        if settings.login == "nobody":
            return _session_response(current_principal(), settings)
        token = await access.recognise(await _read_secret(access), current_principal().client)
        principal = token_principal(current_principal().client, token)
        get_logger(service="access").info(
            "logged_in", client=principal.client, token=token.id, name=token.name, role=token.role
        )
        response = _session_response(principal, settings)
        name, value = access.cookie_for(token, request)
        _set_cookie(response, name, value, access.lifetime)
        return response

    @routes.post("/api/logout")
    async def logout() -> Response:
        anonymous = Principal(client=current_principal().client, role=access.role_of_anyone)
        response = _session_response(anonymous, settings)
        for name in (SECURE_NAME, PLAIN_NAME):
            _set_cookie(response, name, "", 0)
        return response

    return routes


async def _read_secret(access: AccessControl) -> str:
    """Return the secret in the body. Raises `RefusedError`; what cannot be decoded counts as a failure."""
    try:
        return decode_json(await request.get_data(), LoginRequest).secret.strip()
    except msgspec.DecodeError:
        access.take_failure(current_principal().client)
        raise RefusedError(
            HTTPStatus.BAD_REQUEST,
            ErrorCode.INVALID_REQUEST,
            f'Send {{"secret": "..."}}: a token or a class code, of at most {MAX_SECRET} characters.',
        ) from None


def _session_response(principal: Principal, settings: Settings) -> Response:
    response = as_json(session_response(principal, settings))
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(["Cookie", "Authorization"])
    return response


def _set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    """Set a cookie for this host only: HttpOnly and SameSite=Strict.

    Strict costs nothing: the page itself needs no cookie, and its own requests are same-site.
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
