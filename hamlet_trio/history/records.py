"""Records of training runs, as they are written to the history."""

import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

from hamlet_trio import __version__
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters

Source = Literal["server", "command_line", "sweep", "older"]
Ending = Literal["complete", "stopped", "interrupted", "failed"]
RunState = Literal["running", Ending]


def now() -> str:
    """Return the present time in the form of the history."""
    return time_text(time.time())


def time_text(seconds: float) -> str:
    """Return a time, in seconds since 1970, in the form of the history: ISO 8601, UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


class RunStarted(Struct, frozen=True, kw_only=True):
    """A run takes its first step, or is resumed; `parameters` are those in force.

    A trial of a sweep names it, with the settings by which it differs from the sweep's other trials.
    """

    run_id: str
    parameters: TrainingParameters
    device: str
    source: Source
    sweep_id: str | None = None
    sweep_settings: dict[str, Any] | None = None
    at: str = field(default_factory=now)
    package_version: str = __version__
    torch_version: str = field(default_factory=lambda: version("torch"))


class EpisodeEnded(Struct, frozen=True, kw_only=True):
    """An episode has ended. One that a resumed run plays again replaces the earlier one."""

    run_id: str
    complete: EpisodeComplete
    agent_id: str
    at: str = field(default_factory=now)


class CheckpointStored(Struct, frozen=True, kw_only=True):
    """A run's model was saved as `model` after `episode`."""

    run_id: str
    model: str
    episode: int
    at: str = field(default_factory=now)


class RunEnded(Struct, frozen=True, kw_only=True):
    """A run has ended or was interrupted; for a run that the history does not know, nothing is written."""

    run_id: str
    state: Ending
    reason: str | None = None
    model: str | None = None
    at: str = field(default_factory=now)


Record: TypeAlias = RunStarted | EpisodeEnded | CheckpointStored | RunEnded
