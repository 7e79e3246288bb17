"""Runs whose process was killed before it could tell the history that they ended."""

from contextlib import closing
from pathlib import Path

from hamlet_trio.history import CheckpointStored, HistoryDatabase, HistoryReader, Record, RunEnded
from hamlet_trio.history.records import Ending
from hamlet_trio.history.results import RunningRun
from hamlet_trio.training.store import RunNotFoundError, RunStore
from hamlet_trio.training.sweep.sweep_store import SweepStore


def abandoned_runs(history: Path, store: RunStore) -> list[Record]:
    """Return the ends, and last checkpoints, of runs that the history has as running and no process trains.

    They ended as their records say, or were interrupted, when they were last heard of. The system releases a
    run's lock when the process that holds it dies. A run of a server counts as running also while the server
    holds its own lock, because between two trainers nobody holds the run's; likewise a trial while its sweep
    is run. Does file I/O; raises `HistoryError`.
    """
    left = [run for run in HistoryReader(history).running() if not store.is_training(run.run_id)]
    if any(run.source == "server" for run in left) and store.server_lock().is_held():
        left = [run for run in left if run.source != "server"]
    sweeps = SweepStore(store.data_dir)
    left = [run for run in left if run.sweep_id is None or not sweeps.is_running(run.sweep_id)]
    return [record for run in left for record in _end(run, store)]


def _end(run: RunningRun, store: RunStore) -> list[Record]:
    run_id, at = run.run_id, run.last_heard
    try:
        record = store.read(run_id)
    except RunNotFoundError:
        return [RunEnded(run_id=run_id, state="interrupted", at=at)]
    state: Ending = "interrupted" if record.state == "unfinished" else record.state
    end = RunEnded(run_id=run_id, state=state, reason=record.reason, model=record.model, at=at)
    if record.model is None or state == "failed":  # it saved its model earlier than the record
        return [end]
    return [CheckpointStored(run_id=run_id, model=record.model, episode=record.episode, at=at), end]


def end_abandoned_runs(history: Path) -> None:
    """Write those ends to the history in a data folder, which is opened to write only if there are any.

    Raises `HistoryError`.
    """
    if ended := abandoned_runs(history, RunStore(history.parent)):
        with closing(HistoryDatabase(history)) as log:
            log.write(ended)
