"""What a history answers, as typed structs. The order of fields is that of the JSON."""

from typing import Any

from msgspec import Struct


class Failure(Struct, frozen=True):
    """One episode that ended because a meter failed. `timestamp` is ISO 8601, UTC."""

    id: int
    timestamp: str
    episode: int
    agent_id: str
    reason: str
    run_id: str


class FailureGroup(Struct, frozen=True):
    """All failures of one agent for one reason; over several runs the last episode need not be the latest."""

    agent_id: str
    reason: str
    count: int
    last_episode: int
    last_timestamp: str


class RunSummary(Struct, frozen=True, kw_only=True):
    """One run. `episodes` is the number of the last one that is kept; `ended` is null while it is on."""

    run_id: str
    source: str
    state: str
    reason: str | None
    began: str
    ended: str | None
    network_type: str | None
    seed: int | None
    device: str | None
    episodes: int
    model: str | None
    package_version: str | None
    torch_version: str | None
    parameters: dict[str, Any] | None


class RunningRun(Struct, frozen=True):
    """A run of which no end is kept; `last_heard` is when its last episode ended, or else it began."""

    run_id: str
    source: str
    last_heard: str


class KeptCheckpoint(Struct, frozen=True):
    """The model was saved under this name after `episode`."""

    model: str
    episode: int
    saved: str


class RunDetails(RunSummary, frozen=True, kw_only=True):
    """One run with what its episodes come to.

    Attributes:
        steps: of all episodes that are kept.
        best_return, best_episode: the highest return, and the first episode that had it.
        longest: steps of the longest episode.
        failures: how many episodes ended for each reason.
        checkpoints: the models it saved, the latest last.
    """

    steps: int
    best_return: float | None
    best_episode: int | None
    longest: int | None
    failures: dict[str, int]
    checkpoints: list[KeptCheckpoint]
