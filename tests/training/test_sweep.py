"""A sweep: its trials as planned, as trained beside each other, interrupted and resumed."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import trio

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.history import HistoryReader, HistoryWriter, history_path
from hamlet_trio.history.queries import EpisodesQuery, RunsQuery
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.protocol.sweeps import SweepEvaluation, SweepParameters, SweepTrial
from hamlet_trio.settings import Settings
from hamlet_trio.training.local_run import train_to_file
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.sweep.sweep_results import result_of
from hamlet_trio.training.sweep.sweep_run import SweepRun, SweepStartError, open_sweep
from hamlet_trio.training.sweep.sweep_store import SweepNotFoundError, SweepRecord, SweepStore
from hamlet_trio.training.sweep.trial_runner import copy_model
from hamlet_trio.training.sweep.trials import PlannedTrial, plan_trials
from tests.patience import PATIENCE
from tests.training.local_runs import folders

EPISODES = 8
# Saved every second episode; each of the 300 updates of an episode takes time in which a test can act.
SHORT: dict[str, list[Any]] = {
    "num_episodes": [EPISODES],
    "network_type": ["qnetwork"],
    "max_steps": [20],
    "batch_size": [8],
}


def planned(path: Path, **fields: Any) -> list[PlannedTrial]:
    settings = folders(path)
    models = ModelFolder.of(models_dir=settings.models_dir, data_dir=settings.data_dir)
    parameters = SweepParameters(**{"seeds": [1, 2], "settings": SHORT, **fields})
    return plan_trials(parameters, RunStore(Path(settings.data_dir)), models)


def test_every_combination_is_tried_with_every_seed(tmp_path: Path) -> None:
    settings = SHORT | {"gamma": [0.9, 1], "learning_rate": [1e-3, 3e-4]}
    trials = planned(tmp_path, settings=settings, worlds=[None, {"title": "Small", "width": 9}])
    assert [one.trial.trial for one in trials] == list(range(1, 17))
    assert {(one.parameters.seed, one.parameters.gamma, one.parameters.learning_rate) for one in trials} == {
        (seed, gamma, rate) for seed in (1, 2) for gamma in (0.9, 1.0) for rate in (1e-3, 3e-4)
    }
    first, last = trials[0], trials[-1]
    assert (first.trial.world, first.parameters.world) == ("usual", None)
    assert (last.trial.world, last.trial.seed) == ("Small", 2)
    assert isinstance(last.parameters.world, dict)
    assert last.parameters.world["width"] == 9
    # What all trials share is not told with each of them.
    assert last.trial.settings == {"gamma": 1, "learning_rate": 3e-4}


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"seeds": [1, 1]}, "seeds", "twice"),
        ({"seeds": list(range(33)), "settings": {"gamma": [0.9, 0.8]}}, "seeds", "66 trials"),
        ({"settings": {"seed": [1]}}, "settings.seed", "no setting of a sweep"),
        ({"settings": {"gamma": [0.9, 0.9]}}, "settings.gamma", "twice"),
        ({"settings": {"gamma": [0.9, 1.5]}}, "settings.gamma", "a number from 0 to 1; 1.5"),
        ({"settings": {"gamma": ["much"]}}, "settings.gamma", "a number from 0 to 1; much"),
        ({"settings": {"batch_size": [512], "buffer_capacity": [100]}}, "settings", "buffer_capacity (100)"),
        ({"worlds": ["nowhere"]}, "worlds", "nowhere"),
    ],
)
def test_what_cannot_be_tried_is_refused(
    fields: dict[str, Any], field: str, words: str, tmp_path: Path
) -> None:
    settings = folders(tmp_path)
    models = ModelFolder.of(models_dir=settings.models_dir, data_dir=settings.data_dir)
    parameters = SweepParameters(**{"seeds": [1], **fields})
    with pytest.raises(BadMessageError) as refusal:
        plan_trials(parameters, RunStore(tmp_path), models, most=64)
    assert refusal.value.field == field
    assert words in refusal.value.message
    assert refusal.value.command == "start_sweep"


def trial(number: int, length: float | None, **fields: Any) -> SweepTrial:
    evaluations = [] if length is None else [SweepEvaluation(8, length, 500.0)]
    defaults = {
        "run_id": "",
        "seed": number,
        "settings": {},
        "world": None,
        "num_episodes": 8,
        "state": "waiting" if length is None else "complete",
        "model": None if length is None else f"{number}.pt",
    }
    return SweepTrial(**{**defaults, "trial": number, "evaluations": evaluations, **fields})


def test_results_are_of_complete_trials_by_settings_and_world() -> None:
    low, high = {"gamma": 0.5}, {"gamma": 0.9}
    result = result_of(
        "20260101-000000-aaaaaa",
        [
            trial(1, 100.0, settings=low),
            trial(2, 300.0, settings=low),
            trial(3, 110.0, settings=low),
            trial(4, 300.0, settings=high),
            trial(5, 280.0, settings=high),
            trial(6, 490.0, settings=high, state="failed"),
            trial(7, None, settings=high),
        ],
    )
    first, second = result.groups
    assert (first.settings, first.trials, first.median, first.best, first.worst) == (high, 2, 290, 300, 280)
    assert (second.settings, second.trials, second.median, second.best_trial) == (low, 3, 110, 2)
    assert (result.best_trial, result.model) == (2, "sweep-20260101-000000-aaaaaa.pt")
    assert result_of("20260101-000000-aaaaaa", [trial(1, None)]).best_trial is None


def test_only_a_sweep_of_the_same_trials_goes_on(tmp_path: Path) -> None:
    store, trials = SweepStore(tmp_path), planned(tmp_path)
    record = SweepRecord.new(trials)
    store.write(record)
    assert store.read(record.sweep_id) == record
    assert store.find_unfinished(trials) == record
    assert store.find_unfinished(planned(tmp_path, seeds=[1, 3])) is None
    for one in record.told():
        record = record.with_trial(trial(one.trial, 50.0))
    store.write(record)
    assert store.find_unfinished(trials) is None
    (tmp_path / "sweeps" / record.sweep_id / "sweep.json").write_text('{"form": 2}')
    with pytest.raises(SweepNotFoundError, match="newer Hamlet"):
        store.read(record.sweep_id)
    assert store.find_unfinished(trials) is None
    for unknown in ("../models", "20260101-000000-aaaaaa"):
        with pytest.raises(SweepNotFoundError, match="no sweep"):
            store.read(unknown)


async def swept(
    settings: Settings, trials: list[PlannedTrial], on_change: Callable[[SweepRun, SweepTrial], None]
) -> SweepRun:
    """Run a sweep of these trials to its end, two at once."""
    history = HistoryWriter(settings)
    told: list[SweepTrial] = []

    def note(trial: SweepTrial) -> None:
        told.append(trial)
        on_change(sweep, trial)

    sweep = open_sweep(
        trials, settings, jobs=2, history=history, on_change=note, log=get_logger(service="test")
    )
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(history.run)
            await sweep.run()
            nursery.cancel_scope.cancel()
    return sweep


async def test_the_best_model_is_kept_also_where_trials_end_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    lengths = {1: 100.0, 2: 200.0}
    first_is_copied, best_is_copied = trio.Event(), threading.Event()

    class Finished:
        """A trial that has its model already; the better one ends while the other's model is copied."""

        def __init__(self, planned: PlannedTrial, *_: object, **others: Any) -> None:
            self._number = planned.trial.trial
            self._on_change = others["on_change"]

        async def run(self) -> SweepTrial:
            if self._number == 2:
                await first_is_copied.wait()
            ended = trial(self._number, lengths[self._number])
            (models / str(ended.model)).write_text(f"model {self._number}")
            self._on_change(ended)
            return ended

    def copy(data_dir: Path, model: str, name: str) -> None:
        if model == "1.pt":
            trio.from_thread.run_sync(first_is_copied.set)
            best_is_copied.wait(0.5)  # for as long as another copy could overtake this one
        copy_model(data_dir, model, name)
        best_is_copied.set()

    monkeypatch.setattr("hamlet_trio.training.sweep.sweep_run.TrialRunner", Finished)
    monkeypatch.setattr("hamlet_trio.training.sweep.sweep_run.copy_model", copy)
    settings = msgspec.structs.replace(folders(tmp_path), data_dir=str(tmp_path))
    sweep = await swept(settings, planned(tmp_path), lambda *_: None)
    assert (models / str(sweep.result().model)).read_text() == "model 2"


