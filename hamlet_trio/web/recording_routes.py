"""The routes of recordings and their films."""

from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct
from quart import Blueprint, Response
from quart.helpers import send_from_directory

from hamlet_trio.common.agents import AgentId
from hamlet_trio.film.formats import SPEEDS, FilmFormat
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.recording.info import ListedRecording, Source, is_recording_id
from hamlet_trio.web.access.login_routes import current_principal
from hamlet_trio.web.access.roles import Role
from hamlet_trio.web.film_service import FilmKey, FilmsBusyError, FilmsStoppedError, FilmsUnavailableError
from hamlet_trio.web.metaserver import Metaserver
from hamlet_trio.web.problems import problem
from hamlet_trio.web.query_parameters import query_arguments, read_query
from hamlet_trio.web.responses import as_json

if TYPE_CHECKING:
    from hamlet_trio.recording.folder import RecordingFolder

_TYPES: Final[dict[FilmFormat, str]] = {"mp4": "video/mp4", "webm": "video/webm", "gif": "image/gif"}
_Text = Annotated[str, Meta(max_length=255)]


class RecordingsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which recordings, newest first; an absent filter lets all pass."""

    source: Annotated[Source | None, Meta(description="where the episode was played")] = None
    run: Annotated[_Text | None, Meta(description="id of the training run")] = None
    model: Annotated[_Text | None, Meta(description="file name of the model that played")] = None
    reason: Annotated[_Text | None, Meta(description="a reason why it was kept")] = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="number of recordings on a page")] = 50
    offset: Annotated[int, Meta(ge=0, le=2**31, description="number of recordings before the page")] = 0

    def passes(self, entry: ListedRecording) -> bool:
        """Return whether the filters let a recording pass; a damaged one passes only without filters."""
        info = entry.info
        if info is None:
            return self.source is self.run is self.model is self.reason is None
        return (
            (self.source is None or info.source == self.source)
            and (self.run is None or info.run_id == self.run)
            and (self.model is None or info.model == self.model)
            and (self.reason is None or self.reason in info.reasons)
        )


class FilmQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which film of a recording."""

    format: Annotated[FilmFormat, Meta(description="file format")] = "mp4"
    speed: Annotated[float, Meta(ge=SPEEDS[0], le=SPEEDS[1], description="multiple of 10 steps/s")] = 1.0
    agent: Annotated[
        AgentId | None, Meta(description="agent to follow, of several; left out: all are shown alike")
    ] = None


class RecordingsResponse(Struct, frozen=True):
    """`GET /api/recordings`: recordings."""

    recordings: Annotated[list[ListedRecording], Meta(description="recordings, newest first")]
    total: Annotated[int, Meta(description="number of recordings that pass the filters")]


class RecordingIndex:
    """The folder of recordings as routes read it. Every method does file I/O: call it from a thread."""

    def __init__(self, server: Metaserver) -> None:
        self._settings = server.settings

    @cached_property
    def folder(self) -> "RecordingFolder":
        """The folder; imported on first use, so that the port answers before numpy is loaded."""
        from hamlet_trio.recording.folder import RecordingFolder  # noqa: PLC0415

        return RecordingFolder.of(self._settings)

    def page(self, query: RecordingsQuery) -> RecordingsResponse:
        """Return the page of recordings that a query asks for."""
        passing = [entry for entry in self.folder.entries() if query.passes(entry)]
        return RecordingsResponse(passing[query.offset : query.offset + query.limit], len(passing))

    def find(self, recording: str) -> ListedRecording | None:
        """Return one recording, or None."""
        return next((entry for entry in self.folder.entries() if entry.recording == recording), None)

    def has(self, recording: str) -> bool:
        """Return whether a recording exists."""
        return is_recording_id(recording) and (self.folder.path / f"{recording}.rec").is_file()


