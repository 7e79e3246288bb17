"""Run the server under test as a process whose disk can be filled and whose clock can be set."""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from bench import REPOSITORY
from bench.server import free_port, wait_until_ready

HALF_OPEN: Final = 4  # seconds after which the server shall notice a client that vanished
STALLED: Final = 4  # seconds after which it shall drop one that does not read
_DISK_BYTES: Final = 128 * 2**20


class Measure(NamedTuple):
    """Hold what a server uses at one moment; `files` counts its descriptors, a database's once.

    SQLite keeps the descriptor of a connection that was closed for the next one to that file, as long as
    another of the process holds a lock on it: how many there are is chance, and no more than were open
    at once.
    """

    megabytes: float
    tasks: int
    files: int
    children: int


class Subject:
    """Represent one running server.

    Attributes:
        left_out: faults that cannot be injected on this machine, each with the reason.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.left_out: dict[str, str] = {}
        self.disk = folder / "disk"
        self.disk.mkdir()
        self._mounted = self._mount()
        shutil.copytree(REPOSITORY / "models", self.disk / "models")
        self._clock = folder / "clock"
        self._clock.write_text("+0\n")
        self.port = free_port()
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hamlet_trio.cli", "serve", "--no-banner"],
                env=os.environ | self._settings() | self._faked_clock(),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until_ready(self.port, self.process, limit=180)
        except RuntimeError:
            print((folder / "log").read_text(errors="replace"), file=sys.stderr)
            self.process.kill()
            self.end()
            raise

    def _settings(self) -> dict[str, str]:
        settings = {
            "host": "0.0.0.0",  # noqa: S104  # the network namespace has to reach it
            "port": str(self.port),
            "models_dir": str(self.disk / "models"),
            "data_dir": str(self.disk / "data"),
            "log_format": "json",
            "log_level": "warning",
            "half_open_timeout": str(HALF_OPEN),
            "send_timeout": str(STALLED),
            "max_load": "0",  # a slow machine is to serve them all, however late
        }
        return {f"HAMLET_{name.upper()}": value for name, value in settings.items()}

    def _mount(self) -> bool:
        """Mount a small disk in memory."""
        command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "hamlet-soak", str(self.disk)]
        if os.name == "posix" and os.geteuid() == 0:
            done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
            if done.returncode == 0:
                return True
        self.left_out["disk full"] = "a small disk of its own can only be mounted as root"
        return False

    def _faked_clock(self) -> dict[str, str]:
        found = sorted(glob.glob("/usr/lib/*/faketime/libfaketime.so.1"))
        if not found:
            self.left_out["clock jump"] = "libfaketime is not installed: apt-get install libfaketime"
            return {}
        # Only the time of day: no system lets anybody set the monotonic clock. The library waits for threads
        # by asking every few milliseconds, which makes each step of a session that much slower.
        return {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set_clock(self, seconds: int) -> None:
        """Shift the server's time of day from now on (takes effect within a second)."""
        temporary = self._clock.with_suffix(".new")
        temporary.write_text(f"{seconds:+d}\n")
        temporary.replace(self._clock)

    def fill_disk(self) -> None:
        """Fill the disk to the last byte."""
        # Opening fails too where an earlier filling has left no room for the name.
        with suppress(OSError), (self.disk / "filler").open("ab", buffering=0) as filler:
            while True:
                filler.write(bytes(65536))

    def free_disk(self) -> None:
        """Free the disk."""
        (self.disk / "filler").unlink(missing_ok=True)

    def trainers(self) -> list[psutil.Process]:
        """Return the trainer's process, if there is one."""
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
            return [child for child in children if "hamlet_trio.training.trainer" in child.cmdline()]
        except psutil.NoSuchProcess:
            return []

    def metric(self, name: str) -> float:
        """Return one of the server's metrics, summed over labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))

    def measure(self) -> Measure:
        """Measure memory, tasks, descriptors and children now, the asking connection included."""
        process = psutil.Process(self.process.pid)
        tasks = int(self.metric("hamlet_tasks"))
        kept = Counter(file.path for file in process.open_files() if file.path.endswith(".db"))
        files = process.num_fds() - kept.total() + len(kept)
        return Measure(process.memory_info().rss / 1e6, tasks, files, len(process.children()))

    def settle(self, limit: float = 30.0, *, before: Measure | None = None) -> Measure:
        """Measure once nothing is left to go, nor more tasks and files than `before`, or after `limit` s.

        A busy machine takes its time over closing what its clients have left.
        """
        deadline = time.monotonic() + limit
        while True:
            gone = self.metric("hamlet_connections") <= 1 and not self.trainers()
            time.sleep(1 if gone else 0.2)
            measure = self.measure()
            more = before is not None and (measure.tasks > before.tasks or measure.files > before.files)
            if (gone and not more) or time.monotonic() > deadline:
                return measure

    def logged(self) -> Counter[str]:
        """Return how often each event was logged as an error."""
        found: Counter[str] = Counter()
        for line in (self.folder / "log").read_text(errors="replace").splitlines():
            if line.startswith("{"):
                event = json.loads(line)
                if event.get("level") == "error":
                    found[event["event"]] += 1
            elif line.strip():
                found[line[:100]] += 1
        return found

    def end(self) -> int | None:
        """End the server in order; return its exit code, or None if it had to be killed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code: int | None = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = None
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False)  # noqa: S603, S607
            self._mounted = False
        return code


@contextmanager
def running_subject(folder: Path) -> Iterator[Subject]:
    """Start a server and end it when the block ends."""
    subject = Subject(folder)
    try:
        yield subject
    finally:
        if subject.process.poll() is None:
            subject.end()
