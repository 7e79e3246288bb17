"""The routes of worlds: the presets, and the worlds that teachers save and remove."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Response, request

from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.web.metaserver import Metaserver
from hamlet_trio.web.problems import problem
from hamlet_trio.web.responses import as_json

if TYPE_CHECKING:
    from hamlet_trio.world.library import WorldLibrary
    from hamlet_trio.world.world_file import FileKind, World

_ETAG: Final = re.compile(r'"([0-9a-f]{16})"')


class ListedWorld(Struct, frozen=True, kw_only=True):
    """One world of the list."""

    name: Annotated[str, Meta(description="name that `world` takes in commands")]
    preset: Annotated[bool, Meta(description="whether it comes with Hamlet and cannot be changed")]
    title: Annotated[str, Meta(description="title for people; empty without one")]
    about: Annotated[str, Meta(description="what the world asks, for people; empty without it")]
    digest: Annotated[str | None, Meta(description="digest of the rules; null for a damaged file")]
    error: Annotated[str | None, Meta(description="why the file cannot be used, in one sentence")]


class WorldsResponse(Struct, frozen=True):
    """`GET /api/worlds`: the worlds of this server."""

    worlds: Annotated[list[ListedWorld], Meta(description="presets first, `usual` before all")]


class CheckedWorld(Struct, frozen=True, kw_only=True):
    """`POST /api/world_check`: the world that the body describes, which is saved nowhere."""

    title: Annotated[str, Meta(description="title for people; empty without one")]
    about: Annotated[str, Meta(description="what the world asks, for people; empty without it")]
    digest: Annotated[str, Meta(description="digest of the rules")]
    config: Annotated[dict[str, Any], Meta(description="every field of the configuration")]
    changes: Annotated[dict[str, Any], Meta(description="fields in which it differs from the usual world")]


class WorldResponse(CheckedWorld, frozen=True, kw_only=True):
    """`GET /api/worlds/NAME`: one world. Its `ETag` is what `If-Match` takes to replace it."""

    name: Annotated[str, Meta(description="name that `world` takes in commands")]
    preset: Annotated[bool, Meta(description="whether it comes with Hamlet and cannot be changed")]


class WorldRefusedError(Exception):
    """A request about a world is refused; carries what the problem document says."""

    def __init__(self, status: HTTPStatus, code: ErrorCode, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.field = field


class WorldIndex:
    """The library of worlds as the routes use it.

    Methods do file I/O: call them from a thread. Each raises `WorldRefusedError`.
    """

    def __init__(self, server: Metaserver) -> None:
        self._settings = server.settings

    @cached_property
    def _library(self) -> "WorldLibrary":
        # Imported on first use, so that the port answers before numpy is loaded.
        from hamlet_trio.world.library import WorldLibrary, worlds_path  # noqa: PLC0415

        return WorldLibrary(worlds_path(self._settings.data_dir))

    def list(self) -> WorldsResponse:
        """List all worlds."""
        return WorldsResponse(
            [
                ListedWorld(
                    name=entry.name,
                    preset=entry.preset,
                    title=entry.world.title if entry.world else "",
                    about=entry.world.about if entry.world else "",
                    digest=entry.world.digest if entry.world else None,
                    error=entry.error,
                )
                for entry in self._library.worlds()
            ]
        )

    def get(self, name: str) -> tuple[WorldResponse, str]:
        """Return a world and its version."""
        with _refusing():
            stored = self._library.stored(name)
        response = WorldResponse(name=name, preset=stored.preset, **_fields(stored.world))
        return response, stored.version

    def check(self, body: bytes, kind: "FileKind") -> CheckedWorld:
        """Return the world of a file's bytes."""
        from hamlet_trio.world.world_file import read_world  # noqa: PLC0415

        with _refusing():
            world = read_world(body, kind)
        return CheckedWorld(**_fields(world))

    def put(self, name: str, body: bytes, replacing: str | None) -> bool:
        """Save a world, sent as JSON, in place of the version `replacing`; return whether it is new."""
        from hamlet_trio.world.world_file import read_world  # noqa: PLC0415

        with _refusing():
            return self._library.save(name, read_world(body, "json"), replacing=replacing)

    def delete(self, name: str, version: str | None) -> None:
        """Remove a world, with `version` only in that version."""
        with _refusing():
            self._library.delete(name, version)


