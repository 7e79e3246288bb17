"""Run a command on a strained machine: `python -m scripts.strain --busy 4 -- COMMAND` or `--half -- COMMAND`.

`--busy` runs that many busy loops beside the command. `--half`, on Linux, stops it and its descendants for
half of the time, `_TICK` seconds at a time; a process that something else has stopped stays so.
"""

import argparse
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

_TICK: Final = 0.05
_BUSY_LOOP: Final = (sys.executable, "-c", "while True: pass")


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Run busy loops, at the same priority, as long as the context lasts."""
    loops = [subprocess.Popen(_BUSY_LOOP) for _ in range(count)]  # noqa: S603  # our own loop
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextmanager
def half_speed(pid: int) -> Iterator[None]:
    """Stop a process and its descendants for half of the time, as long as the context lasts."""
    over = threading.Event()
    thread = threading.Thread(target=_stop_and_continue, args=(pid, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _stop_and_continue(pid: int, over: threading.Event) -> None:
    while not over.wait(_TICK):
        stopped: list[psutil.Process] = []
        _stop(pid, stopped)
        over.wait(_TICK)
        # Descendants first: a parent that ran already might stop one, which we would set going again.
        for process in reversed(stopped):
            with suppress(psutil.Error):
                process.resume()


def _stop(pid: int, stopped: list[psutil.Process]) -> None:
    """Stop a process, then its descendants; append to `stopped` those that nothing else had stopped.

    A signal is delivered some time after it was sent. So each process has come to a standstill before its
    children are looked at: it can no longer stop one of them meanwhile.
    """
    with suppress(psutil.Error, OSError):  # it has ended
        if not _is_stopped_elsewhere(pid):
            process = psutil.Process(pid)
            process.suspend()
            stopped.append(process)
        threads = Path(f"/proc/{pid}/task")
        while any(_status(thread)["State"][0] not in "TtZX" for thread in threads.iterdir()):
            time.sleep(0.0005)  # nothing tells of a standstill of a process that is not our child
        for thread in threads.iterdir():
            for child in (thread / "children").read_text().split():
                _stop(int(child), stopped)


def _is_stopped_elsewhere(pid: int) -> bool:
    """Tell whether a process stands still, or is about to by a signal that was sent to it."""
    # Twice: between the state and the pending signals of one reading it may have come to its standstill.
    for _ in range(2):
        status = _status(Path(f"/proc/{pid}"))
        if status["State"][0] in "Tt" or int(status["ShdPnd"], 16) >> signal.SIGSTOP - 1 & 1:
            return True
    return False


def _status(process: Path) -> dict[str, str]:
    """Read what Linux tells of a process or a thread."""
    lines = (process / "status").read_text("utf-8", "replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.strain", description=__doc__)
    parser.add_argument("--busy", type=int, default=0, metavar="LOOPS")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the busy loops are to end then, too
    with busy_loops(options.busy), subprocess.Popen(options.command) as process:  # noqa: S603  # the person's
        try:
            if options.half:
                with half_speed(process.pid):
                    return process.wait()
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            return process.wait()


if __name__ == "__main__":
    sys.exit(main())
