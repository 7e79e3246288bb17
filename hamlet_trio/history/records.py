"""What happens in training runs and is kept, as it is told to the history."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal, TypeAlias

from msgspec import Struct, field

from hamlet_trio import __version__
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters

Source = Literal["server", "command_line", "older"]
Ending = Literal["complete", "stopped", "interrupted", "failed"]
RunState = Literal["running", Ending]


def now() -> str:
    """This moment as the history writes it: ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class RunBegan(Struct, frozen=True, kw_only=True):
    """A run took its first step, or goes on after an interruption; `parameters` are those in force."""

    run_id: str
    parameters: TrainingParameters
    device: str
    source: Source
    at: str = field(default_factory=now)
    package_version: str = __version__
    torch_version: str = field(default_factory=lambda: version("torch"))


class EpisodeEnded(Struct, frozen=True, kw_only=True):
    """An episode is over. One that a resumed run plays again takes the place of the earlier one."""

    run_id: str
    complete: EpisodeComplete
    agent_id: str
    at: str = field(default_factory=now)


class CheckpointKept(Struct, frozen=True, kw_only=True):
    """The run's model was saved as `model` after `episode`."""

    run_id: str
    model: str
    episode: int
    at: str = field(default_factory=now)


class RunEnded(Struct, frozen=True, kw_only=True):
    """A run is over, or was interrupted; a run that the history never heard of is no run to end."""

    run_id: str
    state: Ending
    reason: str | None = None
    model: str | None = None
    at: str = field(default_factory=now)


Record: TypeAlias = RunBegan | EpisodeEnded | CheckpointKept | RunEnded
