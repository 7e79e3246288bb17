"""What the tests of training share: small runs, records of episodes, a server and a viewer."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import torch

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from tests.training.local_runs import train
from tests.training.support import Client, Server, Serving, serve_training


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute with one thread, as the trainer does, so that sums are equal to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def parameters() -> TrainingParameters:
    """A run of a few short episodes that learns in its last one."""
    return TrainingParameters(
        num_episodes=6,
        batch_size=8,
        buffer_capacity=100,
        show_every=1000,
        step_delay=0,
        network_type="qnetwork",
        seed=7,
        checkpoint_every=4,
        max_steps=20,
        random_start=0.5,
    )


@pytest.fixture
def record() -> Callable[[int], EpisodeComplete]:
    """Makes the record of an episode."""

    def make(episode: int) -> EpisodeComplete:
        return EpisodeComplete(
            episode=episode,
            reward=-float(episode),
            length=episode,
            loss=0.5,
            epsilon=0.1,
            avg_reward_5=0.0,
            avg_length_5=0.0,
            avg_loss_5=0.0,
            buffer_size=1,
            failure_reason="mood_depleted" if episode % 2 else None,
            steps_per_second=100.0,
        )

    return make


@pytest.fixture
def serving() -> Serving:
    """`serve_training`, for tests that serve with settings of their own, or several times."""
    return serve_training


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Server]:
    """A server for as long as the test lasts."""
    async with serve_training(settings) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> Client:
    """A viewer of that server."""
    return await server.connect()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a server with folders of its own."""
    return Settings(
        models_dir=str(tmp_path / "models"), data_dir=str(tmp_path / "data"), device="cpu", shutdown_grace=60
    )


@pytest.fixture
def uninterrupted(parameters: TrainingParameters, tmp_path: Path) -> Path:
    """The model of that run, made at a stretch in this process."""
    out = tmp_path / "uninterrupted.pt"
    train(tmp_path / "other", parameters, out=out)
    return out
