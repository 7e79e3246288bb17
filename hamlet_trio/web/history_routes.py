"""The routes of the history: failures, runs and their episodes, as JSON or CSV."""

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from quart import Blueprint, Response, request

from hamlet_trio.history import HistoryError, StoredEpisode, UnknownRunError
from hamlet_trio.history.export import csv_header, csv_rows
from hamlet_trio.history.queries import (
    EpisodesQuery,
    FailureQuery,
    FailureSeriesQuery,
    RunsQuery,
    SummaryQuery,
)
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.web.metaserver import Metaserver
from hamlet_trio.web.problems import problem
from hamlet_trio.web.query_parameters import query_arguments, read_query
from hamlet_trio.web.responses import (
    EpisodesResponse,
    FailureSeriesResponse,
    FailuresResponse,
    FailureSummaryResponse,
    RunsResponse,
    as_json,
)

_CSV: Final = "text/csv; charset=utf-8; header=present"


def make_history_routes(server: Metaserver) -> Blueprint:
    """Failures, runs and episodes."""
    routes = Blueprint("history", __name__)
    reader = server.history_reader

    @routes.get("/api/failures")
    async def failures() -> Response:
        query = read_query(query_arguments(), FailureQuery)
        found = await server.read_files(
            lambda: reader.failures(query, limit=query.limit, by_time=query.order == "time")
        )
        return as_json(FailuresResponse(found))

    @routes.get("/api/failure_summary")
    async def failure_summary() -> Response:
        query = read_query(query_arguments(), SummaryQuery)
        found = await server.read_files(
            lambda: reader.failure_summary(query, limit=query.limit, top=query.top)
        )
        return as_json(FailureSummaryResponse(found))

    @routes.get("/api/failure_series")
    async def failure_series() -> Response:
        query = read_query(query_arguments(), FailureSeriesQuery)
        return as_json(FailureSeriesResponse(await server.read_files(reader.failure_series, query)))

    @routes.get("/api/runs")
    async def runs() -> Response:
        query = read_query(query_arguments(), RunsQuery)
        found = await server.read_files(reader.runs, query)
        after = None if len(found) < query.limit else found[-1].run_id
        return as_json(RunsResponse(found, _next_page(server, before=after)))

    @routes.get("/api/runs/<run_id>")
    async def run(run_id: str) -> Response:
        return as_json(await server.read_files(reader.run, run_id))

    @routes.get("/api/runs/<run_id>/episodes")
    async def episodes(run_id: str) -> Response:
        """Return a page of episodes as JSON, or all of them as CSV if `Accept` prefers it."""
        accept = request.accept_mimetypes
        if accept.quality("text/csv") > accept.quality("application/json"):
            response = await as_csv(run_id)
        else:
            query = read_query(query_arguments(), EpisodesQuery)
            found = await server.read_files(reader.episodes, run_id, query)
            last = None if len(found) < query.limit else found[-1].episode
            response = as_json(EpisodesResponse(run_id, found, _next_page(server, after=last)))
        response.vary.add("Accept")
        return response

    @routes.get("/api/runs/<run_id>/episodes.csv")
    async def as_csv(run_id: str) -> Response:
        """Stream all matching episodes, or the first `limit`."""
        arguments = query_arguments()
        query = read_query(arguments, EpisodesQuery)
        if "limit" in arguments:
            pages = iter([await server.read_files(reader.episodes, run_id, query)])
        else:
            pages = reader.all_episodes(run_id, query)
        first = await server.read_files(next, pages)
        response = Response(_csv_lines(server, first, pages), content_type=_CSV)
        response.timeout = None  # the guard drops clients that stop reading
        response.headers["Content-Disposition"] = f'attachment; filename="{run_id}.csv"'
        return response

    @routes.errorhandler(UnknownRunError)
    async def unknown_run(error: UnknownRunError) -> Response:
        return problem(HTTPStatus.NOT_FOUND, ErrorCode.UNKNOWN_RUN, str(error))

    @routes.errorhandler(HistoryError)
    async def unavailable(error: HistoryError) -> Response:
        unavailable = ErrorCode.HISTORY_UNAVAILABLE
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, unavailable, str(error), retry_after="5")

    return routes


async def _csv_lines(
    server: Metaserver, page: list[StoredEpisode], pages: Iterator[list[StoredEpisode]]
) -> AsyncIterator[str]:
    yield csv_header()
    while page:
        yield csv_rows(page)
        page = await server.read_files(next, pages, [])


def _next_page(server: Metaserver, **last: str | int | None) -> str | None:
    """Return the address of the page after the last item, or None if there is none."""
    ((name, value),) = last.items()
    if value is None:
        return None
    kept = [(key, given) for key, given in request.args.items(multi=True) if key != name]
    return f"{server.access.path_prefix(request)}{request.path}?{urlencode([*kept, (name, value)])}"
