"""Serve the HTTP routes; responses.py has their answers, problems.py their errors."""

from functools import cache
from http import HTTPStatus
from typing import Final

from quart import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from hamlet_trio import __version__
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.web.metaserver import Metaserver
from hamlet_trio.web.metrics import CONTENT_TYPE, make_metrics
from hamlet_trio.web.page import BuiltPage, small_page
from hamlet_trio.web.problems import problem
from hamlet_trio.web.responses import (
    ActiveSessions,
    Endpoints,
    HealthResponse,
    ServiceResponse,
    StatusResponse,
    as_json,
)
from hamlet_trio.web.schema import build_schema

_MAX_MODELS_SHOWN: Final = 20


def make_routes(server: Metaserver, page: BuiltPage) -> Blueprint:
    """Return the routes of the page, the API and operations."""
    routes = Blueprint("routes", __name__)
    _add_page(routes, server, page)
    _add_api(routes, server)
    _add_operations(routes, server)
    return routes


def _add_page(routes: Blueprint, server: Metaserver, page: BuiltPage) -> None:
    @routes.get("/")
    async def root() -> Response:
        """Return the page to clients that prefer HTML in `Accept`, and JSON to others."""
        accept = request.accept_mimetypes
        if accept.quality("text/html") <= accept.quality("application/json"):
            response = as_json(_service_response(server))
        elif await server.read_files(lambda: page.is_installed):
            response = await page.index()
        else:
            models = await server.read_files(server.models.names)
            shown = models[:_MAX_MODELS_SHOWN]
            response = small_page(
                _service_response(server), shown, is_ready=server.is_ready, origin=_origin_in_use()
            )
        response.vary.add("Accept")
        return response

    @routes.get("/<path:name>")
    async def page_file(name: str) -> Response:
        """Return a file of the built page."""
        if not await server.read_files(lambda: page.is_installed):
            raise NotFound
        return await page.file(name)


def _add_api(routes: Blueprint, server: Metaserver) -> None:
    schema = cache(build_schema)  # built at the first request, to keep the start quick

    @routes.get("/api/status")
    async def status() -> Response:
        training = server.training.status()
        active = _active_sessions(server)
        return as_json(
            StatusResponse(
                status="running",
                connected_clients=active.inference + active.training,
                simulation_running=active.inference > 0 or server.training.is_training,
                version=__version__,
                ready=server.is_ready,
                draining=server.draining.is_set(),
                uptime_seconds=round(server.uptime, 1),
                active_sessions=active,
                capacity=ActiveSessions(server.settings.max_sessions, server.settings.max_viewers),
                training_state=training.state,
            )
        )

    @routes.get("/api/schema")
    async def wire_schema() -> Response:
        return as_json(schema())


def _add_operations(routes: Blueprint, server: Metaserver) -> None:
    render_metrics = make_metrics(server)

    @routes.get("/healthz")
    async def alive() -> Response:
        return as_json(HealthResponse("alive"))

    @routes.get("/readyz")
    async def ready() -> Response:
        unavailable = HTTPStatus.SERVICE_UNAVAILABLE
        if server.draining.is_set():
            return problem(unavailable, ErrorCode.DRAINING, ErrorCode.DRAINING.description, retry_after="5")
        if not server.is_ready:
            return problem(unavailable, ErrorCode.STARTING, ErrorCode.STARTING.description, retry_after="1")
        return as_json(HealthResponse("ready", server.degraded))

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(render_metrics(), content_type=CONTENT_TYPE)


def _origin_in_use() -> str:
    """Return the origin shown in the browser; a proxy that ends TLS reports the scheme. For display only."""
    forwarded = request.headers.get("X-Forwarded-Proto")
    scheme = forwarded if forwarded in ("http", "https") else request.scheme
    return f"{scheme}://{request.host}"


def _service_response(server: Metaserver) -> ServiceResponse:
    return ServiceResponse(
        status="running",
        service="Hamlet Metaserver",
        version=__version__,
        endpoints=Endpoints(),
        active_sessions=_active_sessions(server),
        training_active=server.training.is_training,
    )


def _active_sessions(server: Metaserver) -> ActiveSessions:
    return ActiveSessions(server.inference.active_sessions, server.training.viewers)
