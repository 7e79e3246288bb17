"""Opening a history for writing, or for reading beside a writer."""

import errno
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from hamlet_trio.common.files import NotAFileError
from hamlet_trio.common.text import printable
from hamlet_trio.history.legacy import create_history_views, create_views_of_older_form, is_legacy
from hamlet_trio.history.schema import MIGRATIONS, is_history, table_names, upgrade, version_of
from hamlet_trio.settings import Settings

_WRITE_TIMEOUT: Final = 5.0  # seconds that another process may hold the database
_READ_TIMEOUT: Final = 1.0
_ALONE_TIMEOUT: Final = 500  # milliseconds to wait for short readers before an upgrade
_WAL_LIMIT: Final = 16 * 2**20  # bytes to which the write-ahead log is cut back


class HistoryError(Exception):
    """Report that the history cannot be written or read, in a sentence."""


def history_path(settings: Settings) -> Path:
    """Return the path of the history in the data folder."""
    return Path(settings.data_dir) / "history.db"


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a history for writing; create it, or upgrade an older form after copying it beside the file.

    An older form that another process has open, such as an earlier version during a rolling restart, is not
    upgraded, so that both can write to it. Threads may take turns with the connection; transactions are
    explicit. A committed transaction survives the death of the process at any moment; a power cut may lose
    the last ones and leaves the rest whole (WAL, synchronous=NORMAL).

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
    if is_older_form(connection) and (version_of(connection) == 0 or _is_alone(connection)):
        if version_of(connection) > 0:
            _keep_copy(connection, path)
        _upgrade(connection)
    connection.execute("PRAGMA journal_mode = WAL")  # also if the process was killed during an upgrade
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")


def is_older_form(connection: sqlite3.Connection) -> bool:
    """Return whether the file has an older form than this version's."""
    return version_of(connection) < len(MIGRATIONS)


def _is_alone(connection: sqlite3.Connection) -> bool:
    """Leave the WAL mode, which SQLite allows only if no other connection has the file open."""
    connection.execute(f"PRAGMA busy_timeout = {_ALONE_TIMEOUT}")
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError:  # locked
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(1000 * _WRITE_TIMEOUT)}")
    return bool(mode == "delete")


def _upgrade(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN EXCLUSIVE")
    try:
        upgrade(connection)  # from the form it has now, which another process may have changed
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


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
    copy = path.with_name(f"{path.stem}.form{version_of(connection)}{path.suffix}")
    copy.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(copy),))


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a history read-only, for one thread and a short time, beside a writer.

    A missing file reads as an empty history, an older form with what it holds, and a legacy `metrics.db` as
    a history with a single run. The folder may be read-only. Raises `HistoryError` if the file cannot be
    read.
    """
    with database_errors(path, "read"), ExitStack() as resources:
        yield _open_to_read(path, resources)


def _open_to_read(path: Path, resources: ExitStack) -> sqlite3.Connection:
    if not path.exists():
        return resources.enter_context(closing(_empty()))
    connection = _connect_read_only(path, resources)
    if is_legacy(connection):
        create_history_views(connection)
        return connection
    version = version_of(connection)
    if version == 0 and not table_names(connection):
        return resources.enter_context(closing(_empty()))
    if not is_history(connection):
        raise HistoryError(f"{path} is not a history of Hamlet.")
    if version > len(MIGRATIONS):
        raise HistoryError(
            f"{path} was written by a newer Hamlet: it has form {version}, and this one reads up to form "
            f"{len(MIGRATIONS)}."
        )
    if version < len(MIGRATIONS):
        create_views_of_older_form(connection)
    return connection


def _connect_read_only(path: Path, resources: ExitStack) -> sqlite3.Connection:
    """Connect to a file, also in a folder where SQLite cannot create the files beside it.

    There it is read as it is if its write-ahead log is empty; else it is copied with its log.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = resources.enter_context(closing(sqlite3.connect(uri, uri=True, timeout=_READ_TIMEOUT)))
    try:
        version_of(connection)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
    else:
        return connection
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size > 0:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        for file in (path, log):
            shutil.copyfile(file, folder / file.name)
        return resources.enter_context(closing(sqlite3.connect(folder / path.name)))
    return resources.enter_context(closing(sqlite3.connect(f"{uri}&immutable=1", uri=True)))


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    upgrade(connection)
    return connection


@contextmanager
def database_errors(path: Path, what: str) -> Iterator[None]:
    """Turn errors of SQLite and of the file system in the block into `HistoryError`.

    Anything but a file is refused first: SQLite would wait for the writer of a pipe.
    """
    try:
        if path.exists() and not path.is_file():
            raise NotAFileError(errno.EINVAL, "not a file but a folder, device or pipe")
        yield
    # sqlite3 cannot decode its own messages on a damaged schema; damaged rows have values of other types.
    except (sqlite3.Error, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise HistoryError(f"The history {path} cannot be {what}: {printable(error, 200)}.") from error
    except OSError as error:
        raise HistoryError(f"The history {path} cannot be {what}: {error.strerror}.") from error