def make_world_routes(server: Metaserver) -> Blueprint:
    """Return the routes of worlds."""
    routes = Blueprint("worlds", __name__)
    index = WorldIndex(server)

    @routes.get("/api/worlds")
    async def worlds() -> Response:
        return as_json(await server.read_files(index.list))

    @routes.get("/api/worlds/<name>")
    async def world(name: str) -> Response:
        return await _answer(name)

    @routes.put("/api/worlds/<name>")
    async def save(name: str) -> Response:
        """Save a world. A name that is taken needs `If-Match` with the version that the client has seen."""
        version = _version_seen()
        body = await request.get_data(as_text=False)
        is_new = await server.read_files(index.put, name, body, version)
        response = await _answer(name)
        response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
        return response

    @routes.delete("/api/worlds/<name>")
    async def remove(name: str) -> Response:
        """Remove a world; with `If-Match` only in the version that the client has seen."""
        await server.read_files(index.delete, name, _version_seen())
        return Response("", HTTPStatus.NO_CONTENT)

    @routes.post("/api/world_check")
    async def check() -> Response:
        """Check a world in JSON, or in TOML where the content type says so, as `hamlet world check` does."""
        kind: FileKind = "toml" if request.mimetype == "application/toml" else "json"
        body = await request.get_data(as_text=False)
        return as_json(await server.read_files(index.check, body, kind))

    async def _answer(name: str) -> Response:
        found, version = await server.read_files(index.get, name)
        response = as_json(found)
        response.headers["ETag"] = f'"{version}"'
        return response

    @routes.errorhandler(WorldRefusedError)
    async def refused(error: WorldRefusedError) -> Response:
        return problem(error.status, error.code, str(error), field=error.field)

    return routes


def _version_seen() -> str | None:
    """Return the version in the request's `If-Match`, None without one. Raises `WorldRefusedError`."""
    seen = request.headers.get("If-Match")
    if seen is None:
        return None
    if seen.strip() == "*":
        from hamlet_trio.world.library import ANY_VERSION  # noqa: PLC0415

        return ANY_VERSION
    if (version := _ETAG.fullmatch(seen)) is None:
        raise WorldRefusedError(
            HTTPStatus.BAD_REQUEST,
            ErrorCode.OUT_OF_RANGE,
            "`If-Match` must be the `ETag` of the world, with its quotation marks, or `*` for any version.",
            "If-Match",
        )
    return version[1]


def _fields(world: "World") -> dict[str, Any]:
    """Return the fields of `CheckedWorld`."""
    from hamlet_trio.world.world_file import changes_of, digest_of_changes  # noqa: PLC0415

    changes = changes_of(world.config)
    return {
        "title": world.title,
        "about": world.about,
        "digest": digest_of_changes(changes),
        "config": msgspec.to_builtins(world.config),
        "changes": changes,
    }


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn the library's errors into refusals over HTTP."""
    from hamlet_trio.world import library  # noqa: PLC0415
    from hamlet_trio.world.world_file import WorldError  # noqa: PLC0415

    try:
        yield
    except WorldError as error:
        raise WorldRefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY, ErrorCode.INVALID_WORLD, str(error), error.field or None
        ) from error
    except library.UnknownWorldError as error:
        raise WorldRefusedError(HTTPStatus.NOT_FOUND, ErrorCode.UNKNOWN_WORLD, str(error)) from error
    except library.ReadOnlyWorldError as error:
        raise WorldRefusedError(HTTPStatus.CONFLICT, ErrorCode.WORLD_READ_ONLY, str(error)) from error
    except library.WorldExistsError as error:
        raise WorldRefusedError(
            HTTPStatus.PRECONDITION_FAILED, ErrorCode.WORLD_CHANGED, str(error)
        ) from error
    except library.WorldsFullError as error:
        raise WorldRefusedError(HTTPStatus.CONFLICT, ErrorCode.WORLDS_FULL, str(error)) from error
    except OSError as error:
        sentence = f"The world cannot be written: {error.strerror}."
        raise WorldRefusedError(HTTPStatus.INSUFFICIENT_STORAGE, ErrorCode.SAVE_FAILED, sentence) from error
