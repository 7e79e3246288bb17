"""A training run together with its files: what a resume needs, the model, the episodes its charts show."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import msgspec

from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from hamlet_trio.agent.device import DeviceError
from hamlet_trio.agent.learner import LearnerError
from hamlet_trio.agent.models import DEFAULT_MODEL, ModelFolder, ModelNameError, problem_with_name
from hamlet_trio.agent.networks import NetworkError
from hamlet_trio.agent.run_state import RunStateError, decode_run_state, encode_run_state
from hamlet_trio.common.devices import DeviceName
from hamlet_trio.common.encoding import path_from_text, path_to_text
from hamlet_trio.common.files import write_atomically
from hamlet_trio.common.lock import LockedError
from hamlet_trio.common.text import printable
from hamlet_trio.history.records import Ending
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import CheckpointSaved, TrainingHistory
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.episode_series import EpisodeSeries
from hamlet_trio.training.episodes import StepOutcome
from hamlet_trio.training.plan import RunPlan
from hamlet_trio.training.recipe import DEFAULT_RECIPE, Recipe
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.training.run_models import RunModels, is_own_name, own_name
from hamlet_trio.training.run_result import RunResult
from hamlet_trio.training.store import RunNotFoundError, RunRecord, RunStore
from hamlet_trio.world import ConfigError


class StartError(Exception):
    """The run cannot begin; the message is a sentence. With `retry` another attempt may succeed."""

    def __init__(self, reason: str, *, retry: bool = False) -> None:
        super().__init__(reason)
        self.retry = retry


class SaveError(Exception):
    """Something could not be saved, such as on a full disk; what was saved before is whole."""


class ManagedRun:
    """One run and its files; made by `open_run`. All methods but `step` may do file I/O."""

    def __init__(
        self,
        run: TrainingRun,
        *,
        record: RunRecord,
        store: RunStore,
        models: RunModels,
        series: EpisodeSeries,
    ) -> None:
        self.run: Final = run
        self.series: Final = series
        self._record = record
        self._store = store
        self._models = models
        # Environment steps and the seconds they took since the last episode that ended.
        self._steps = 0
        self._seconds = 0.0
        self._save_due = False

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._record.run_id

    @property
    def model_path(self) -> Path:
        """The file that the model is saved as."""
        if self._record.out is not None:
            return Path(path_from_text(self._record.out))
        return self._models.path / str(self._record.file)

    def snapshot_path(self, episode: int) -> Path:
        """Return the file of the model as it is after an episode, beside the model."""
        if self._record.out is None:
            return self.model_path.with_name(own_name(self.run_id, episode))
        return snapshot_beside(self.model_path, episode)

    @property
    def model_saved(self) -> str | None:
        """The file name of the model, once this run has saved it."""
        return self._record.model

    @property
    def has_learnt(self) -> bool:
        """Whether there is a model to save; a run stopped at once must not pass random weights for one."""
        return self.run.completed > 0 or self.run.updates > 0

    @property
    def save_due(self) -> bool:
        """Whether an autosave is due, right after an episode; the end of the run saves by itself."""
        return self._save_due and not self.run.finished

    def step(self) -> tuple[StepOutcome, tuple[EpisodeComplete, ...]]:
        """Make one step; also return the episodes that ended with it, timed. Raises `DivergedError`."""
        run, started = self.run, perf_counter()
        before, every = run.completed, run.parameters.checkpoint_every
        outcome = run.step()
        self._seconds += perf_counter() - started
        self._steps += run.parameters.num_envs
        self._save_due = run.completed // every > before // every
        if not outcome.records:
            return outcome, ()
        # The speed of learning alone: the waits of a shown episode and pauses do not count.
        speed = self._steps / max(self._seconds, 1e-9)
        self._steps, self._seconds = 0, 0.0
        completed = tuple(
            msgspec.structs.replace(record, steps_per_second=speed) for record in outcome.records
        )
        for complete in completed:
            self.series.append(complete)
        return outcome, completed

    def save(self) -> CheckpointSaved:
        """Save what a resume needs and the model. Raises `SaveError`."""
        self._save_state()
        if self.has_learnt:
            self._save_model()
        self._update(episode=self.run.completed)
        return CheckpointSaved(printable(self.model_path.name), self.run.completed)

    def end(self, how: Ending, reason: str | None = None) -> RunResult:
        """Save for the last time; a run that failed, for this `reason`, keeps the model it saved last.

        An interrupted run keeps what a resume needs. A finished one drops it, unless its model could not be
        saved: then it stays resumable from its last save.
        """
        problem, saved = reason, None
        try:
            if how == "interrupted":
                if self.run.steps > 0:
                    saved = self.save()
            else:
                if how != "failed" and self.has_learnt:
                    self._save_final_model()
                    saved = CheckpointSaved(printable(self.model_path.name), self.run.completed)
                if self._record.model is not None and self._record.out is None:
                    _saving(lambda: self._models.publish(self.model_path), DEFAULT_MODEL)
                self._record = msgspec.structs.replace(
                    self._record, state=how, reason=reason, episode=self.run.completed
                )
                _saving(lambda: self._store.finish(self._record), "The run's record")
                self._models.prune()
        except SaveError as error:
            problem = str(error) if reason is None else f"{reason} {error}"
        reward, length = self.run.recent_means()
        return RunResult(
            how=how,
            run_id=self.run_id,
            parameters=self.run.parameters,
            episodes=self.run.completed,
            steps=self.run.steps,
            average_reward=reward,
            average_length=length,
            model=None if self.model_saved is None else self.model_path,
            saved=saved if self.has_learnt else None,
            problem=problem,
        )

    def _save_state(self) -> None:
        state = {
            "run": self.run.state_dict(),
            "history": msgspec.to_builtins(self.series.message()),
        }
        data = zlib.compress(encode_run_state(state), level=1)
        _saving(lambda: self._store.write_state(self.run_id, data), "The run's state")

    def _save_final_model(self) -> None:
        """Save the model; a file named after the run's episodes is renamed if there were fewer, or more."""
        before, name = self.model_path, own_name(self.run_id, self.run.completed)
        if self._record.out is None and is_own_name(before.name):
            self._record = msgspec.structs.replace(self._record, file=name)
        self._save_model()
        if self.model_path != before:
            _saving(lambda: self._models.drop(before), "The earlier model")

    def _save_model(self) -> None:
        if self._record.out is not None and not self._record.previous_kept:
            _saving(lambda: _keep_previous(self.model_path), "The previous model")
            self._update(previous_kept=True)
        try:
            self.model_path.parent.mkdir(parents=True, exist_ok=True)
            save_checkpoint(self.model_path, self.run.checkpoint())
        except CheckpointError as error:
            raise SaveError(str(error)) from error
        except OSError as error:
            raise SaveError(f"The models folder cannot be made: {error.strerror}.") from error
        self._update(model=printable(self.model_path.name))

    def _update(self, **changes: Any) -> None:
        self._record = msgspec.structs.replace(self._record, **changes)
        _saving(lambda: self._store.write(self._record), "The run's record")