def trainer_of(trial: SweepTrial) -> psutil.Process:
    """The process that trains a trial, which has its lock open."""
    (found,) = [
        child
        for child in psutil.Process().children()
        if any(f"/{trial.run_id}/" in file.path for file in child.open_files())
    ]
    return found


async def test_a_killed_worker_costs_no_episode_and_changes_no_weight(tmp_path: Path) -> None:
    settings, trials = folders(tmp_path), planned(tmp_path)
    killed: list[str] = []
    again: list[int] = []

    def kill(sweep: SweepRun, trial: SweepTrial) -> None:
        if trial.trial == 1 and trial.episode == 3 and not killed:
            trainer_of(trial).kill()
            killed.append(trial.run_id)
            with pytest.raises(SweepStartError, match="by another process"):
                open_sweep(
                    trials,
                    settings,
                    jobs=1,
                    history=HistoryWriter(settings),
                    on_change=lambda _: None,
                    log=get_logger(service="test"),
                )
        elif killed and trial.run_id in killed:
            again.append(trial.episode)

    status = (await swept(settings, trials, kill)).status()
    assert again[0] < EPISODES, "it was killed too late to be of use"
    assert min(again) == 2, "it went on from its last save"
    reader = HistoryReader(history_path(settings))
    assert len(reader.runs(RunsQuery(sweep=status.sweep_id))) == 2
    for one, plan in zip(status.trials, trials, strict=True):
        assert one.state == "complete"
        assert [each.episode for each in one.evaluations] == list(range(1, EPISODES + 1))
        episodes = reader.episodes(one.run_id, EpisodesQuery())
        assert [each.episode for each in episodes] == list(range(1, EPISODES + 1))
        run = reader.run(one.run_id)
        assert (run.source, run.sweep_id, run.state, run.seed) == (
            "sweep",
            status.sweep_id,
            "complete",
            one.seed,
        )
        alone = train_to_file(plan.parameters, folders(tmp_path / "alone"))
        assert alone.model is not None
        assert one.model is not None
        models = Path(settings.data_dir) / "models"
        assert (models / one.model).read_bytes() == alone.model.read_bytes()
    best = status.trials[(status.result.best_trial or 0) - 1]
    copy = Path(settings.data_dir) / "models" / str(status.result.model)
    assert copy.read_bytes() == (copy.parent / str(best.model)).read_bytes()
    assert SweepStore(Path(settings.data_dir)).read(status.sweep_id).state == "complete"
    assert not list((Path(settings.data_dir) / "sweeps" / status.sweep_id / "trials").iterdir())
