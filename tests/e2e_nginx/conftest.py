"""Two real instances behind a real nginx that reads the shipped file."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import trustme

from tests.e2e.conftest import Server, launch, models
from tests.e2e_nginx.proxy import NAME, Proxy, running_nginx
from tests.e2e_page.conftest import browser, built_page
from tests.needs import left_out
from tests.ports import free_port
from tests.web.access.conftest import Known, made
from tests.web.wire import request

__all__ = ["browser", "built_page", "made", "models"]

ORIGIN: Final = f"https://{NAME}"


class Instances:
    """Two servers over the same models and tokens, each with data of its own.

    One that ended starts again in place.
    """

    def __init__(self, models: Path, folder: Path, settings: dict[str, str]) -> None:
        self._models = models
        self._folder = folder
        self._settings = settings
        self.servers = [self._launch(0, 0), self._launch(1, 0)]
        for server in self.servers:
            server.port = server.wait_for("listening")["port"]
        for server in self.servers:
            server.wait_for("inference_ready")

    @property
    def ports(self) -> tuple[int, int]:
        """Where the two listen; the first is the one that trains."""
        return self.servers[0].port, self.servers[1].port

    def _launch(self, number: int, port: int) -> Server:
        folders = {
            "HAMLET_MODELS_DIR": str(self._models),
            "HAMLET_DATA_DIR": str(self.data_folders[number]),
        }
        return launch(self._settings | folders | {"HAMLET_PORT": str(port)})

    @property
    def data_folders(self) -> list[Path]:
        """Where each keeps what its runs need."""
        return [self._folder / f"data{number}" for number in (0, 1)]

    async def sessions(self, number: int) -> int:
        """How many play at this instance now."""
        text = (await request(self.servers[number].port, "GET /metrics")).body.decode()
        (value,) = re.findall(r"^hamlet_inference_sessions (\S+)$", text, re.M)
        return int(float(value))

    def start_again(self, number: int) -> Server:
        """Put a new server where an ended one was; it may still be loading when this returns."""
        old = self.servers[number]
        old.end()
        server = self._launch(number, old.port)
        server.port = old.port
        self.servers[number] = server
        return server

    def end(self) -> None:
        """End both."""
        for server in self.servers:
            server.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder: one hundred sessions and a restart leave no room for others."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that lasts as long as the tests."""
    return trustme.CA()


@pytest.fixture(scope="session")
def needs_nginx() -> None:
    """Leaves the tests out where there is no nginx; a failure where everything must be there."""
    if not shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin"):
        left_out("needs nginx: scripts/install_nginx.sh, or apt-get install nginx")


@pytest.fixture(scope="session")
def https_port() -> int:
    """Where nginx will listen; known before, because it is part of the page's origin."""
    return free_port()


@pytest.fixture(scope="session")
def keys(made: Known, tmp_path_factory: pytest.TempPathFactory) -> Known:
    """The tokens of both instances."""
    file = tmp_path_factory.mktemp("keys") / "tokens.json"
    file.write_bytes(made.file.read_bytes())
    return made._replace(file=file)


@pytest.fixture(scope="session")
def instances(
    needs_nginx: None, https_port: int, models: Path, keys: Known, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instances]:
    """The two instances, in the production profile; they would compress, if a client's offer reached them."""
    folder = tmp_path_factory.mktemp("instances")
    settings = {
        "HAMLET_PROFILE": "production",
        "HAMLET_ALLOWED_ORIGINS": f"{ORIGIN},{ORIGIN}:{https_port}",
        "HAMLET_COMPRESSION": "true",
        "HAMLET_TOKENS_FILE": str(keys.file),
        "HAMLET_COOKIE_KEY_FILE": str(folder / "cookie.key"),
        "HAMLET_TRUSTED_USER_HEADER": "X-Remote-User",
        "HAMLET_TRUSTED_TEACHERS": "jones",
    }
    pair = Instances(models, folder, settings)
    yield pair
    pair.end()


@pytest.fixture(scope="session")
def proxy(instances: Instances, https_port: int, authority: trustme.CA) -> Iterator[Proxy]:
    """nginx in front of the two."""
    with running_nginx(authority, instances.ports, https_port) as proxy:
        yield proxy
