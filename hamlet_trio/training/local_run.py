"""Training without a server: a run from its parameters to a model file, for the command line."""

import os
from collections.abc import Callable, Container
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from hamlet_trio.agent.checkpoint import CheckpointError, save_checkpoint
from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.agent.update import DivergedError
from hamlet_trio.common.devices import DeviceName
from hamlet_trio.common.lock import LockedError
from hamlet_trio.history import HistoryDatabase, HistoryError
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.protocol.messages import CheckpointSaved
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.training.kept_run import KeptRun
from hamlet_trio.training.plan import make_plan
from hamlet_trio.training.recipe import DEFAULT_RECIPE, Recipe
from hamlet_trio.training.recorder import Recorder
from hamlet_trio.training.run import StepOutcome, TrainingRun
from hamlet_trio.training.scalars import FOLDER, EpisodeScalars, TensorBoardMissingError
from hamlet_trio.training.session import Ending, SaveError, StartError, TrainingSession, open_session
from hamlet_trio.training.store import RunStore
from hamlet_trio.world import WorldConfig

__all__ = ["DivergedError", "SaveError", "StartError", "TrainingResult", "train_to_file"]


class TrainingResult(Struct, frozen=True, kw_only=True):
    """How a run ended. An interrupted one can go on: `resume_from` its `run_id`.

    `model` is the file saved, None if nothing was learnt yet; the means are over the last five episodes.
    """

    how: Ending
    run_id: str
    parameters: TrainingParameters
    episodes: int
    steps: int
    average_reward: float
    average_length: float
    model: Path | None


def _ignore(_: object) -> None:
    """Nobody listens."""


def train_to_file(
    parameters: TrainingParameters,
    out: Path | None,
    *,
    data_dir: Path,
    models_dir: Path,
    device: DeviceName = "auto",
    world_config: WorldConfig | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
    snapshots: Container[int] = (),
    history: HistoryDatabase | None = None,
    recordings: RecordingFolder | None = None,
    record_every: int = 0,
    tensorboard: bool = False,
    on_start: Callable[[TrainingRun], object] = _ignore,
    on_step: Callable[[StepOutcome], object] = _ignore,
    on_episode: Callable[[EpisodeComplete], object] = _ignore,
    on_save: Callable[[CheckpointSaved], object] = _ignore,
    on_save_problem: Callable[[SaveError], object] = _ignore,
    on_history_problem: Callable[[HistoryError], object] = _ignore,
    on_recording_problem: Callable[[str], object] = _ignore,
    on_tensorboard_problem: Callable[[str], object] = _ignore,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainingResult:
    """Make a run and save its model as `out`, also every `checkpoint_every` episodes.

    Without `out` it is saved where a resumed run saved it before, else as `trained_agent.pt` in `models_dir`.
    After each episode in `snapshots` the model is also kept beside it, as `checkpoint_ep<episode>.pt`.
    With `history` the run and its episodes are kept there; trouble with it is told once to
    `on_history_problem` and training goes on.
    With `recordings` the episodes worth seeing again are kept there, as `Recorder` says; that one could not
    be is told once to `on_recording_problem`.
    With `tensorboard` its event files go into the run's folder under `data_dir`/tensorboard.
    What a resume needs is kept under `data_dir` meanwhile. `parameters.resume_from` is an interrupted run's
    id, whose own parameters then hold, or a model in `models_dir`. `should_stop` is asked before every step;
    once it says yes, the run is saved so that it can be resumed, and ends. `on_start` is given the run before
    its first step, with the parameters in force.

    Uses as many threads of torch as the process is set to.

    Raises `StartError` when the run cannot begin or `out` cannot be written, `DivergedError` when its loss
    is not finite any more, and `SaveError` when its end cannot be saved; a failing autosave or snapshot is
    told to `on_save_problem` and training goes on.
    """
    if out is not None:
        _check_out(out)
    store = RunStore(data_dir)
    models = ModelFolder(models_dir)
    try:
        plan = make_plan(parameters, store, models)
    except BadMessageError as error:
        raise StartError(error.message) from error
    scalars = None
    if tensorboard:
        scalars = _scalars(data_dir / FOLDER / plan.run_id, on_tensorboard_problem)
    with ExitStack() as stack:
        _hold(stack, store, plan.run_id, data_dir)
        session = open_session(
            plan.run_id,
            plan.parameters,
            store=store,
            models=models,
            model_path=out,
            resume=plan.resume,
            device=device,
            world_config=world_config,
            recipe=recipe,
            scalars=scalars,
        )
        kept = stack.enter_context(KeptRun(history, plan.run_id, on_history_problem))
        kept.began(session.run, store)
        past = session.history.message().episodes
        recorder = None
        if recordings is not None:
            recorder = Recorder(recordings, plan.run_id, every=record_every, past=past)
        on_start(session.run)
        how: Ending = "complete"
        while not session.run.finished:
            if should_stop():
                how = "interrupted"
                break
            try:
                outcome, completed = session.step()
            except DivergedError as error:
                session.fail(str(error))
                raise
            if recorder is not None and (missed := recorder.note(outcome, session.run)):
                on_recording_problem(missed)
            on_step(outcome)
            for complete in completed:
                kept.episode(complete)
                on_episode(complete)
                if complete.episode in snapshots:
                    _keep_snapshot(session, complete.episode, on_save_problem)
            if session.save_due:
                _autosave(session, kept, on_save, on_save_problem)
        problem = session.end(how)
        kept.ended(how if problem is None else "failed", reason=problem, model=session.model_saved)
    if problem is not None:
        raise SaveError(problem)
    reward, length = session.run.recent_means()
    return TrainingResult(
        how=how,
        run_id=plan.run_id,
        parameters=session.run.parameters,
        episodes=session.run.completed,
        steps=session.run.steps,
        average_reward=reward,
        average_length=length,
        model=(out or session.model_path) if session.model_saved is not None else None,
    )


def _hold(stack: ExitStack, store: RunStore, run_id: str, data_dir: Path) -> None:
    try:
        stack.enter_context(store.training(run_id))
    except LockedError as error:
        raise StartError(f"Run {run_id} is trained by another process.") from error
    except OSError as error:
        raise StartError(f"The data folder {data_dir} cannot be used: {error.strerror}.") from error


def _scalars(folder: Path, on_problem: Callable[[str], object]) -> EpisodeScalars:
    try:
        return EpisodeScalars(folder, on_problem)
    except TensorBoardMissingError as error:
        raise StartError(str(error)) from error


def _autosave(
    session: TrainingSession,
    kept: KeptRun,
    on_save: Callable[[CheckpointSaved], object],
    on_problem: Callable[[SaveError], object],
) -> None:
    try:
        saved = session.save()
    except SaveError as error:
        on_problem(error)
        return
    kept.saved(saved)
    on_save(saved)


def _keep_snapshot(session: TrainingSession, episode: int, on_problem: Callable[[SaveError], object]) -> None:
    path = session.model_path.with_name(f"checkpoint_ep{episode}.pt")
    try:
        save_checkpoint(path, session.run.checkpoint())
    except (OSError, CheckpointError) as error:
        on_problem(SaveError(f"The snapshot {path} was not saved: {error}"))


def _check_out(out: Path) -> None:
    """Refuse a file that could not be saved, before hours are spent on what it should hold."""
    if out.is_dir():
        raise StartError(f"{out} is a folder; name a file, such as {out / 'my_agent.pt'}.")
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise StartError(f"{out} cannot be saved: {folder} is no folder that can be written to.")
