"""A real Ray cluster of one's own, in a network namespace from which nothing else can be reached."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.needs import left_out
from tests.ports import free_port

_ATTEMPTS: Final = 5


def require_ray() -> None:
    """Leave a test out where Ray is not installed; fail it where everything must be there."""
    if find_spec("ray") is None:
        left_out("needs Ray: pip install 'hamlet-trio[ray]'")


class RayServer:
    """The head of a cluster, and its only node; when its first process is killed, all of them are."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, environment: dict[str, str]) -> None:
        self.address: Final = f"127.0.0.1:{port}"
        self.environment: Final = environment
        self._process = process

    @property
    def inside(self) -> tuple[str, ...]:
        """What a command begins with that is to run in its network."""
        (first,) = psutil.Process(self._process.pid).children()
        return "nsenter", f"--net=/proc/{first.pid}/ns/net"

    def kill(self) -> None:
        """Kill all of its processes."""
        self._process.kill()

    def trials(self) -> list[psutil.Process]:
        """The worker processes that train a trial now."""
        found = psutil.Process(self._process.pid).children(recursive=True)
        return [process for process in found if "hamlet-trial-" in _title(process)]

    def trainer_of(self, run_id: str) -> psutil.Process:
        """The worker process that trains this trial now."""
        (found,) = [process for process in self.trials() if run_id in _title(process)]
        return found

    def left_behind(self) -> list[Path]:
        """The folders of trials that no process has removed."""
        return list(Path(self.environment["TMPDIR"]).glob("hamlet-trial-*"))


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended meanwhile
        return ""


@contextmanager
def ray_server(cores: int, **variables: str) -> Iterator[RayServer]:
    """Start a cluster with so many cores, whose processes have these variables; kill it at the end."""
    require_ray()
    namespaces = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    allowed = shutil.which("unshare") and shutil.which("ip")
    if not allowed or subprocess.run([*namespaces, "true"], capture_output=True, check=False).returncode:
        left_out("needs root on Linux, with iproute2: a network namespace cannot be made here")
    port = free_port()
    # Not a folder of pytest's: the names of sockets in it would be too long.
    folder = tempfile.mkdtemp(prefix="ray-")
    own = {"HOME": folder, "TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    environment = os.environ | own | variables
    start = (
        f"ip link set lo up && exec {sys.executable} -W ignore -m ray.scripts.scripts start --head --block "
        f"--node-ip-address=127.0.0.1 --port={port} --num-cpus={cores} --include-dashboard=false "
        f"--disable-usage-stats --object-store-memory=80000000 --temp-dir={folder}/r"
    )
    try:
        with _started([*namespaces, "sh", "-c", start], environment) as process:
            try:
                yield RayServer(process, port, environment)
            finally:
                process.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _started(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
    """Start a head; again where its processes did not come up within the 30 s that Ray allows itself."""
    said: list[str] = []
    for _ in range(_ATTEMPTS):
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "Ray runtime started" in line:
                return process
        process.communicate()
    pytest.fail("".join(said))
