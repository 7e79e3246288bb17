"""What each route and each command needs, in one table, and the one decision about it.

What the tables do not name needs a teacher: a new route is closed until somebody has said who may use it.
A test walks all routes and commands and fails for one that is not named.
"""

from enum import IntEnum
from typing import Final

from msgspec import Struct

from hamlet_trio.protocol.commands import (
    Act,
    LeaveReplay,
    LoadModel,
    LoadRecording,
    Pause,
    Play,
    RecordEpisode,
    ReleaseControl,
    Reset,
    Resume,
    Seek,
    SetSpeed,
    SetView,
    StartTraining,
    Status,
    Step,
    Stop,
    TakeControl,
)


class Role(IntEnum):
    """What somebody is allowed to do; each role may do what those before it may."""

    ANYONE = 0
    VIEWER = 1
    TEACHER = 2

    @property
    def word(self) -> str:
        """The role's name on the wire and on the command line."""
        return self.name.lower()


ROUTES: Final[dict[str, dict[str, Role]]] = {
    # The page itself tells nothing, and must be there to log in with.
    "/": {"GET": Role.ANYONE},
    "/<path:name>": {"GET": Role.ANYONE},
    "/api/login": {"POST": Role.ANYONE},
    "/api/logout": {"POST": Role.ANYONE},
    "/api/session": {"GET": Role.ANYONE},
    "/api/schema": {"GET": Role.ANYONE},
    # For load balancers and Prometheus, which come in beside nginx and not through it.
    "/api/status": {"GET": Role.ANYONE},
    "/healthz": {"GET": Role.ANYONE},
    "/readyz": {"GET": Role.ANYONE},
    "/metrics": {"GET": Role.ANYONE},
    # Watching.
    "/ws": {"GET": Role.VIEWER},
    "/ws/training": {"GET": Role.VIEWER},
    "/api/models": {"GET": Role.VIEWER},
    "/api/failures": {"GET": Role.VIEWER},
    "/api/failure_summary": {"GET": Role.VIEWER},
    "/api/runs": {"GET": Role.VIEWER},
    "/api/runs/<run_id>": {"GET": Role.VIEWER},
    "/api/runs/<run_id>/episodes": {"GET": Role.VIEWER},
    "/api/runs/<run_id>/episodes.csv": {"GET": Role.VIEWER},
    "/api/recordings": {"GET": Role.VIEWER},
    "/api/recordings/<recording>": {"GET": Role.VIEWER},
    "/api/recordings/<recording>/file": {"GET": Role.VIEWER},
    # Who is no teacher deletes nothing that somebody else wants: see the route.
    "/api/recordings/<recording>/film": dict.fromkeys(("GET", "POST", "DELETE"), Role.VIEWER),
    "/api/recordings/<recording>/film/file": {"GET": Role.VIEWER},
}
"""For each route as the app knows it, and each method but OPTIONS (HEAD is GET), who may use it."""

TRAINING_COMMANDS: Final[dict[type[Struct], Role]] = {
    StartTraining: Role.TEACHER,
    Pause: Role.TEACHER,
    Resume: Role.TEACHER,
    Stop: Role.TEACHER,
    Status: Role.VIEWER,
}
"""Who may send what on `/ws/training`: what changes the run is a teacher's."""

INFERENCE_COMMANDS: Final[dict[type[Struct], Role]] = dict.fromkeys(
    (
        *(Play, Pause, Step, Reset, SetSpeed, LoadModel, Status, TakeControl, Act, ReleaseControl, SetView),
        *(RecordEpisode, LoadRecording, Seek, LeaveReplay),
    ),
    Role.VIEWER,
)
"""Who may send what on `/ws`: a session is its viewer's own."""

COMMANDS: Final = {"/ws": INFERENCE_COMMANDS, "/ws/training": TRAINING_COMMANDS}


def role_for_route(rule: str, method: str) -> Role:
    """Who may use a route; a teacher, where nobody has said."""
    return ROUTES.get(rule, {}).get("GET" if method == "HEAD" else method, Role.TEACHER)


def role_for_command(endpoint: str, command: type[Struct]) -> Role:
    """Who may send a command to an endpoint; a teacher, where nobody has said."""
    return COMMANDS.get(endpoint, {}).get(command, Role.TEACHER)
