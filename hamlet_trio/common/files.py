"""Write files so that a reader sees the old content or the new, never half; read regular files only."""

import contextlib
import errno
import os
import secrets
import stat
import time
from pathlib import Path
from typing import BinaryIO, Final

from hamlet_trio.common.lock import FileLock, LockedError

_BIRTH: Final = 2.0  # seconds in which the writer of a temporary file may not have locked it yet


class NotAFileError(OSError):
    """A folder, device or pipe lies where a regular file was expected."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read its bytes; raises `OSError`, of which `NotAFileError`.

    Reading a pipe or device may take forever, and even opening a pipe waits for its writer.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except ValueError:  # a NUL, or half of a surrogate pair, in the name
        raise FileNotFoundError(errno.ENOENT, "no file can have this name", str(path)) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotAFileError(errno.EINVAL, "not a file but a folder, device or pipe", str(path))
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, limit: int = -1) -> bytes:
    """Return the content of a regular file, at most `limit` bytes of it; raises as `open_regular` does."""
    with open_regular(path) as file:
        return file.read(limit)


def write_atomically(path: Path, data: bytes | memoryview, *, mode: int = 0o666) -> None:
    """Replace `path` by a file holding `data`, through a temporary file in the same folder.

    The data is on the disk when this returns (fsync of file and folder), if the file system can do that;
    shared folders of virtual machines cannot. Raises `OSError` when it cannot be written; then an older file
    of that name is unchanged and the temporary one is gone. The temporary's name begins with a dot and ends
    in `.tmp`, so that no listing takes it for a model; it is locked until it is whole, so that
    `remove_temporaries` knows those of killed writers. `mode` is what the file's permissions are made from,
    less the umask.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    # Opened by hand for the permissions the umask grants; tempfile would make it unreadable to others.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, mode)
    try:
        with open(descriptor, "wb") as file:
            FileLock.mark(descriptor)
            file.write(data)
            file.flush()
            _sync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def remove_temporaries(folder: Path) -> None:
    """Remove the temporary files in a folder whose writers were killed. Does file I/O; never raises."""
    with contextlib.suppress(OSError):
        for path in folder.glob(".*.tmp"):
            # Under Windows an open file cannot be removed.
            with contextlib.suppress(OSError, LockedError):
                # The distance, not the age: the clock may have been wrong when it was written.
                if abs(time.time() - path.stat().st_mtime) > _BIRTH:
                    with FileLock(path):
                        path.unlink()


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system knows how (Windows does not open folders).

    No failure is reported: the new file stands, and an error would say that the old one does.
    """
    with contextlib.suppress(OSError):
        if hasattr(os, "O_DIRECTORY"):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
