"""Opening a history for writing, or for reading beside a writer."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from hamlet_trio.history.legacy import create_history_views, is_legacy
from hamlet_trio.history.schema import MIGRATIONS, is_history, table_names, upgrade, version_of
from hamlet_trio.settings import Settings

_WRITE_TIMEOUT: Final = 5.0  # seconds that another process may hold the database
_READ_TIMEOUT: Final = 1.0
_WAL_LIMIT: Final = 16 * 2**20  # bytes to which the write-ahead log is cut back


class HistoryError(Exception):
    """Report that the history cannot be written or read, in a sentence."""


def history_path(settings: Settings) -> Path:
    """Return the path of the history in the data folder."""
    return Path(settings.data_dir) / "history.db"


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a history for writing; create it, or upgrade an older form after copying it beside the file.

    Threads may take turns with the connection; transactions are explicit. A committed transaction survives
    the death of the process at any moment; a power cut may lose the last ones and leaves the rest whole
    (WAL, synchronous=NORMAL).

    Raises `HistoryError` if the file cannot be used; a file of another kind is not changed.
    """
    with database_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=_WRITE_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _check(connection, path)
    if version_of(connection) < len(MIGRATIONS):
        _keep_copy(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            upgrade(connection)  # from the form it has now, which another process may have changed
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if is_legacy(connection):
        raise HistoryError(
            f"{path} is a legacy database and was not changed; `hamlet history migrate {path}` imports it."
        )
    if not is_history(connection) and table_names(connection):
        raise HistoryError(f"{path} is a database of something else; move it away.")
    if version_of(connection) > len(MIGRATIONS):
        raise HistoryError(
            f"{path} was written by a newer Hamlet (form {version_of(connection)}, this one knows "
            f"{len(MIGRATIONS)}); use that one, or move the file away."
        )


def _keep_copy(connection: sqlite3.Connection, path: Path) -> None:
    version = version_of(connection)
    if version > 0:
        copy = path.with_name(f"{path.stem}.form{version}{path.suffix}")
        copy.unlink(missing_ok=True)
        connection.execute("VACUUM INTO ?", (str(copy),))


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a history read-only, for one thread and a short time, beside a writer.

    A missing file reads as an empty history, and a legacy `metrics.db` as a history with a single run.
    Raises `HistoryError` if the file cannot be read.
    """
    with database_errors(path, "read"), closing(_open_to_read(path)) as connection:
        yield connection


def _open_to_read(path: Path) -> sqlite3.Connection:
    if not path.exists():
        return _empty()
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_READ_TIMEOUT)
    try:
        if is_legacy(connection):
            create_history_views(connection)
            return connection
        if version_of(connection) == 0 and not table_names(connection):
            connection.close()
            return _empty()
        if not is_history(connection):
            raise HistoryError(f"{path} is not a history of Hamlet.")
        if version_of(connection) != len(MIGRATIONS):
            raise HistoryError(
                f"{path} has form {version_of(connection)} and this Hamlet reads form {len(MIGRATIONS)}; "
                "an older one is brought up to date when a server or `hamlet train` writes to it."
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    upgrade(connection)
    return connection


@contextmanager
def database_errors(path: Path, what: str) -> Iterator[None]:
    """Turn errors of SQLite and of the file system in the block into `HistoryError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise HistoryError(f"The history {path} cannot be {what}: {error}.") from error
    except OSError as error:
        raise HistoryError(f"The history {path} cannot be {what}: {error.strerror}.") from error
