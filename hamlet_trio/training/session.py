"""A run with what keeps it: its folder, the model it saves, the charts it has drawn so far.

The trainer process and the command line both drive one, so that saving, resuming and ending are the same.
"""

import zlib
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, Final, Literal

import msgspec

from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from hamlet_trio.agent.device import DeviceError
from hamlet_trio.agent.learner import LearnerError
from hamlet_trio.agent.models import DEFAULT_MODEL, ModelFolder, ModelNameError
from hamlet_trio.agent.run_state import RunStateError, decode_run_state, encode_run_state
from hamlet_trio.common.devices import DeviceName
from hamlet_trio.common.files import write_atomically
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import CheckpointSaved, TrainingHistory
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.episode_series import EpisodeSeries
from hamlet_trio.training.recipe import DEFAULT_RECIPE, Recipe
from hamlet_trio.training.run import EpisodeRecord, StepOutcome, TrainingRun
from hamlet_trio.training.scalars import EpisodeScalars
from hamlet_trio.training.store import RunNotFoundError, RunRecord, RunStore
from hamlet_trio.world import ConfigError, WorldConfig

Ending = Literal["complete", "stopped", "interrupted"]


class StartError(Exception):
    """The run cannot begin, now or at another attempt; the message is a sentence for a person."""


class SaveError(Exception):
    """Something could not be saved, such as on a full disk; what was saved before is whole."""


class TrainingSession:
    """One run and its files; made by `open_session`. All methods but `step` may do file I/O."""

    def __init__(
        self,
        run: TrainingRun,
        *,
        record: RunRecord,
        store: RunStore,
        model_path: Path,
        history: EpisodeSeries,
        scalars: EpisodeScalars | None = None,
    ) -> None:
        self.run: Final = run
        self.history: Final = history
        self._record = record
        self._store = store
        self._scalars = scalars
        self.model_path: Final = model_path
        # Environment steps and the seconds they took since the last episode that ended.
        self._steps = 0
        self._seconds = 0.0
        self._save_due = False

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
        """Make one step, and the record of each episode that ended with it. Raises `DivergedError`."""
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
        completed = tuple(_complete(record, speed) for record in outcome.records)
        for complete in completed:
            self.history.append(complete)
            if self._scalars is not None:
                self._scalars.add(complete, run.steps)
        return outcome, completed

    def save(self) -> CheckpointSaved:
        """Save what a resume needs and the model. Raises `SaveError`."""
        self._save_state()
        if self.has_learnt:
            self._save_model()
        self._update(episode=self.run.completed)
        return CheckpointSaved(self.model_path.name, self.run.completed)

    def end(self, how: Ending) -> str | None:
        """Save for the last time; returns why that failed, if it did.

        An interrupted run keeps what a resume needs. A finished one drops it, unless its model could not be
        saved: then it stays resumable from its last save.
        """
        self._close_scalars()
        try:
            if how == "interrupted":
                if self.run.steps > 0:
                    self.save()
                return None
            if self.has_learnt:
                self._save_model()
            self._finish(state=how)
        except SaveError as error:
            return str(error)
        return None

    def fail(self, reason: str) -> None:
        """The run cannot go on, now or ever; its last saved model stays. Raises `SaveError`."""
        self._close_scalars()
        self._finish(state="failed", reason=reason)

    def _close_scalars(self) -> None:
        if self._scalars is not None:
            self._scalars.close()

    def _save_state(self) -> None:
        state = {
            "run": self.run.state_dict(),
            "history": msgspec.to_builtins(self.history.message()),
        }
        data = zlib.compress(encode_run_state(state), level=1)
        _saving(lambda: self._store.write_state(self._record.run_id, data), "The run's state")

    def _save_model(self) -> None:
        if not self._record.previous_kept:
            _saving(lambda: _keep_previous(self.model_path), "The previous model")
            self._update(previous_kept=True)
        try:
            self.model_path.parent.mkdir(parents=True, exist_ok=True)
            save_checkpoint(self.model_path, self.run.checkpoint())
        except CheckpointError as error:
            raise SaveError(str(error)) from error
        except OSError as error:
            raise SaveError(f"The models folder cannot be made: {error.strerror}.") from error
        self._update(model=self.model_path.name)

    def _finish(self, *, state: Literal["complete", "stopped", "failed"], reason: str | None = None) -> None:
        self._record = msgspec.structs.replace(
            self._record, state=state, reason=reason, episode=self.run.completed
        )
        _saving(lambda: self._store.finish(self._record), "The run's record")

    def _update(self, **changes: Any) -> None:
        self._record = msgspec.structs.replace(self._record, **changes)
        _saving(lambda: self._store.write(self._record), "The run's record")


def open_session(
    run_id: str,
    parameters: TrainingParameters,
    *,
    store: RunStore,
    models: ModelFolder,
    model_path: Path | None = None,
    resume: bool,
    device: DeviceName = "auto",
    world_config: WorldConfig | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
    scalars: EpisodeScalars | None = None,
) -> TrainingSession:
    """Set up a run, or with `resume` one that was saved before; not yet saved, it begins anew.

    `parameters` are the run's own, with the seed. `world_config` must be the same at each resume. The model
    is saved as `model_path`; without, where the run saved it before, or as `trained_agent.pt` in `models`.
    `scalars` are told each episode.
    Raises `StartError` if they, a model to start from, the device or the saved state cannot be used.
    """
    try:
        known = store.read(run_id) if resume else None
    except RunNotFoundError:
        known = None
    record = known or RunRecord(run_id=run_id, parameters=parameters)
    if model_path is not None and str(model_path.absolute()) != record.out:
        record = msgspec.structs.replace(record, out=str(model_path.absolute()), previous_kept=False)
    model_path = models.path / DEFAULT_MODEL if record.out is None else Path(record.out)
    try:
        state = store.read_state(run_id) if resume else None
        saved = None if state is None else decode_run_state(zlib.decompress(state))
        run = TrainingRun(
            parameters,
            world_config=world_config,
            device=device,
            recipe=recipe,
            start_from=None if saved else _checkpoint_to_start_from(parameters, models),
            sizes=saved and saved["run"]["sizes"],
        )
        history = EpisodeSeries()
        if saved is not None:
            run.load_state_dict(saved["run"])
            history.replace(msgspec.convert(saved["history"], TrainingHistory))
        record = msgspec.structs.replace(record, parameters=run.parameters, episode=run.completed)
        if record != known:  # a trainer that died goes on also while the disk is full
            store.write(record)
    except (CheckpointError, ModelNameError, LearnerError, DeviceError, ConfigError) as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(f"The run's folder cannot be used: {error.strerror}.") from error
    except (RunStateError, zlib.error, KeyError, ValueError) as error:
        raise StartError(f"The saved state of run {run_id} cannot be used: {error}") from error
    return TrainingSession(
        run, record=record, store=store, model_path=model_path, history=history, scalars=scalars
    )


def _complete(record: EpisodeRecord, speed: float) -> EpisodeComplete:
    fields = msgspec.structs.asdict(record)
    del fields["world"]
    if record.evaluation is None:
        del fields["evaluation"]
    return EpisodeComplete(**fields, steps_per_second=speed)


def _checkpoint_to_start_from(parameters: TrainingParameters, models: ModelFolder) -> Checkpoint | None:
    source = parameters.resume_from
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
