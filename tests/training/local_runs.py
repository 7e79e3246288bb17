"""Runs without a server, and listeners that collect what is reported of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import CheckpointSaved
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.episode_series import EpisodeSeries
from hamlet_trio.training.episodes import StepOutcome
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.local_run import train_to_file
from hamlet_trio.training.managed_run import ManagedRun
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.training.run_models import RunModels
from hamlet_trio.training.run_result import RunResult
from hamlet_trio.training.store import RunRecord, RunStore


class Listener(RunListener):
    """Collects what is reported of a run."""

    def __init__(self) -> None:
        self.started: list[ManagedRun] = []
        self.steps: list[int] = []
        self.episodes: list[EpisodeComplete] = []
        self.saved: list[CheckpointSaved] = []
        self.problems: list[str] = []

    def on_start(self, managed: ManagedRun) -> None:
        self.started.append(managed)

    def on_step(self, outcome: StepOutcome, *, watched: bool) -> None:
        self.steps.append(outcome.step)

    def on_episode(self, complete: EpisodeComplete) -> None:
        self.episodes.append(complete)

    def on_save(self, saved: CheckpointSaved) -> None:
        self.saved.append(saved)

    def on_problem(self, problem: Exception | str) -> None:
        self.problems.append(str(problem))


def folders(path: Path, **settings: Any) -> Settings:
    """Settings of a run that keeps its files below a folder and records nothing unless told to."""
    mine = {"models_dir": str(path / "models"), "data_dir": str(path / "data"), "device": "cpu"}
    return Settings(**{**mine, "record_every": 0, **settings})


def train(
    path: Path, parameters: TrainingParameters, *, settings: dict[str, Any] | None = None, **options: Any
) -> RunResult:
    """Make a run whose files lie below a folder."""
    return train_to_file(parameters, folders(path, **(settings or {})), **options)


def after(steps: int) -> Any:
    """A `should_stop` that is false so many times."""
    left = iter(range(steps))
    return lambda: next(left, None) is None


def finish(run: TrainingRun) -> list[StepOutcome]:
    """Make the rest of a run."""
    outcomes = []
    while not run.finished:
        outcomes.append(run.step())
    return outcomes


def managed(run: TrainingRun, run_id: str, past: Sequence[EpisodeComplete] = ()) -> ManagedRun:
    """A run as listeners get it, with these episodes behind it, whose files are never written."""
    series = EpisodeSeries()
    for episode in past:
        series.append(episode)
    nowhere = Path("nowhere")
    record = RunRecord(run_id=run_id, parameters=run.parameters)
    store = RunStore(nowhere)
    return ManagedRun(run, record=record, store=store, models=RunModels(store, kept=1), series=series)
