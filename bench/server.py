"""A real metaserver for a benchmark: started on a free port, stopped by its own shutdown."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(**settings: str) -> Iterator[int]:
    """Serve the repository's models until the block ends; gives the port once inference is ready.

    `settings` are passed as `HAMLET_*` variables. Raises `RuntimeError` if the server does not get ready.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as data_dir:
        environment = os.environ | {
            "HAMLET_HOST": "127.0.0.1",
            "HAMLET_PORT": str(port),
            "HAMLET_DATA_DIR": data_dir,
            "HAMLET_MODELS_DIR": str(REPOSITORY / "models"),
            "HAMLET_LOG_LEVEL": "warning",
            **{f"HAMLET_{name.upper()}": value for name, value in settings.items()},
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "hamlet_trio.cli", "serve"], env=environment, cwd=REPOSITORY
        )
        try:
            wait_until_ready(port, process)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def wait_until_ready(port: int, process: subprocess.Popen[bytes], limit: float = 60) -> None:
    """Wait until sessions can play; raises `RuntimeError` where the server ends, or takes longer."""
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
