"""What the tests of training share: small runs, and records of episodes."""

from collections.abc import Callable, Iterator

import pytest
import torch

from hamlet_trio.protocol.messages import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As the trainer has it, so that sums come out the same."""
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
