"""Keeping house: taking over an older database, and giving disk space back."""

import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from hamlet_trio.history.columns import COLUMNS
from hamlet_trio.history.database import HistoryError, open_to_write, reading, refusing
from hamlet_trio.history.log import HistoryLog
from hamlet_trio.history.older import is_older

_RUN_COLUMNS = "run_id, source, state, reason, began, ended, episodes"
_EPISODE_COLUMNS = ", ".join(COLUMNS)
_FAILURE_COLUMNS = "timestamp, episode, agent_id, reason"


class TakenOver(Struct, frozen=True):
    """What was taken over from an older database."""

    run_id: str
    episodes: int
    failures: int


def take_over(older: Path, history: Path) -> TakenOver:
    """Copy what an older `metrics.db` holds into a history, as one run; the older file is left as it is.

    Raises `HistoryError` if the older file is none or holds nothing, if it was taken over before, or if
    either file cannot be used; the history has not changed then.
    """
    if not older.is_file():
        raise HistoryError(f"There is no file {older}.")
    with reading(older) as source:
        if not is_older(source):
            raise HistoryError(f"{older} was not written by an older Hamlet.")
        run = source.execute(f"SELECT {_RUN_COLUMNS} FROM runs").fetchone()
        if run is None:
            raise HistoryError(f"{older} holds nothing to take over.")
        with closing(open_to_write(history)) as target, refusing(history, "written"):
            target.execute("BEGIN IMMEDIATE")
            counts = _copy(source, target, run)
            target.execute("COMMIT")
    return TakenOver(run[0], *counts)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, run: tuple[object, ...]) -> tuple[int, int]:
    if target.execute("SELECT 1 FROM runs WHERE run_id = ?", run[:1]).fetchone():
        raise HistoryError(f"It was taken over already, as run {run[0]}.")
    number = target.execute(f"INSERT INTO runs ({_RUN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", run).lastrowid
    episodes = target.executemany(
        f"INSERT INTO episodes (run, {_EPISODE_COLUMNS}) VALUES ({number}{', ?' * len(COLUMNS)})",
        source.execute(f"SELECT {_EPISODE_COLUMNS} FROM episodes"),
    )
    failures = target.executemany(
        f"INSERT INTO failures (run, {_FAILURE_COLUMNS}) VALUES ({number}, ?, ?, ?, ?)",
        source.execute(f"SELECT {_FAILURE_COLUMNS} FROM failures ORDER BY id"),
    )
    return episodes.rowcount, failures.rowcount


def vacuum(path: Path, *, runs: int, episodes: int) -> tuple[int, int]:
    """Forget what is over the bounds and give the space back; returns the bytes before and after.

    A server that writes meanwhile waits for it. Raises `HistoryError`.
    """
    if not path.is_file():
        raise HistoryError(f"There is no history {path} yet.")
    before = _size(path)
    with closing(HistoryLog(path)) as log:
        while log.make_room(runs=runs, episodes=episodes):
            pass
    with closing(open_to_write(path)) as connection, refusing(path, "written"):
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return before, _size(path)


def _size(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
