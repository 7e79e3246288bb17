"""What a network prepares is remembered in place of observations, and changes nothing of what is learnt."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hamlet_trio.agent.learner import DQNLearner
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.names import NETWORK_TYPES, NetworkType
from hamlet_trio.agent.networks import build_network
from hamlet_trio.agent.preparing import Preparing
from hamlet_trio.agent.replay_buffer import ReplayBuffer
from hamlet_trio.world import Worlds
from tests.agent.support import train

SIZE = 72


def observations_of(count: int, seed: int) -> NDArray[np.float32]:
    worlds = Worlds(count, seed=seed)
    worlds.reset(random_start=True)
    return worlds.observe()[:, 0].copy()


@pytest.mark.parametrize("network_type", NETWORK_TYPES)
def test_a_row_has_the_size_that_is_told(network_type: NetworkType) -> None:
    network = build_network(network_type, SIZE, 5, 8, 8)
    prepared = network.prepare(torch.from_numpy(observations_of(3, 1)))
    assert network.prepared_size in {None, prepared.numel() // 3}


def test_rows_are_those_of_the_network_whatever_was_asked_before() -> None:
    network = build_network("egocentric", SIZE, 5, 8, 8)
    preparing = Preparing(network, torch.device("cpu"))
    batches = [observations_of(2, seed) for seed in range(4)]
    for index in (0, 1, 0, 2, 3, 0, 0):
        expected = network.prepare(torch.from_numpy(batches[index])).numpy()
        assert np.array_equal(preparing(batches[index]), expected)
    # An array that is written over, as a run does with its own.
    batches[0][:] = batches[1]
    assert np.array_equal(preparing(batches[0]), network.prepare(torch.from_numpy(batches[1])).numpy())


def test_each_observation_is_prepared_once_for_acting_and_remembering() -> None:
    network = build_network("egocentric", SIZE, 5, 8, 8)
    preparing = Preparing(network, torch.device("cpu"))
    first, second = observations_of(2, 1), observations_of(2, 2)
    assert preparing(second) is not preparing(first)
    assert preparing(second.copy()) is preparing(second)
    assert preparing(first.copy()) is preparing(first)


@pytest.mark.parametrize("n_step", [1, 3])
def test_another_memory_is_told_observations_and_the_same_is_learnt(n_step: int) -> None:
    config = LearnerConfig(
        network_type="egocentric", batch_size=8, learning_starts=20, n_step=n_step, device="cpu"
    )
    # The generator that a learner of seed 1 gives its own memory.
    memory = ReplayBuffer(config.buffer_capacity, SIZE, np.random.SeedSequence(1).spawn(3)[2])
    own, given = (
        DQNLearner(config, seed=1, num_streams=2),
        DQNLearner(config, seed=1, num_streams=2, memory=memory),
    )
    for learner in (own, given):
        train(learner, Worlds(2, seed=3), 40)
    assert own.memory.state_dict()["observations"].shape[1] == 102
    assert given.memory.state_dict()["observations"].shape[1] == SIZE
    assert own.updates == given.updates > 0
    weights, others = own.network.state_dict(), given.network.state_dict()
    for mine, theirs in zip(weights.values(), others.values(), strict=True):
        # Features of a row are the same in any batch, up to the last bit of a vectorised tanh.
        torch.testing.assert_close(mine, theirs)
