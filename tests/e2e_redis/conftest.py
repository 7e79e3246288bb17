"""Two real instances over one data folder and one real Redis, which the tests of a file share."""

import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e.conftest import Server, launch, models
from tests.e2e_nginx.conftest import authority, https_port, needs_nginx
from tests.e2e_nginx.proxy import NAME, Proxy, running_nginx
from tests.ports import free_port
from tests.shared.redis_server import RedisServer, running_redis

__all__ = ["authority", "https_port", "models", "needs_nginx"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder: instances that are killed leave room for few others."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.alone)


class Pair:
    """Two instances, of which one may be killed, stopped and started again on its port.

    The first may be of another version, whose sources are in the folder `older`.

    Attributes:
        models, data: the folders that both have.
        redis: the server that they share.
    """

    def __init__(
        self, models: Path, data: Path, redis: RedisServer, *, older: Path | None = None, **settings: Any
    ) -> None:
        self.models = models
        self.data = data
        self.redis = redis
        self._settings = {
            "HAMLET_MODELS_DIR": str(models),
            "HAMLET_DATA_DIR": str(data),
            "HAMLET_REDIS_URL": redis.url,
        } | {f"HAMLET_{name.upper()}": str(value) for name, value in settings.items()}
        self._older = older
        self.ports = (free_port(), free_port())
        self.servers = [self._launch(port) for port in self.ports]
        self.mend()

    def _launch(self, port: int) -> Server:
        settings = self._settings | {"HAMLET_PORT": str(port)}
        command = None
        if self._older is not None and port == self.ports[0]:
            settings["PYTHONPATH"] = str(self._older)
            command = [sys.executable, str(self._older / "demo_metaserver.py")]
        server = launch(settings, command)
        server.port = port
        return server

    def start_again(self) -> None:
        """Start new ones where they have ended; they may still be loading when this returns."""
        for number, server in enumerate(self.servers):
            if server.process.poll() is not None:
                server.end()
                self.servers[number] = self._launch(self.ports[number])

    def mend(self) -> None:
        """Have both running, new ones where they have ended, and Redis too."""
        self.redis.mend()
        for server in self.servers:
            if server.process.poll() is None:
                server.signal(signal.SIGCONT)
        self.start_again()
        for server in self.servers:
            server.wait_for("inference_ready")

    def end(self) -> None:
        """End both."""
        for server in self.servers:
            server.signal(signal.SIGKILL)
            server.end()


@pytest.fixture(scope="module")
def _pair(models: Path, https_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    shutil.copytree(models, folder / "models")
    (folder / "redis").mkdir()
    with running_redis(folder / "redis") as redis:
        # The shortest lease, so that a run whose instance was killed goes on soon.
        origins = f"https://{NAME},https://{NAME}:{https_port}"
        pair = Pair(folder / "models", folder / "data", redis, run_lease=2, allowed_origins=origins)
        yield pair
        pair.end()


@pytest.fixture
def pair(_pair: Pair) -> Iterator[Pair]:
    """Two running instances; whatever the test before killed runs again.

    A test that fails shows what they have logged meanwhile.
    """
    _pair.mend()
    before = {id(server): len(server.lines) for server in _pair.servers}
    yield _pair
    for number, server in enumerate(_pair.servers):
        for line in server.lines[before.get(id(server), 0) :]:
            print(number, line)


@pytest.fixture
def redis(pair: Pair) -> RedisServer:
    """The Redis that the two share."""
    return pair.redis


@pytest.fixture
def proxy(pair: Pair, needs_nginx: None, authority: trustme.CA, https_port: int) -> Iterator[Proxy]:
    """nginx with the shipped file in front of the two."""
    with running_nginx(authority, pair.ports, https_port, shares_run=True) as proxy:
        yield proxy
