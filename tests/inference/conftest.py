"""A folder of models, a running inference service, and a client of it."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import torch
import trio
from trio.testing import MockClock

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.agent.policy import Policy
from hamlet_trio.inference import InferenceService
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.settings import Settings
from tests.inference.support import DOWN, INTERACT, RIGHT, UP, Client, greeted, real_time_limit, save_model
from tests.recording.support import record


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute with one thread, as the server does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models that tests begin with, saved once: saving a checkpoint syncs the disk."""
    folder = tmp_path_factory.mktemp("models")
    save_model(folder / "trained_agent.pt", always=RIGHT)
    save_model(folder / "down.pt", always=DOWN)
    save_model(folder / "up.pt", always=UP)
    save_model(folder / "interact.pt", always=INTERACT)
    save_model(folder / "relational.pt", network_type="relational", seed=3)
    return folder


@pytest.fixture
def models(saved_models: Path, tmp_path: Path) -> Path:
    """This test's own folder of models; the default one walks to the right."""
    return Path(shutil.copytree(saved_models, tmp_path / "models"))


@pytest.fixture
def recordings(models: Path) -> RecordingFolder:
    """The service's folder of recordings."""
    return RecordingFolder(models.with_name("data") / "recordings", kept=200)


@pytest.fixture
async def service(models: Path, mock_clock: MockClock, nursery: trio.Nursery) -> InferenceService:
    """A service that is ready, with four places."""
    data = models.with_name("data")
    service = InferenceService(Settings(max_sessions=4, data_dir=str(data)), ModelFolder(models))
    nursery.start_soon(service.run)
    await service.ready.wait()
    return service


@pytest.fixture
async def client(service: InferenceService) -> AsyncIterator[Client]:
    """A client of a session of `service` that has received the greeting."""
    with real_time_limit():
        async with greeted(service) as client:
            yield client


@pytest.fixture
def kept(recordings: RecordingFolder) -> Recording:
    """A short recording of another model, with its outputs."""
    policy = Policy.untrained(3, network_type="relational")
    made = record(actions=[UP, UP, DOWN, RIGHT, RIGHT, 4], policy=policy, model="other.pt", episode=7)
    recordings.save(made)
    return made
