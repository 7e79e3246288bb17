"""Two real instances over one data folder and one real Redis."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Server, interrupts_reach_servers, launch, models
from tests.ports import free_port
from tests.shared.redis_server import RedisServer, running_redis

__all__ = ["interrupts_reach_servers", "models"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder: instances that are killed leave no room for others."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.alone)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A running redis-server."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_redis(folder) as server:
        yield server


class Pair:
    """Two instances, of which one may be killed, stopped and started again on its port."""

    def __init__(self, models: Path, data: Path, redis_url: str, **settings: Any) -> None:
        self.settings = {
            "HAMLET_MODELS_DIR": str(models),
            "HAMLET_DATA_DIR": str(data),
            "HAMLET_REDIS_URL": redis_url,
        } | {f"HAMLET_{name.upper()}": str(value) for name, value in settings.items()}
        self.ports = (free_port(), free_port())
        self.servers = [self._launch(port) for port in self.ports]
        for server in self.servers:
            server.wait_for("inference_ready")

    def _launch(self, port: int) -> Server:
        server = launch(self.settings | {"HAMLET_PORT": str(port)})
        server.port = port
        return server

    def start_again(self, number: int) -> None:
        """Put a new server where an ended one was."""
        self.servers[number].end()
        self.servers[number] = self._launch(self.ports[number])
        self.servers[number].wait_for("inference_ready")

    def end(self) -> None:
        """End both."""
        for server in self.servers:
            server.end()


@pytest.fixture
def pair(models: Path, redis: RedisServer, tmp_path: Path) -> Iterator[Pair]:
    """Two running instances."""
    pair = Pair(models, tmp_path / "data", redis.url)
    yield pair
    pair.end()
