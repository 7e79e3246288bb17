"""Assemble the app: routes, WebSockets, errors as problem documents, and the services' lifetime."""

from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Final

from quart import Response, has_websocket_context, request
from quart.typing import ResponseTypes
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing.exceptions import WebsocketMismatch

from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.settings import Settings
from hamlet_trio.web.access.login_routes import install_access_control, make_login_routes
from hamlet_trio.web.class_routes import make_class_routes
from hamlet_trio.web.history_routes import make_history_routes
from hamlet_trio.web.lesson_routes import make_lesson_routes
from hamlet_trio.web.metaserver import Metaserver
from hamlet_trio.web.model_routes import make_model_routes
from hamlet_trio.web.page import BuiltPage
from hamlet_trio.web.problems import ProblemResponse, problem
from hamlet_trio.web.recording_routes import make_recording_routes
from hamlet_trio.web.routes import make_routes
from hamlet_trio.web.services import Services
from hamlet_trio.web.sockets import make_socket_routes
from hamlet_trio.web.world_routes import make_world_routes

_CODES: Final = {
    HTTPStatus.NOT_FOUND: ErrorCode.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorCode.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ErrorCode.REQUEST_TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR: ErrorCode.INTERNAL_ERROR,
}
_NO_SOCKET: Final = "There is no WebSocket at this address; there are /ws, /ws/training and /ws/room."
_BODY_TIMEOUT: Final = 10.0  # seconds for a body to arrive, as for a head
_MAX_BODY: Final = 65_536  # no route accepts a larger one
_SERVICES_MARGIN: Final = 5.0  # seconds to end the services beyond the trainer's grace


class HamletApp(QuartTrio):
    """The ASGI app; `server` holds all its state."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("hamlet_trio.web", static_folder=None)
        self.server: Final = Metaserver(settings)


def create_app(settings: Settings) -> HamletApp:
    """Return the app of one server. Serve it behind the connection guard: see `serve.py` and `asgi.py`."""
    app = HamletApp(settings)
    server = app.server
    app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
    app.config["BODY_TIMEOUT"] = _BODY_TIMEOUT
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = settings.shutdown_grace + _SERVICES_MARGIN
    install_access_control(app, server.access, server.origins)
    app.register_blueprint(make_login_routes(server.access, settings))
    app.register_blueprint(make_socket_routes(server))
    app.register_blueprint(make_history_routes(server))
    app.register_blueprint(make_recording_routes(server))
    app.register_blueprint(make_model_routes(server))
    app.register_blueprint(make_world_routes(server))
    app.register_blueprint(make_lesson_routes(server))
    app.register_blueprint(make_class_routes(server))
    app.register_blueprint(make_routes(server, BuiltPage()))

    @app.while_serving
    async def run_services() -> AsyncGenerator[None, None]:
        services = Services(server)
        await app.nursery.start(services.run)
        yield
        server.draining.set()
        await services.stop()

    @app.errorhandler(BadMessageError)
    async def bad_query(error: BadMessageError) -> Response:
        return problem(HTTPStatus.BAD_REQUEST, error.code, error.message, field=error.field)

    @app.errorhandler(HTTPException)
    async def as_problem(error: HTTPException) -> Response:
        if has_websocket_context() and isinstance(error, NotFound | WebsocketMismatch):
            return problem(HTTPStatus.NOT_FOUND, ErrorCode.NOT_FOUND, _NO_SOCKET)
        status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        code = _CODES.get(status, ErrorCode.INVALID_REQUEST)
        response = problem(status, code, code.description)
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    @app.after_request
    async def add_headers(response: Response) -> Response:
        _count_problem(response, server)
        _add_cors(response, server)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.after_websocket
    async def count_refusal(response: ResponseTypes | None) -> ResponseTypes | None:
        _count_problem(response, server)
        return response

    return app


def _count_problem(response: ResponseTypes | None, server: Metaserver) -> None:
    if isinstance(response, ProblemResponse):
        server.errors[response.code] += 1


def _add_cors(response: Response, server: Metaserver) -> None:
    """Let pages of the allowed origins read the answer (CORS, Fetch standard)."""
    if server.origins.any:
        response.headers["Access-Control-Allow-Origin"] = "*"
    else:
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin is None or not server.origins.allow([origin]):
            return
        response.headers["Access-Control-Allow-Origin"] = origin
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, If-Match"
        response.headers["Access-Control-Max-Age"] = "600"
