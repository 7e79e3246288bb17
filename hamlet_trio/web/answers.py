"""What the HTTP routes answer, as typed structs. The order of fields is that of the JSON."""

from typing import Any

import msgspec
from msgspec import Struct
from quart import Response

from hamlet_trio.agent.models import ModelDetails
from hamlet_trio.history import Failure, FailureGroup, KeptEpisode, RunSummary
from hamlet_trio.protocol.messages import TrainingState


class Endpoints(Struct, frozen=True):
    """Where the WebSockets are."""

    inference: str = "/ws"
    training: str = "/ws/training"


class ActiveSessions(Struct, frozen=True):
    """How many are connected to each."""

    inference: int
    training: int


class ServiceAnswer(Struct, frozen=True):
    """`GET /`, in the form that scripts have always read."""

    status: str
    service: str
    version: str
    endpoints: Endpoints
    active_sessions: ActiveSessions
    training_active: bool


class StatusAnswer(Struct, frozen=True, kw_only=True):
    """`GET /api/status`: the first three fields are kept."""

    status: str
    connected_clients: int
    simulation_running: bool
    version: str
    ready: bool
    draining: bool
    uptime_seconds: float
    active_sessions: ActiveSessions
    capacity: ActiveSessions
    training_state: TrainingState


class ModelsAnswer(Struct, frozen=True):
    """`GET /api/models`."""

    models: list[str]
    count: int
    details: list[ModelDetails]


class FailuresAnswer(Struct, frozen=True):
    """`GET /api/failures`."""

    failures: list[Failure]


class SummaryAnswer(Struct, frozen=True):
    """`GET /api/failure_summary`."""

    summary: list[FailureGroup]


class RunsAnswer(Struct, frozen=True):
    """`GET /api/runs`; `next` is the address of the next page, null on the last one."""

    runs: list[RunSummary]
    next: str | None


class EpisodesAnswer(Struct, frozen=True):
    """`GET /api/runs/<run_id>/episodes`; `next` is the address of the next page, null on the last one."""

    run_id: str
    episodes: list[KeptEpisode]
    next: str | None


class HealthAnswer(Struct, frozen=True):
    """`GET /healthz` and `GET /readyz`."""

    status: str


def as_json(answer: Struct | dict[str, Any]) -> Response:
    """The answer as JSON."""
    return Response(msgspec.json.encode(answer), content_type="application/json")
