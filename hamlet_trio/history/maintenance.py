"""Maintenance of a history: importing a legacy database, and compacting the file."""

import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from hamlet_trio.history.columns import columns_in
from hamlet_trio.history.database import HistoryDatabase
from hamlet_trio.history.legacy import is_legacy
from hamlet_trio.history.opening import HistoryError, database_errors, open_to_write, reading

_RUN_COLUMNS = "run_id, source, state, reason, began, ended, episodes"
_FAILURE_COLUMNS = "timestamp, episode, agent_id, reason"


class LegacyImport(Struct, frozen=True):
    """What was imported from a legacy database."""

    run_id: str
    episodes: int
    failures: int


def import_legacy(legacy: Path, history: Path) -> LegacyImport:
    """Copy the contents of a legacy `metrics.db` into a history, as one run; the legacy file is not changed.

    Raises `HistoryError` if that file is no legacy database or is empty, if it was imported before, or if
    either file cannot be used; the history is unchanged then.
    """
    if not legacy.is_file():
        raise HistoryError(f"There is no file {legacy}.")
    with reading(legacy) as source:
        if not is_legacy(source):
            raise HistoryError(f"{legacy} was not written by an older Hamlet.")
        run = source.execute(f"SELECT {_RUN_COLUMNS} FROM runs").fetchone()
        if run is None:
            raise HistoryError(f"{legacy} holds nothing to import.")
        with closing(open_to_write(history)) as target, database_errors(history, "written"):
            target.execute("BEGIN IMMEDIATE")
            counts = _copy(source, target, run)
            target.execute("COMMIT")
    return LegacyImport(run[0], *counts)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, run: tuple[object, ...]) -> tuple[int, int]:
    if target.execute("SELECT 1 FROM runs WHERE run_id = ?", run[:1]).fetchone():
        raise HistoryError(f"It was imported already, as run {run[0]}.")
    number = target.execute(f"INSERT INTO runs ({_RUN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", run).lastrowid
    columns = columns_in(target)
    names = ", ".join(columns)
    episodes = target.executemany(
        f"INSERT INTO episodes (run, {names}) VALUES ({number}{', ?' * len(columns)})",
        source.execute(f"SELECT {names} FROM episodes"),
    )
    failures = target.executemany(
        f"INSERT INTO failures (run, {_FAILURE_COLUMNS}) VALUES ({number}, ?, ?, ?, ?)",
        source.execute(f"SELECT {_FAILURE_COLUMNS} FROM failures ORDER BY id"),
    )
    return episodes.rowcount, failures.rowcount


def vacuum(path: Path, *, runs: int, episodes: int) -> tuple[int, int]:
    """Delete the runs beyond the bounds, compact the file, and return its bytes before and after.

    A server that writes meanwhile waits. Raises `HistoryError`.
    """
    if not path.is_file():
        raise HistoryError(f"There is no history {path} yet.")
    before = _size(path)
    with closing(HistoryDatabase(path)) as database:
        while database.prune_some(runs=runs, episodes=episodes):
            pass
    with closing(open_to_write(path)) as connection, database_errors(path, "written"):
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return before, _size(path)


def _size(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
