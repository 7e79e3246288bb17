"""Run a command on a strained machine: `python -m scripts.strain --busy 4 -- COMMAND` or `--half -- COMMAND`.

`--busy` runs that many busy loops beside the command. `--half` stops it and its descendants for half of the
time, `_TICK` seconds at a time; a process that something else has stopped stays so.
"""

import argparse
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        with suppress(psutil.Error):  # it has ended
            root = psutil.Process(pid)
            for process in (root, *root.children(recursive=True)):
                with suppress(psutil.Error):
                    if process.status() != psutil.STATUS_STOPPED:
                        process.suspend()
                        stopped.append(process)
        over.wait(_TICK)
        for process in stopped:
            with suppress(psutil.Error):
                process.resume()


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.strain", description=__doc__)
    parser.add_argument("--busy", type=int, default=0, metavar="LOOPS")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
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
