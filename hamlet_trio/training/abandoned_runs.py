"""Runs whose process was killed before it could tell the history that they ended."""

from contextlib import closing
from pathlib import Path

from hamlet_trio.history import HistoryDatabase, HistoryReader, RunEnded
from hamlet_trio.training.store import RunStore


def abandoned_runs(history: Path, store: RunStore) -> list[RunEnded]:
    """Return the ends of runs that the history has as running, though no process trains them.

    They were interrupted when they were last heard of. The system releases a run's lock when the process that
    holds it dies. A run of a server counts as running also while the server holds its own lock, because
    between two trainers nobody holds the run's. Does file I/O; raises `HistoryError`.
    """
    left = [run for run in HistoryReader(history).running() if not store.is_training(run.run_id)]
    if any(run.source == "server" for run in left) and store.server_lock().is_held():
        left = [run for run in left if run.source != "server"]
    return [RunEnded(run_id=run.run_id, state="interrupted", at=run.last_heard) for run in left]


def end_abandoned_runs(history: Path) -> None:
    """Write those ends to the history in a data folder, which is opened to write only if there are any.

    Raises `HistoryError`.
    """
    if ended := abandoned_runs(history, RunStore(history.parent)):
        with closing(HistoryDatabase(history)) as log:
            log.write(ended)