def snapshot_beside(out: Path, episode: int) -> Path:
    """Return the file of a snapshot of a run whose model is saved as `out`."""
    return out.with_name(f"checkpoint_ep{episode}.pt")


@contextmanager
def training_here(store: RunStore, run_id: str) -> Iterator[None]:
    """Hold the run's lock; raises `StartError` if another process trains it or its folder cannot be used."""
    lock = store.training(run_id)
    try:
        lock.acquire()
    except LockedError as error:
        raise StartError(f"Run {run_id} is trained by another process.", retry=True) from error
    except OSError as error:
        raise StartError(f"The data folder {store.data_dir} cannot be used: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


def open_run(
    plan: RunPlan,
    settings: Settings,
    *,
    out: Path | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
) -> ManagedRun:
    """Set up the planned run, or the one to resume; not saved yet, that begins anew.

    The model is saved as `out`; without, where the run saved it before, else in the folder of runs' models.
    Raises `StartError` if parameters, a model to start from, the device or the saved state cannot be used.
    """
    run_id, parameters = plan.run_id, plan.parameters
    store = RunStore(Path(settings.data_dir))
    models = ModelFolder.of(models_dir=settings.models_dir, data_dir=settings.data_dir)
    try:
        known = store.read(run_id) if plan.resume else None
    except RunNotFoundError:
        known = None
    record = known or RunRecord(run_id=run_id, parameters=parameters, number=_next_number(store))
    named = None if out is None else path_to_text(str(out.absolute()))
    if named is not None and named != record.out:
        record = msgspec.structs.replace(record, out=named, previous_kept=False)
    if record.out is None and (record.file is None or problem_with_name(record.file)):
        # What a run of the version before saved lies in the models folder, where none writes any more.
        file = plan.file or own_name(run_id, parameters.num_episodes)
        record = msgspec.structs.replace(record, file=file, model=None)
    try:
        state = store.read_state(run_id) if plan.resume else None
        if state is None:
            source = _checkpoint_to_start_from(plan, models)
            run = TrainingRun(parameters, device=settings.device, recipe=recipe, start_from=source)
            series = EpisodeSeries()
        else:
            run, series = _restore(state, parameters, device=settings.device, recipe=recipe)
        record = msgspec.structs.replace(record, parameters=run.parameters, episode=run.completed)
        if record != known:  # a trainer that died goes on also while the disk is full
            store.write(record)
    except RunStateError as error:
        raise StartError(f"The saved state of run {run_id} cannot be used: {error}") from error
    except (CheckpointError, ModelNameError, LearnerError, NetworkError, DeviceError, ConfigError) as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(f"The run's folder cannot be used: {error.strerror}.") from error
    return ManagedRun(
        run,
        record=record,
        store=store,
        models=RunModels(store, kept=settings.models_kept),
        series=series,
    )


def _restore(
    state: bytes, parameters: TrainingParameters, *, device: DeviceName, recipe: Recipe
) -> tuple[TrainingRun, EpisodeSeries]:
    """Return a run and its episodes as they were saved; raises `RunStateError`, and `DeviceError`."""
    series = EpisodeSeries()
    try:
        saved = decode_run_state(zlib.decompress(state))
        run = TrainingRun(parameters, device=device, recipe=recipe, sizes=saved["run"]["sizes"])
        run.load_state_dict(saved["run"])
        series.replace(msgspec.convert(saved["history"], TrainingHistory))
    except (RunStateError, DeviceError):
        raise
    # Torch and numpy raise many kinds of errors for values of another type or shape.
    except Exception as error:
        raise RunStateError(printable(f"{type(error).__name__}: {error}", 200)) from error
    return run, series


def _next_number(store: RunStore) -> int:
    try:
        return store.next_number()
    except OSError as error:
        raise StartError(f"The data folder {store.data_dir} cannot be used: {error.strerror}.") from error


def _checkpoint_to_start_from(plan: RunPlan, models: ModelFolder) -> Checkpoint | None:
    source = plan.parameters.resume_from
    if source is None or not source.endswith(".pt"):
        return None
    return load_checkpoint(models.resolve(source))


def _keep_previous(path: Path) -> None:
    """Keep the model that this run replaces beside the new one: `trained_agent.previous.pt`."""
    if path.exists():
        write_atomically(path.with_suffix(f".previous{path.suffix}"), path.read_bytes())


def _saving(write: Callable[[], None], what: str) -> None:
    try:
        write()
    except OSError as error:
        raise SaveError(
            f"{what} could not be saved: {error.strerror}; what was saved before is whole."
        ) from error
