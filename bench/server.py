"""Start a real metaserver on a free port for a benchmark, and shut it down in order."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import REPOSITORY
from bench.suite.machine import pin


class Server(NamedTuple):
    """Represent a running server."""

    port: int
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(**settings: str) -> Iterator[int]:
    """Serve the repository's models until the block ends; yield the port once inference is ready.

    `settings` are passed as `HAMLET_*` variables. Raises `RuntimeError` if the server does not get ready.
    """
    with serving(None, **settings) as server:
        wait_until_ready(server.port, server.process)
        yield server.port


@contextmanager
def serving(core: int | None, **settings: str) -> Iterator[Server]:
    """Serve as `running_server` does, optionally pinned to one core, without waiting for readiness."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        variables = {
            "HAMLET_HOST": "127.0.0.1",
            "HAMLET_PORT": str(port),
            "HAMLET_DATA_DIR": str(Path(folder) / "data"),
            "HAMLET_MODELS_DIR": str(REPOSITORY / "models"),
            "HAMLET_LOG_LEVEL": "warning",
            **{f"HAMLET_{name.upper()}": value for name, value in settings.items()},
        }
        with _running(["hamlet_trio.cli", "serve", "--no-banner"], core, variables) as process:
            yield Server(port, process)


@contextmanager
def serving_bare(core: int | None, frame: Path) -> Iterator[Server]:
    """Run the bare app that sends the frame in this file, until the block ends."""
    with _serving_frame("bench.suite.bare", core, frame) as server:
        yield server


@contextmanager
def serving_least(core: int | None, frame: Path) -> Iterator[Server]:
    """Run plain Trio tasks that write the frame in this file to plain sockets, until the block ends."""
    with _serving_frame("bench.suite.least", core, frame) as server:
        yield server


@contextmanager
def running_redis() -> Iterator[Server]:
    """Run Redis as the shipped configuration does, until the block ends."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        command += ["--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 (our own)
        try:
            yield Server(port, process)
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def _serving_frame(module: str, core: int | None, frame: Path) -> Iterator[Server]:
    port = free_port()
    with _running([module, str(port), str(frame)], core, {}) as process:
        yield Server(port, process)


@contextmanager
def _running(
    module: Sequence[str], core: int | None, variables: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", *module]
    process = subprocess.Popen(command, env=os.environ | variables, cwd=REPOSITORY)  # noqa: S603 (our own)
    try:
        if core is not None:
            pin(process.pid, [core])
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_until_ready(port: int, process: subprocess.Popen[bytes], limit: float = 60) -> None:
    """Wait until sessions can play; raise `RuntimeError` if the server ends or takes longer."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at once with exit code {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"the server was not ready within {limit} s")
