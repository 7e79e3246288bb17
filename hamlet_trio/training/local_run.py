"""Training without a server: a run from its parameters to a model file, for the command line."""

import os
from collections.abc import Callable, Collection, Container, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hamlet_trio.agent.checkpoint import CheckpointError, save_checkpoint
from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.agent.update import DivergedError
from hamlet_trio.common.encoding import path_to_text
from hamlet_trio.common.lock import FileLock, LockedError
from hamlet_trio.history import HistoryDatabase
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.history_listener import HistoryListener
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.loop import TrainingLoop
from hamlet_trio.training.managed_run import (
    ManagedRun,
    SaveError,
    StartError,
    open_run,
    snapshot_beside,
    training_here,
)
from hamlet_trio.training.plan import RunPlan, make_plan
from hamlet_trio.training.recipe import DEFAULT_RECIPE, Recipe
from hamlet_trio.training.recorder import Recorder
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.training.run_result import RunResult
from hamlet_trio.training.scalars import EpisodeScalars
from hamlet_trio.training.store import RunStore

__all__ = ["DivergedError", "RunResult", "SaveError", "StartError", "train_to_file"]


def train_to_file(
    parameters: TrainingParameters,
    settings: Settings,
    *,
    out: str | Path | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
    snapshots: Collection[int] = (),
    overwrite: bool = False,
    history: HistoryDatabase | None = None,
    listener: RunListener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RunResult:
    """Make a run and save its model as `out`, also every `checkpoint_every` episodes.

    `parameters.resume_from` is the id of an interrupted run, whose own parameters then hold, or a model.
    Without `out` the model is saved where a resumed run saved it before, else as a file of the run's own in
    the data folder. After each episode in `snapshots` it is also kept beside that, with `out` as
    `checkpoint_ep<episode>.pt`. A file of another run is replaced only with `overwrite`. `settings` name the
    folders and say what is recorded; with `history` the run and its episodes are written there too.
    `listener` hears of the run, also of what could not be saved, recorded or written; training goes on then.
    `should_stop` is called before every step; once it returns True, the run is saved so that it can be
    resumed, and ends.

    Uses as many threads of torch as the process is set to.

    Raises `StartError` when the run cannot begin or `out` cannot be written, `DivergedError` when its loss
    is no longer finite, and `SaveError` when its end cannot be saved.
    """
    out = None if out is None else Path(out)
    if out is not None:
        _check_out(out)
    listener = listener or RunListener()
    store = RunStore(Path(settings.data_dir))
    models = ModelFolder.of(models_dir=settings.models_dir, data_dir=settings.data_dir)
    try:
        plan = make_plan(parameters, store, models)
    except BadMessageError as error:
        raise StartError(error.message) from error
    _check_files(plan, store, out, snapshots, overwrite=overwrite)
    with ExitStack() as stack:
        stack.enter_context(training_here(store, plan.run_id))
        if out is not None:
            stack.enter_context(_saving_here(out))
        listeners = [Recorder.of(settings, listener), *EpisodeScalars.wanted(settings, plan.run_id, listener)]
        managed = open_run(plan, settings, out=out, recipe=recipe)
        if history is not None:
            kept = HistoryListener(history, plan.run_id, store, listener)
            listeners.append(stack.enter_context(kept))
        listeners += [listener, _Snapshots(snapshots, listener)]
        result = TrainingLoop(managed, _LocalOrders(managed.run, should_stop), listeners).run()
    if result.problem is not None:
        raise (DivergedError if result.how == "failed" else SaveError)(result.problem)
    return result


class _LocalOrders:
    """The orders of a run without a server: none, until it should stop before it is finished."""

    def __init__(self, run: TrainingRun, should_stop: Callable[[], bool]) -> None:
        self._run = run
        self._should_stop = should_stop

    def has_order(self) -> bool:
        return not self._run.finished and self._should_stop()

    def get(self, deadline: float | None = None) -> None:
        """Save and end, as the trainer process does when its server is gone."""


class _Snapshots(RunListener):
    """Keep the model as it is after certain episodes."""

    def __init__(self, episodes: Container[int], reporter: RunListener) -> None:
        self._episodes = episodes
        self._reporter = reporter

    def on_start(self, managed: ManagedRun) -> None:
        self._managed = managed

    def on_episode(self, complete: EpisodeComplete) -> None:
        if complete.episode not in self._episodes:
            return
        path = self._managed.snapshot_path(complete.episode)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_checkpoint(path, self._managed.run.checkpoint())
        except (OSError, CheckpointError) as error:
            self._reporter.on_problem(SaveError(f"The snapshot {path} was not saved: {error}"))


@contextmanager
def _saving_here(out: Path) -> Iterator[None]:
    """Hold a lock beside the model's file, so that no two runs save the same one."""
    lock = FileLock(out.with_name(f".{out.name}.lock"), temporary=True)
    try:
        lock.acquire()
    except LockedError as error:
        raise StartError(f"Another run saves its model as {out}; name another file.") from error
    except OSError as error:
        raise StartError(f"{out} cannot be saved: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


def _check_files(
    plan: RunPlan, store: RunStore, out: Path | None, snapshots: Collection[int], *, overwrite: bool
) -> None:
    """Refuse snapshots of episodes that the run does not make, and files that are another run's."""
    record = store.read(plan.run_id) if plan.resume else None
    first, last = 1 if record is None else record.episode + 1, plan.parameters.num_episodes
    for episode in sorted(snapshots):
        if not first <= episode <= last:
            raise StartError(
                f"There is no episode {episode} to keep a snapshot of: "
                f"this run makes the episodes {first} to {last}."
            )
    if out is None or overwrite or (record and record.out == path_to_text(str(out.absolute()))):
        return
    for path in (out, *(snapshot_beside(out, episode) for episode in sorted(snapshots))):
        if path.exists():
            raise StartError(f"{path} is there already; name another file, or add --overwrite.")


def _check_out(out: Path) -> None:
    """Refuse a file that could not be saved, before hours are spent on training it."""
    if out.is_dir():
        raise StartError(f"{out} is a folder; name a file, such as {out / 'my_agent.pt'}.")
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise StartError(f"{out} cannot be saved: {folder} is no folder that can be written to.")
