"""A lock on a file that the system gives back when its holder dies."""

import contextlib
import os
import struct
import sys
import time
from pathlib import Path
from typing import Final


class LockedError(Exception):
    """Another process holds the lock."""


class FileLock:
    """Held by one process at a time; the file itself stays and means nothing.

    Under POSIX it is flock(2): a child that inherits `descriptor` holds the lock too, so that it lasts until
    both are gone. Under Windows it is a lock on the file's first byte, which no child shares.

    flock(2) cannot be asked whether a lock is held. Under Linux a holder therefore has an open file
    description lock (fcntl(2), F_OFD_SETLK) on the file as well. It lasts as long, and asking for its holder
    takes nothing: with several instances over one data folder no question makes another process's `acquire`
    fail. Holders of earlier versions, which have flock(2) alone, are found in /proc/locks.
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
            _announce(descriptor)
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
                _announce(descriptor)

    def is_held(self) -> bool:
        """Return whether any process holds it now; one whose file cannot be opened counts as held.

        Under Linux this takes nothing. Elsewhere the lock is taken for a moment, in which another process may
        find it locked.
        """
        try:
            return self.path.exists() and _is_held(self.path)
        except OSError:
            return True

    def wait(self) -> None:
        """Wait until no other process holds the lock, without keeping it.

        What is shared for a moment at the end is, under Linux, only what `is_held` asks for, so that no other
        process finds the lock held. Raises `OSError` if the file cannot be opened.
        """
        descriptor = os.open(self.path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        try:
            _await_release(descriptor)
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
        # Last, so that whoever waits for it finds the lock free.
        _withdraw(descriptor)


_FLOCK: Final = "hhqqi4x"
"""The struct flock of fcntl(2): type, whence, start, length (0: the whole file), process (always 0)."""
_AGAIN: Final = 0.1
"""Seconds between two looks at the lock of an earlier version."""

if sys.platform == "linux":

    def _set(descriptor: int, command: int, kind: int) -> int:
        """Call fcntl(2) with a lock of this kind on the whole file; return the kind that it answers."""
        answer = fcntl.fcntl(descriptor, command, struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0))
        return int(struct.unpack(_FLOCK, answer)[0])

    def _announce(descriptor: int) -> None:
        """Let `is_held` see that the file is locked. Those who wait for that keep it for a moment only."""
        _set(descriptor, fcntl.F_OFD_SETLKW, fcntl.F_WRLCK)

    def _withdraw(descriptor: int) -> None:
        """Undo `_announce`."""
        _set(descriptor, fcntl.F_OFD_SETLK, fcntl.F_UNLCK)

    def _await_release(descriptor: int) -> None:
        while True:
            _set(descriptor, fcntl.F_OFD_SETLKW, fcntl.F_RDLCK)
            _withdraw(descriptor)
            if not _is_locked(descriptor):
                return
            if not _is_announced(descriptor):
                # By an earlier version, whose flock(2) cannot be awaited without taking it from the next
                # holder; or by one that is about to announce it.
                time.sleep(_AGAIN)

    def _is_held(path: Path) -> bool:
        with open(path, "rb") as file:
            return _is_locked(file.fileno())

    def _is_announced(descriptor: int) -> bool:
        return _set(descriptor, fcntl.F_OFD_GETLK, fcntl.F_RDLCK) != fcntl.F_UNLCK

    def _is_locked(descriptor: int) -> bool:
        if _is_announced(descriptor):
            return True
        status = os.fstat(descriptor)
        name = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        try:
            table = Path("/proc/locks").read_text()
        except OSError:  # hidden from this process: there are no earlier versions to find
            return False
        # "1: FLOCK  ADVISORY  WRITE 4711 fe:01:1234 0 EOF"; "1: -> FLOCK" is one that waits.
        rows = (row.split() for row in table.splitlines())
        return any(row[1] == "FLOCK" and name in row for row in rows)

else:

    def _announce(descriptor: int) -> None:
        """Announce nothing: here a lock is asked for by taking it."""

    def _withdraw(descriptor: int) -> None:
        """Withdraw nothing."""

    def _await_release(descriptor: int) -> None:
        _wait(descriptor)
        _unlock(descriptor)

    def _is_held(path: Path) -> bool:
        try:
            with FileLock(path):
                return False
        except LockedError:
            return True
