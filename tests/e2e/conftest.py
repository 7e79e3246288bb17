"""Real servers in processes of their own, on ports the system chose, with folders of their own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata, save_checkpoint
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import build_network
from tests.patience import PATIENCE

ROOT: Final = Path(__file__).parents[2]


class Server:
    """One server process; what it logs is kept, and can be waited for.

    Logs are read by a thread, so that a server never waits for a full pipe.
    """

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._events: list[dict[str, Any]] = []
        self._heard = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = 0

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._heard:
                self.lines.append(line.rstrip("\n"))
                if line.startswith("{"):
                    self._events.append(json.loads(line))
                self._heard.notify_all()
        with self._heard:
            self._ended = True
            self._heard.notify_all()

    def wait_for(self, event: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """The `count`-th logged event of this name with these fields; fails when it does not come."""

        def found() -> list[dict[str, Any]]:
            return [
                logged
                for logged in self._events
                if logged["event"] == event and fields.items() <= logged.items()
            ]

        with self._heard:
            self._heard.wait_for(lambda: len(found()) >= count or self._ended, PATIENCE)
            events = found()
            assert len(events) >= count, f"{event} {fields} was not logged {count} times:\n{self.output()}"
            return events[count - 1]

    def logged(self, level: str) -> list[dict[str, Any]]:
        """Everything logged at this level so far."""
        with self._heard:
            return [event for event in self._events if event.get("level") == level]

    def output(self) -> str:
        """All it wrote so far."""
        return "\n".join(self.lines)

    def wait(self) -> int:
        """Its exit code, once it has ended by itself."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self) -> None:
        """End it, if need be by force."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models of different kinds; their weights are random, which is all that serving needs."""
    import torch

    folder = tmp_path_factory.mktemp("models")
    kinds: dict[str, NetworkType] = {
        "trained_agent.pt": "dueling",
        "first.pt": "qnetwork",
        "second.pt": "spatial",
        "third.pt": "relational",
    }
    for seed, (name, kind) in enumerate(kinds.items()):
        network = build_network(kind, 72, 5, 8, 8, generator=torch.Generator().manual_seed(seed))
        metadata = CheckpointMetadata(network_type=kind)
        save_checkpoint(folder / name, Checkpoint(network=network, metadata=metadata))
    return folder


def launch(environment: dict[str, str], command: list[str] | None = None) -> Server:
    """Start a server process; it may fail to start, which is for the caller to see."""
    defaults = {
        "HAMLET_HOST": "127.0.0.1",
        "HAMLET_PORT": "0",
        "HAMLET_LOG_FORMAT": "json",
        "HAMLET_LOG_LEVEL": "debug",
        "PYTHONFAULTHANDLER": "1",
    }
    return Server(command or [sys.executable, "demo_metaserver.py"], defaults | environment)


@pytest.fixture(scope="session")
def shared_server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for every test that leaves it as it was."""
    data = tmp_path_factory.mktemp("data")
    server = launch({"HAMLET_MODELS_DIR": str(models), "HAMLET_DATA_DIR": str(data)})
    try:
        server.port = server.wait_for("listening")["port"]
        server.wait_for("inference_ready")
        yield server
    finally:
        server.end()


@pytest.fixture
def start_server(models: Path, tmp_path: Path) -> Iterator[StartServer]:
    """A function that starts a server with settings of its own, `start_server(send_timeout=1)`.

    It returns once the server listens; `ready=True` waits until sessions can play. All are ended afterwards.
    """
    servers: list[Server] = []

    def start(*, ready: bool = True, command: list[str] | None = None, **settings: object) -> Server:
        environment = {"HAMLET_MODELS_DIR": str(models), "HAMLET_DATA_DIR": str(tmp_path / "data")}
        environment |= {f"HAMLET_{name.upper()}": str(value) for name, value in settings.items()}
        server = launch(environment, command)
        servers.append(server)
        server.port = server.wait_for("listening")["port"]
        if ready:
            server.wait_for("inference_ready")
        return server

    yield start
    for server in servers:
        server.end()
