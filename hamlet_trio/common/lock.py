"""A lock on a file that the system gives back when its holder dies."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Final


class LockedError(Exception):
    """Another process holds the lock."""


class FileLock:
    """Held by one process at a time; the file itself stays and means nothing.

    Under POSIX it is flock(2): a child that inherits `descriptor` holds the lock too, so that it lasts until
    both are gone. Under Windows it is a lock on the file's first byte, which no child shares.
    """

    def __init__(self, path: Path, *, temporary: bool = False) -> None:
        """Make a lock on a file, which is removed at the end if it is `temporary`."""
        self.path: Final = path
        self._temporary = temporary
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int | None:
        """The file descriptor for a child to inherit, while the lock is held; none under Windows."""
        return None if sys.platform == "win32" else self._descriptor

    def acquire(self) -> None:
        """Take the lock without waiting, making the folder if need be.

        Raises `LockedError` if another process holds it, `OSError` if the file cannot be opened.
        """
        assert self._descriptor is None, "the lock is held already"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            raise LockedError(f"{self.path} is locked by another process") from None
        except BaseException:
            os.close(descriptor)
            raise
        if self._temporary and not _is_at(descriptor, self.path):
            os.close(descriptor)  # its last holder removed it meanwhile; this is the lock of no file
            raise LockedError(f"{self.path} was locked by another process")
        self._descriptor = descriptor

    @staticmethod
    def mark(descriptor: int) -> None:
        """Hold the lock of an open file until that is closed, where the system can (Windows: no change)."""
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # a file system without locks
                _lock(descriptor)

    def is_held(self) -> bool:
        """Whether any process holds it now; one whose file cannot be opened counts as held.

        To see that, it is taken for a moment, in which somebody else may find it locked.
        """
        try:
            if not self.path.exists():
                return False
            with FileLock(self.path):
                return False
        except (LockedError, OSError):
            return True

    def wait(self) -> None:
        """Wait until no other process holds the lock, without keeping it.

        For that it is shared for a moment, in which another process may find it locked. Raises `OSError` if
        the file cannot be opened.
        """
        descriptor = os.open(self.path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        try:
            _wait(descriptor)
            _unlock(descriptor)
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Give the lock back, also on behalf of children that share it; no change if it is not held."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            if self._temporary:
                with contextlib.suppress(OSError):  # Windows removes no open file
                    self.path.unlink()
            _unlock(descriptor)
            os.close(descriptor)

    def __enter__(self) -> "FileLock":
        self.acquire()
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _wait(descriptor: int) -> None:
        while True:
            with contextlib.suppress(OSError):  # after ten attempts, one a second
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
                return

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _wait(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_SH)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
