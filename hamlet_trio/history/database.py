"""Opening a history: to write to it, or to read it beside whoever writes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from hamlet_trio.history.older import is_older, show_as_history
from hamlet_trio.history.schema import MIGRATIONS, is_history, table_names, upgrade, version_of
from hamlet_trio.settings import Settings

_WRITE_PATIENCE: Final = 5.0  # seconds that another process may hold the database
_READ_PATIENCE: Final = 1.0
_WAL_LIMIT: Final = 16 * 2**20  # bytes to which the write-ahead log is cut back


class HistoryError(Exception):
    """The history cannot be written or read; the message is a sentence for a person."""


def history_path(settings: Settings) -> Path:
    """Where the history of a server, and of this machine's command line, lies."""
    return Path(settings.data_dir) / "history.db"


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a history, making it or bringing it up to date; an older version is copied beside it before.

    The connection may pass from thread to thread, but is for one at a time; it begins and ends transactions
    only where it is told to. A transaction that was committed survives the death of the process at any
    moment; a power cut may take the last ones, and leaves the rest whole (WAL, synchronous=NORMAL).

    Raises `HistoryError` if the file cannot be used, and changes nothing of a file that is something else.
    """
    with refusing(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=_WRITE_PATIENCE, isolation_level=None, check_same_thread=False
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
            upgrade(connection)  # from what another process may have made of it meanwhile
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if is_older(connection):
        raise HistoryError(
            f"{path} was written by an older Hamlet and is left as it is; "
            f"`hamlet history migrate {path}` takes over what it holds."
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
    """A connection that cannot change anything, for one thread and a short time.

    Whoever writes goes on meanwhile. A file that does not exist reads as an empty history, and an older
    `metrics.db` as one with a single run. Raises `HistoryError` if it cannot be read.
    """
    with refusing(path, "read"), closing(_open_to_read(path)) as connection:
        yield connection


def _open_to_read(path: Path) -> sqlite3.Connection:
    if not path.exists():
        return _nothing()
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_READ_PATIENCE)
    try:
        if is_older(connection):
            show_as_history(connection)
            return connection
        if version_of(connection) == 0 and not table_names(connection):
            connection.close()
            return _nothing()
        if not is_history(connection):
            raise HistoryError(f"{path} is no history of Hamlet.")
        if version_of(connection) != len(MIGRATIONS):
            raise HistoryError(
                f"{path} has form {version_of(connection)} and this Hamlet reads form {len(MIGRATIONS)}; "
                "an older one is brought up to date when a server or `hamlet train` writes to it."
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _nothing() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    upgrade(connection)
    return connection


@contextmanager
def refusing(path: Path, what: str) -> Iterator[None]:
    """Within the block errors of SQLite and of the file system are `HistoryError`s."""
    try:
        yield
    except sqlite3.Error as error:
        raise HistoryError(f"The history {path} cannot be {what}: {error}.") from error
    except OSError as error:
        raise HistoryError(f"The history {path} cannot be {what}: {error.strerror}.") from error