def make_recording_routes(server: Metaserver) -> Blueprint:
    """Return the routes of recordings and films. Access control, before them, decides who may use which."""
    routes = Blueprint("recordings", __name__)
    index = RecordingIndex(server)
    films = server.films

    async def key_of(recording: str) -> FilmKey:
        """Return the film that this request is about."""
        query = read_query(query_arguments(), FilmQuery)
        if not await server.read_files(index.has, recording):
            raise _NoSuchRecordingError
        return FilmKey(recording, query.format, round(query.speed, 2), query.agent)

    @routes.get("/api/recordings")
    async def listed() -> Response:
        query = read_query(query_arguments(), RecordingsQuery)
        return as_json(await server.read_files(index.page, query))

    @routes.get("/api/recordings/<recording>")
    async def one(recording: str) -> Response:
        entry = await server.read_files(index.find, recording)
        if entry is None:
            raise _NoSuchRecordingError
        return as_json(entry)

    @routes.get("/api/recordings/<recording>/file")
    async def file(recording: str) -> Response:
        if not await server.read_files(index.has, recording):
            raise _NoSuchRecordingError
        return await _download(index.folder.path, f"{recording}.rec", "application/octet-stream")

    @routes.post("/api/recordings/<recording>/film")
    async def make(recording: str) -> Response:
        film = await films.order(await key_of(recording), current_principal().client)
        response = as_json(film)
        response.status_code = HTTPStatus.OK if film.state == "ready" else HTTPStatus.ACCEPTED
        return response

    @routes.get("/api/recordings/<recording>/film")
    async def film_state(recording: str) -> Response:
        film = await films.state(await key_of(recording))
        return _unknown_film() if film is None else as_json(film)

    @routes.delete("/api/recordings/<recording>/film")
    async def drop(recording: str) -> Response:
        """Remove the film for a teacher; for anyone else, leave it to others who still want it."""
        key = await key_of(recording)
        if current_principal().role is Role.TEACHER:
            await films.drop(key)
        else:
            films.leave(key)
        return Response(b"", HTTPStatus.NO_CONTENT)

    @routes.get("/api/recordings/<recording>/film/file")
    async def film_file(recording: str) -> Response:
        key = await key_of(recording)
        film = await films.state(key)
        if film is None or film.state != "ready":
            return _unknown_film()
        path = films.path(key)
        return await _download(path.parent, path.name, _TYPES[key.format])

    _add_refusals(routes)
    return routes


class _NoSuchRecordingError(Exception):
    """A request names a recording that does not exist."""


def _add_refusals(routes: Blueprint) -> None:
    unavailable = HTTPStatus.SERVICE_UNAVAILABLE

    @routes.errorhandler(_NoSuchRecordingError)
    async def unknown_recording(error: _NoSuchRecordingError) -> Response:
        unknown = ErrorCode.UNKNOWN_RECORDING
        return problem(HTTPStatus.NOT_FOUND, unknown, unknown.description)

    @routes.errorhandler(FilmsBusyError)
    async def busy(error: FilmsBusyError) -> Response:
        return problem(unavailable, ErrorCode.FILMS_BUSY, ErrorCode.FILMS_BUSY.description, retry_after="20")

    @routes.errorhandler(FilmsUnavailableError)
    async def unavailable_here(error: FilmsUnavailableError) -> Response:
        return problem(unavailable, ErrorCode.FILMS_UNAVAILABLE, str(error))

    @routes.errorhandler(FilmsStoppedError)
    async def stopped(error: FilmsStoppedError) -> Response:
        return problem(unavailable, ErrorCode.STARTING, ErrorCode.STARTING.description, retry_after="1")


def _unknown_film() -> Response:
    return problem(HTTPStatus.NOT_FOUND, ErrorCode.UNKNOWN_FILM, ErrorCode.UNKNOWN_FILM.description)


async def _download(folder: Path, name: str, content_type: str) -> Response:
    response = await send_from_directory(folder, name, mimetype=content_type, as_attachment=True)
    response.timeout = None  # none while the client reads; one that stops reading is dropped by the guard
    response.headers["Cache-Control"] = "no-cache"
    return response
