"""The lock on a file: who holds it, who may ask, and who is disturbed by the question."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hamlet_trio.common.lock import FileLock, LockedError

_ASK = """
import sys
from pathlib import Path
from hamlet_trio.common.lock import FileLock
lock = FileLock(Path(sys.argv[1]))
print("asking", flush=True)
while not sys.stdin.closed:
    lock.is_held()
"""

_WAIT = """
import sys
from pathlib import Path
from hamlet_trio.common.lock import FileLock
lock = FileLock(Path(sys.argv[1]))
print("waiting", flush=True)
while not sys.stdin.closed:
    lock.wait()
"""

_HOLD_AS_BEFORE = """
import sys
file = open(sys.argv[1], "r+")
if sys.platform == "win32":
    import msvcrt
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl
    fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def _run(program: str, path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def test_it_is_held_by_one(tmp_path: Path) -> None:
    lock, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert not lock.is_held()
    with lock:
        assert other.is_held()
        with pytest.raises(LockedError):
            other.acquire()
    assert not other.is_held()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere asking takes the lock for a moment")
@pytest.mark.parametrize("program", [_ASK, _WAIT], ids=["ask", "wait"])
def test_whoever_asks_or_waits_keeps_nobody_from_taking_it(tmp_path: Path, program: str) -> None:
    path = tmp_path / "lock"
    path.touch()
    asking = _run(program, path)
    try:
        for _ in range(3000):
            with FileLock(path):
                pass
    finally:
        asking.kill()
        asking.communicate()


def test_a_holder_of_an_earlier_version_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    holder = _run(_HOLD_AS_BEFORE, path)
    lock = FileLock(path)
    assert lock.is_held()
    waiting = threading.Thread(target=lock.wait)
    waiting.start()
    assert waiting.is_alive()
    holder.communicate("")
    waiting.join()
    assert not lock.is_held()


@pytest.mark.skipif(sys.platform == "win32", reason="a child shares no lock under Windows")
def test_a_child_that_inherits_it_holds_it_on(tmp_path: Path) -> None:
    lock, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    lock.acquire()
    assert lock.descriptor is not None
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        pass_fds=[lock.descriptor],
    )
    holder = threading.Thread(target=other.wait)
    # As when the holder is killed: its descriptor is closed, and nothing unlocked.
    os.close(lock.descriptor)
    assert other.is_held()
    holder.start()
    assert holder.is_alive()
    child.communicate(b"")
    holder.join()
    assert not other.is_held()
