"""JSON Schema (draft 2020-12) of every message, command, query and response.

Made from the structs themselves. `GET /api/schema` serves it; the page's TypeScript types and the tables
of the documentation are made from it.
"""

from typing import Any, Final, NamedTuple, get_args

import msgspec
from msgspec import Struct

from hamlet_trio.history import RunDetails
from hamlet_trio.history.queries import (
    EpisodesQuery,
    FailureQuery,
    FailureSeriesQuery,
    RunsQuery,
    SummaryQuery,
)
from hamlet_trio.lesson.lesson_file import LessonResponse
from hamlet_trio.protocol.commands import InferenceCommand, TrainingCommand
from hamlet_trio.protocol.errors import CloseCode, ErrorCode
from hamlet_trio.protocol.messages import PROTOCOL_VERSION, InferenceMessage, TrainingMessage
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.protocol.room_commands import RoomCommand
from hamlet_trio.protocol.room_messages import RoomMessage
from hamlet_trio.recording.info import ListedRecording
from hamlet_trio.web import responses
from hamlet_trio.web.access.login_routes import LoginRequest, SessionResponse
from hamlet_trio.web.class_routes import ClassResponse
from hamlet_trio.web.film_service import Film
from hamlet_trio.web.model_routes import GivenNameRequest, GivenNameResponse
from hamlet_trio.web.problems import Problem
from hamlet_trio.web.recording_routes import FilmQuery, RecordingsQuery, RecordingsResponse
from hamlet_trio.web.world_routes import CheckedWorld, WorldResponse, WorldsResponse

_ENDPOINTS: Final = {
    "inference": {"commands": InferenceCommand, "messages": InferenceMessage},
    "training": {"commands": TrainingCommand, "messages": TrainingMessage},
    "room": {"commands": RoomCommand, "messages": RoomMessage},
}


class Exchange(NamedTuple):
    """The structs of one HTTP route: its response, and its query and body if it takes them."""

    response: type[Struct]
    query: type[Struct] | None = None
    body: type[Struct] | None = None


HTTP: Final[dict[str, Exchange]] = {
    "GET /": Exchange(responses.ServiceResponse),
    "GET /api/status": Exchange(responses.StatusResponse),
    "GET /api/models": Exchange(responses.ModelsResponse),
    "PUT /api/models/<name>/given_name": Exchange(GivenNameResponse, body=GivenNameRequest),
    "GET /api/failures": Exchange(responses.FailuresResponse, FailureQuery),
    "GET /api/failure_summary": Exchange(responses.FailureSummaryResponse, SummaryQuery),
    "GET /api/failure_series": Exchange(responses.FailureSeriesResponse, FailureSeriesQuery),
    "GET /api/runs": Exchange(responses.RunsResponse, RunsQuery),
    "GET /api/runs/<run_id>": Exchange(RunDetails),
    "GET /api/runs/<run_id>/episodes": Exchange(responses.EpisodesResponse, EpisodesQuery),
    "GET /api/recordings": Exchange(RecordingsResponse, RecordingsQuery),
    "GET /api/recordings/<recording>": Exchange(ListedRecording),
    "GET /api/recordings/<recording>/film": Exchange(Film, FilmQuery),
    "POST /api/recordings/<recording>/film": Exchange(Film, FilmQuery),
    "GET /api/worlds": Exchange(WorldsResponse),
    "GET /api/worlds/<name>": Exchange(WorldResponse),
    "PUT /api/worlds/<name>": Exchange(WorldResponse),
    "POST /api/world_check": Exchange(CheckedWorld),
    "GET /api/lesson": Exchange(LessonResponse),
    "GET /api/class": Exchange(ClassResponse),
    "GET /api/session": Exchange(SessionResponse),
    "POST /api/login": Exchange(SessionResponse, body=LoginRequest),
    "POST /api/logout": Exchange(SessionResponse),
    "GET /healthz": Exchange(responses.HealthResponse),
    "GET /readyz": Exchange(responses.HealthResponse),
}
"""Every route that answers in JSON, as `METHOD rule`. Refusals are a `Problem`."""


def build_schema() -> dict[str, Any]:
    """Return the schema of everything that clients send and receive.

    Returns a dict: `protocol_version`; `endpoints[name]["commands" | "messages"][tag]` and
    `http[route]["response" | "query" | "body"]`, references into `$defs`; `training_parameters` and `problem`
    likewise; `errors` and `close_codes` map each code to its description.
    """
    unions = [kind for union in _ENDPOINTS.values() for kinds in union.values() for kind in get_args(kinds)]
    exchanged = [kind for exchange in HTTP.values() for kind in exchange if kind is not None]
    types = list(dict.fromkeys([TrainingParameters, *unions, *exchanged, Problem]))
    references, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    by_type = dict(zip(types, references, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Hamlet wire protocol",
        "protocol_version": PROTOCOL_VERSION,
        "endpoints": {
            endpoint: {
                direction: {kind.__struct_config__.tag: by_type[kind] for kind in get_args(union)}
                for direction, union in unions.items()
            }
            for endpoint, unions in _ENDPOINTS.items()
        },
        "http": {
            route: {part: by_type[kind] for part, kind in exchange._asdict().items() if kind is not None}
            for route, exchange in HTTP.items()
        },
        "training_parameters": by_type[TrainingParameters],
        "problem": by_type[Problem],
        "errors": {code.value: code.description for code in ErrorCode},
        "close_codes": {str(int(code)): code.description for code in CloseCode},
        "$defs": definitions,
    }
