"""The JSON responses of the HTTP routes, as typed structs. The order of fields is that of the JSON."""

from typing import Annotated, Any

from msgspec import Meta, Struct
from quart import Response

from hamlet_trio.agent.models import ModelDetails
from hamlet_trio.common.encoding import to_json
from hamlet_trio.history import Failure, FailureColumn, FailureGroup, RunSummary, StoredEpisode
from hamlet_trio.protocol.messages import TrainingState


class Endpoints(Struct, frozen=True):
    """The paths of the WebSockets."""

    inference: Annotated[str, Meta(description="path for watching")] = "/ws"
    training: Annotated[str, Meta(description="path for training")] = "/ws/training"


class ActiveSessions(Struct, frozen=True):
    """Connections by endpoint."""

    inference: Annotated[int, Meta(description="number on `/ws`")]
    training: Annotated[int, Meta(description="number on `/ws/training`")]


class ServiceResponse(Struct, frozen=True):
    """`GET /`: what this server is."""

    status: Annotated[str, Meta(description="always `running`")]
    service: Annotated[str, Meta(description="always `Hamlet Metaserver`")]
    version: Annotated[str, Meta(description="version of Hamlet")]
    endpoints: Annotated[Endpoints, Meta(description="paths of the WebSockets")]
    active_sessions: Annotated[ActiveSessions, Meta(description="number of connections")]
    training_active: Annotated[bool, Meta(description="whether there is a run, running or paused")]


class StatusResponse(Struct, frozen=True, kw_only=True):
    """`GET /api/status`: how the server is doing."""

    status: Annotated[str, Meta(description="always `running`")]
    connected_clients: Annotated[int, Meta(description="number of connections in all")]
    simulation_running: Annotated[bool, Meta(description="whether somebody watches, or a run is on")]
    version: Annotated[str, Meta(description="version of Hamlet")]
    ready: Annotated[bool, Meta(description="whether sessions can play")]
    draining: Annotated[bool, Meta(description="whether the server is shutting down")]
    uptime_seconds: Annotated[float, Meta(description="seconds since the start")]
    active_sessions: Annotated[ActiveSessions, Meta(description="number of connections")]
    capacity: Annotated[ActiveSessions, Meta(description="largest number of connections")]
    training_state: Annotated[TrainingState, Meta(description="state of the training run")]


class ModelsResponse(Struct, frozen=True):
    """`GET /api/models`: the models in the models folder."""

    models: Annotated[list[str], Meta(description="their file names")]
    count: Annotated[int, Meta(description="number of models")]
    details: Annotated[list[ModelDetails], Meta(description="what is known of each")]


class FailuresResponse(Struct, frozen=True):
    """`GET /api/failures`: failed episodes."""

    failures: Annotated[list[Failure], Meta(description="failed episodes, in the order asked for")]


class FailureSummaryResponse(Struct, frozen=True):
    """`GET /api/failure_summary`: failures by agent and reason."""

    summary: Annotated[list[FailureGroup], Meta(description="groups of failures, largest first")]


class FailureSeriesResponse(Struct, frozen=True):
    """`GET /api/failure_series`: failures over time."""

    columns: Annotated[list[FailureColumn], Meta(description="runs, or stretches of one; the earliest first")]


class RunsResponse(Struct, frozen=True):
    """`GET /api/runs`: training runs."""

    runs: Annotated[list[RunSummary], Meta(description="runs, newest first")]
    next: Annotated[str | None, Meta(description="address of the next page; null on the last one")]


class EpisodesResponse(Struct, frozen=True):
    """`GET /api/runs/RUN/episodes`: episodes of one run."""

    run_id: Annotated[str, Meta(description="id of the run")]
    episodes: Annotated[list[StoredEpisode], Meta(description="episodes in their order")]
    next: Annotated[str | None, Meta(description="address of the next page; null on the last one")]


class HealthResponse(Struct, frozen=True, omit_defaults=True):
    """`GET /healthz` and `GET /readyz`: that the server lives, or can play."""

    status: Annotated[str, Meta(description="`alive` or `ready`")]
    degraded: Annotated[
        list[str],
        Meta(
            description="`inference` (overloaded), `training`, `history`, `logins`, `redis`: services that "
            "fail or are overloaded; left out if none is"
        ),
    ] = []


def as_json(body: Struct | dict[str, Any]) -> Response:
    """Return the struct as a JSON response."""
    return Response(to_json(body), content_type="application/json")
