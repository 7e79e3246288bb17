"""The answers of the history, as typed structs. The order of fields is that of the JSON."""

from typing import Annotated, Any

from msgspec import Meta, Struct


class Failure(Struct, frozen=True):
    """One episode that ended with a failure."""

    id: Annotated[int, Meta(description="number of the episode's row in the history")]
    timestamp: Annotated[str, Meta(description="when the episode ended; ISO 8601, UTC")]
    episode: Annotated[int, Meta(description="number of the episode in its run")]
    agent_id: Annotated[str, Meta(description="id of the agent")]
    reason: Annotated[str, Meta(description="failure that ended the episode")]
    run_id: Annotated[str, Meta(description="id of the run")]


class FailureGroup(Struct, frozen=True):
    """All failures of one agent for one reason."""

    agent_id: Annotated[str, Meta(description="id of the agent")]
    reason: Annotated[str, Meta(description="failure that ended the episodes")]
    count: Annotated[int, Meta(description="number of failures")]
    last_episode: Annotated[
        int,
        Meta(description="highest number of such an episode; over several runs it need not be the latest"),
    ]
    last_timestamp: Annotated[str, Meta(description="when the latest such episode ended; ISO 8601, UTC")]


class FailureColumn(Struct, frozen=True):
    """How the episodes of one run ended, or those of a stretch of it."""

    run_id: Annotated[str, Meta(description="id of the run")]
    began: Annotated[
        str, Meta(description="when the run began, or the first of these episodes ended; ISO 8601, UTC")
    ]
    first_episode: Annotated[int, Meta(description="number of the first of these episodes")]
    last_episode: Annotated[int, Meta(description="number of the last one")]
    episodes: Annotated[int, Meta(description="how many of them are in the history")]
    failures: Annotated[dict[str, int], Meta(description="number of failures by reason, most first")]


class RunEvaluation(Struct, frozen=True):
    """The greedy evaluation of a run after one of its episodes."""

    episode: Annotated[int, Meta(description="number of the episode that it followed")]
    mean_length: Annotated[float, Meta(description="mean steps survived from the usual start")]
    mean_return: Annotated[float, Meta(description="mean return from the usual start")]
    random_mean_length: Annotated[
        float | None, Meta(description="mean steps survived from random starts; null before version 3")
    ]
    random_mean_return: Annotated[
        float | None, Meta(description="mean return from random starts; null before version 3")
    ]


class RunSummary(Struct, frozen=True, kw_only=True):
    """One training run."""

    run_id: Annotated[str, Meta(description="id of the run")]
    source: Annotated[
        str,
        Meta(description="where it was started: `server`, `command_line`, a `sweep`, or an `older` history"),
    ]
    state: Annotated[str, Meta(description="state of the run")]
    reason: Annotated[str | None, Meta(description="why it ended, in one sentence, where known")]
    began: Annotated[str, Meta(description="when it began; ISO 8601, UTC")]
    ended: Annotated[str | None, Meta(description="when it ended, or null; ISO 8601, UTC")]
    network_type: Annotated[str | None, Meta(description="type of the Q-network")]
    seed: Annotated[int | None, Meta(description="seed of everything random")]
    device: Annotated[str | None, Meta(description="device the learner computed on")]
    episodes: Annotated[int, Meta(description="number of the last episode in the history")]
    model: Annotated[str | None, Meta(description="file name of its model")]
    package_version: Annotated[str | None, Meta(description="version of Hamlet")]
    torch_version: Annotated[str | None, Meta(description="version of torch")]
    parameters: Annotated[dict[str, Any] | None, Meta(description="parameters in force")]
    world_digest: Annotated[
        str | None, Meta(description="digest of the rules of its world; null before version 2")
    ]
    sweep_id: Annotated[str | None, Meta(description="id of the sweep that it is a trial of, or null")]
    sweep_settings: Annotated[
        dict[str, Any] | None, Meta(description="settings by which it differs from other trials, or null")
    ]
    longest: Annotated[int | None, Meta(description="number of steps of the longest episode")]
    best_return: Annotated[float | None, Meta(description="highest return of an episode")]
    evaluation: Annotated[RunEvaluation | None, Meta(description="latest greedy evaluation, or null")]
    best_evaluation: Annotated[
        RunEvaluation | None,
        Meta(description="evaluation with the longest survival, of those the highest return; or null"),
    ]


class RunningRun(Struct, frozen=True):
    """A run without a stored end; `last_heard` is when its last episode ended, or when it began."""

    run_id: str
    source: str
    sweep_id: str | None
    last_heard: str


class StoredCheckpoint(Struct, frozen=True):
    """A checkpoint that a run saved."""

    model: Annotated[str, Meta(description="file name of the model")]
    episode: Annotated[int, Meta(description="number of episodes it was trained for")]
    saved: Annotated[str, Meta(description="when it was saved; ISO 8601, UTC")]


class RunDetails(RunSummary, frozen=True, kw_only=True):
    """One training run with totals over the episodes in the history."""

    steps: Annotated[int, Meta(description="number of steps in all")]
    best_episode: Annotated[int | None, Meta(description="first episode with the highest return")]
    failures: Annotated[dict[str, int], Meta(description="number of episodes by the failure that ended them")]
    checkpoints: Annotated[list[StoredCheckpoint], Meta(description="checkpoints it saved, the latest last")]
