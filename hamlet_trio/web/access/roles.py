"""List the role that each route and each command requires.

Routes and commands missing from the tables require a teacher, so that a new one is closed by default. A test
walks all routes and commands and fails for a missing one.
"""

from enum import IntEnum
from typing import Final

from msgspec import Struct

from hamlet_trio.protocol.commands import (
    Act,
    GetLife,
    GetPolicyMap,
    JoinClass,
    LeaveReplay,
    LoadModel,
    LoadRecording,
    Pause,
    Play,
    RecordEpisode,
    ReleaseControl,
    Reset,
    Resume,
    ResumeSession,
    Seek,
    SetShow,
    SetSpeed,
    SetStart,
    SetTrainingView,
    SetView,
    SetWorld,
    StartSweep,
    StartTraining,
    Status,
    Step,
    Stop,
    TakeControl,
)
from hamlet_trio.protocol.room_commands import (
    Ask,
    CastVote,
    Clear,
    CloseVote,
    Draw,
    Erase,
    Follow,
    Gather,
    Join,
    MakeGroups,
    MoveCursor,
    MoveMember,
    SetDirect,
    SetDrawing,
    SetOutcome,
    Signal,
    Spotlight,
)


class Role(IntEnum):
    """The roles, in ascending order: each may do what the ones before it may."""

    ANYONE = 0
    VIEWER = 1
    TEACHER = 2

    @property
    def word(self) -> str:
        """Return the role's name on the wire and on the command line."""
        return self.name.lower()


ROUTES: Final[dict[str, dict[str, Role]]] = {
    # The page itself reveals nothing, and must load before anybody can log in.
    "/": {"GET": Role.ANYONE},
    "/<path:name>": {"GET": Role.ANYONE},
    "/api/login": {"POST": Role.ANYONE},
    "/api/logout": {"POST": Role.ANYONE},
    "/api/session": {"GET": Role.ANYONE},
    "/api/schema": {"GET": Role.ANYONE},
    # For load balancers and Prometheus, which bypass nginx.
    "/api/status": {"GET": Role.ANYONE},
    "/healthz": {"GET": Role.ANYONE},
    "/readyz": {"GET": Role.ANYONE},
    "/metrics": {"GET": Role.ANYONE},
    "/ws": {"GET": Role.VIEWER},
    "/ws/training": {"GET": Role.VIEWER},
    "/ws/room": {"GET": Role.VIEWER},
    "/api/models": {"GET": Role.VIEWER},
    "/api/models/<name>/given_name": {"PUT": Role.TEACHER},
    "/api/worlds": {"GET": Role.VIEWER},
    "/api/worlds/<name>": {"GET": Role.VIEWER, "PUT": Role.TEACHER, "DELETE": Role.TEACHER},
    "/api/world_check": {"POST": Role.VIEWER},
    "/api/lesson": {"GET": Role.VIEWER},
    "/api/class": {"GET": Role.VIEWER, "DELETE": Role.TEACHER},
    "/api/failures": {"GET": Role.VIEWER},
    "/api/failure_summary": {"GET": Role.VIEWER},
    "/api/failure_series": {"GET": Role.VIEWER},
    "/api/runs": {"GET": Role.VIEWER},
    "/api/runs/<run_id>": {"GET": Role.VIEWER},
    "/api/runs/<run_id>/episodes": {"GET": Role.VIEWER},
    "/api/runs/<run_id>/episodes.csv": {"GET": Role.VIEWER},
    "/api/recordings": {"GET": Role.VIEWER},
    "/api/recordings/<recording>": {"GET": Role.VIEWER},
    "/api/recordings/<recording>/file": {"GET": Role.VIEWER},
    # A viewer deletes nothing that others still want: see the route.
    "/api/recordings/<recording>/film": dict.fromkeys(("GET", "POST", "DELETE"), Role.VIEWER),
    "/api/recordings/<recording>/film/file": {"GET": Role.VIEWER},
}
"""The role required by each route and method; HEAD counts as GET, and OPTIONS is open."""

TRAINING_COMMANDS: Final[dict[type[Struct], Role]] = {
    StartTraining: Role.TEACHER,
    StartSweep: Role.TEACHER,
    Pause: Role.TEACHER,
    Resume: Role.TEACHER,
    Stop: Role.TEACHER,
    SetShow: Role.TEACHER,
    SetTrainingView: Role.VIEWER,
    Status: Role.VIEWER,
}
"""The role required by each command on `/ws/training`: only a teacher changes the run."""

INFERENCE_COMMANDS: Final[dict[type[Struct], Role]] = dict.fromkeys(
    (
        *(
            Play,
            Pause,
            Step,
            Reset,
            SetStart,
            SetWorld,
            SetSpeed,
            LoadModel,
            Status,
            TakeControl,
            Act,
            ReleaseControl,
            SetView,
            GetPolicyMap,
        ),
        *(RecordEpisode, LoadRecording, Seek, LeaveReplay, GetLife, JoinClass, ResumeSession),
    ),
    Role.VIEWER,
)
"""The role required by each command on `/ws`: a session belongs to its viewer."""

ROOM_COMMANDS: Final[dict[type[Struct], Role]] = {
    **dict.fromkeys(
        (Join, Signal, MoveCursor, Draw, Erase, Follow, SetDirect, CastVote, SetOutcome), Role.VIEWER
    ),
    **dict.fromkeys(
        (Clear, SetDrawing, Spotlight, Ask, CloseVote, MakeGroups, MoveMember, Gather), Role.TEACHER
    ),
}
"""The role required by each command on `/ws/room`: a teacher leads what concerns everybody."""

COMMANDS: Final = {
    "/ws": INFERENCE_COMMANDS,
    "/ws/training": TRAINING_COMMANDS,
    "/ws/room": ROOM_COMMANDS,
}


def role_for_route(rule: str, method: str) -> Role:
    """Return the role required by a route; a teacher if it is not listed."""
    return ROUTES.get(rule, {}).get("GET" if method == "HEAD" else method, Role.TEACHER)


def role_for_command(endpoint: str, command: type[Struct]) -> Role:
    """Return the role required by a command on an endpoint; a teacher if it is not listed."""
    return COMMANDS.get(endpoint, {}).get(command, Role.TEACHER)
