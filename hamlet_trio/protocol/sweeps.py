"""Sweeps on the wire: their parameters, and what is told of their trials."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from hamlet_trio.protocol.world_info import WorldField

MAX_TRIALS: Final = 1000
"""Trials of one sweep, at most."""
MAX_SERVED_TRIALS: Final = 64
"""Trials of a sweep that a server runs, at most: every viewer holds all of them."""
MAX_JOBS: Final = 256

SettingValue = bool | int | float | str
SweepId = Annotated[str, Meta(description="id of the sweep")]
SettingsOfTrial = Annotated[
    dict[str, SettingValue],
    Meta(description="training parameters by which it differs from other trials"),
]
WorldOfTrial = Annotated[
    str | None, Meta(description="name of its world, where the sweep has several; or null")
]


class SweepParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sweep tries: a trial for each seed, with each combination of settings, in each world."""

    seeds: Annotated[
        list[Annotated[int, Meta(ge=0, le=2**32 - 1)]],
        Meta(min_length=1, max_length=MAX_TRIALS, description="seeds of the trials, each once"),
    ]
    settings: Annotated[
        dict[str, Annotated[list[SettingValue], Meta(min_length=1, max_length=100)]],
        Meta(
            max_length=30,
            description="training parameters by name, each with the values to try; one value holds for all",
        ),
    ] = {}
    worlds: Annotated[
        list[WorldField], Meta(max_length=32, description="worlds to try; none: the usual one alone")
    ] = []
    jobs: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_JOBS)] | None,
        Meta(description="trials at once; null: as many as there are cores"),
    ] = None


TrialState = Literal["waiting", "running", "complete", "failed"]
SweepState = Literal["running", "complete", "interrupted"]


class SweepEvaluation(Struct, frozen=True):
    """A greedy evaluation of a trial, from starts that no trial trains on."""

    episode: Annotated[int, Meta(description="number of the episode that it followed")]
    length: Annotated[float, Meta(description="mean steps survived from random starts")]
    usual_length: Annotated[float, Meta(description="steps survived from the usual start")]


class SweepTrial(Struct, frozen=True, kw_only=True):
    """One trial: a run of its own."""

    trial: Annotated[int, Meta(description="number of the trial in its sweep, from 1")]
    run_id: Annotated[str, Meta(description="id of its run, by which the history has it")]
    seed: Annotated[int, Meta(description="its seed")]
    settings: SettingsOfTrial
    world: WorldOfTrial
    num_episodes: Annotated[int, Meta(description="episodes that it trains for")]
    state: Annotated[
        TrialState, Meta(description="a trial that was interrupted, or whose process died, waits again")
    ] = "waiting"
    episode: Annotated[int, Meta(description="number of its last finished episode")] = 0
    evaluations: Annotated[list[SweepEvaluation], Meta(description="its evaluations so far, in order")] = []
    model: Annotated[str | None, Meta(description="file name of its model, once it is complete")] = None
    reason: Annotated[str | None, Meta(description="why it failed, or null")] = None

    @property
    def result(self) -> SweepEvaluation | None:
        """The evaluation after its last episode, once it is complete."""
        return self.evaluations[-1] if self.state == "complete" and self.evaluations else None


class SweepGroup(Struct, frozen=True, kw_only=True):
    """The complete trials that differ in their seeds alone; survival is the mean from random starts."""

    settings: SettingsOfTrial
    world: WorldOfTrial
    trials: Annotated[int, Meta(description="number of complete trials")]
    median: Annotated[float, Meta(description="median of their survival, in steps")]
    best: Annotated[float, Meta(description="survival of the best, in steps")]
    worst: Annotated[float, Meta(description="survival of the worst, in steps")]
    best_trial: Annotated[int, Meta(description="number of the best of them")]


class SweepResult(Struct, frozen=True, kw_only=True):
    """What the complete trials show."""

    groups: Annotated[
        list[SweepGroup],
        Meta(description="one for each combination of settings and world, best median first"),
    ] = []
    best_trial: Annotated[int | None, Meta(description="number of the trial that survives longest")] = None
    model: Annotated[
        str | None, Meta(description="file name of a copy of its model, which is kept; or null")
    ] = None


SweepTrials = Annotated[list[SweepTrial], Meta(description="the trials")]
SweepResultSoFar = Annotated[SweepResult, Meta(description="what the complete trials show so far")]


class SweepStatus(Struct, frozen=True, kw_only=True, tag_field="type", tag="sweep_status"):
    """The sweep that is on, or was last: to everyone at its beginning and end, and to each newcomer."""

    sweep_id: SweepId
    state: Annotated[SweepState, Meta(description="state of the sweep")]
    jobs: Annotated[int, Meta(description="trials at once, at most")]
    trials: SweepTrials
    result: SweepResultSoFar


class SweepProgress(Struct, frozen=True, kw_only=True, tag_field="type", tag="sweep_progress"):
    """How a sweep gets on, at most twice a second."""

    sweep_id: SweepId
    trials: Annotated[list[SweepTrial], Meta(description="the trials that changed, each whole")]
    result: SweepResultSoFar


def fixed_settings(parameters: SweepParameters) -> dict[str, Any]:
    """Return the settings that have one value, which holds for all trials."""
    return {name: values[0] for name, values in parameters.settings.items() if len(values) == 1}
