"""Write lines to a file descriptor without ever blocking or failing the caller."""

import atexit
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

MAX_WAITING: Final = 4 * 2**20  # bytes
_FAREWELL: Final = 1.0  # seconds that the end of the process waits for the last lines


class LineSink:
    """Hand lines to a thread that writes them to a descriptor which may be slow, stuck or closed.

    Bounds: `MAX_WAITING` bytes wait. Lines beyond that, and lines that the system refuses (a pipe without a
    reader, a closed terminal, a full disk), are dropped and counted. Once a line can be written again,
    `on_recovery` is called in the thread with the number of lines lost before it.

    The thread is a daemon, so that a stuck descriptor keeps no process alive. Lines that wait at its end
    get `_FAREWELL` seconds.
    """

    def __init__(self, descriptor: int, on_recovery: Callable[[int], object] = lambda _: None) -> None:
        self.descriptor: Final = descriptor
        self._on_recovery = on_recovery
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._changed = threading.Condition()  # reentrant: a signal may arrive within `write`, and be logged
        self._thread: threading.Thread | None = None
        self._reported = 0
        self._is_cut = False  # the last line was written only in part
        self.dropped = 0
        atexit.register(self.flush, _FAREWELL)

    def write(self, line: str) -> None:
        """Queue a line, or count it as dropped."""
        data = line.encode(errors="backslashreplace") + b"\n"
        with self._changed:
            if self._size + len(data) > MAX_WAITING or not self._has_thread():
                self.dropped += 1
                return
            self._lines.append(data)
            self._size += len(data)
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until nothing is left to write, for `timeout` seconds at most; return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines, timeout)

    def _has_thread(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread can be started now; the next line tries again
                return False
            self._thread = thread
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                line = self._lines[0]
            is_written = self._put(line)
            with self._changed:
                self._lines.popleft()
                self._size -= len(line)
                self.dropped += not is_written
                lost = self.dropped - self._reported if is_written else 0
                self._reported += lost
                self._changed.notify_all()
            if lost:
                self._on_recovery(lost)

    def _put(self, line: bytes) -> bool:
        rest = memoryview(b"\n" + line if self._is_cut else line)
        whole = len(rest)
        try:
            while rest:
                try:
                    rest = rest[os.write(self.descriptor, rest) :]
                except BlockingIOError:  # another program made the terminal non-blocking
                    select.select((), (self.descriptor,), ())
        except OSError:
            self._is_cut |= 0 < len(rest) < whole
            return False
        self._is_cut = False
        return True
