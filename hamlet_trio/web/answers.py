"""What the HTTP routes answer, as typed structs. The order of fields is that of the JSON."""

from typing import Any

import msgspec
from msgspec import Struct
from quart import Response

from hamlet_trio.agent.models import ModelDetails
from hamlet_trio.protocol.messages import TrainingState
from hamlet_trio.training import Failure
from hamlet_trio.web.failures import FailureGroup


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


class HealthAnswer(Struct, frozen=True):
    """`GET /healthz` and `GET /readyz`."""

    status: str


def as_json(answer: Struct | dict[str, Any]) -> Response:
    """The answer as JSON."""
    return Response(msgspec.json.encode(answer), content_type="application/json")
