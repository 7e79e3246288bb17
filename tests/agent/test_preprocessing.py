"""Preprocessed observations are computed once and stored in place of observations."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hamlet_trio.agent.learner import DQNLearner
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.names import NETWORK_TYPES, NetworkType
from hamlet_trio.agent.networks import build_network
from hamlet_trio.agent.preprocessing import PreprocessingCache
from hamlet_trio.world import Worlds
from tests.agent.support import train

SIZE = 72


def observations_of(count: int, seed: int) -> NDArray[np.float32]:
    worlds = Worlds(count, seed=seed)
    worlds.reset(random_start=True)
    return worlds.observe()[:, 0].copy()


@pytest.mark.parametrize("network_type", NETWORK_TYPES)
def test_a_row_has_the_announced_size(network_type: NetworkType) -> None:
    network = build_network(network_type, SIZE, 5, 8, 8)
    preprocessed = network.preprocess(torch.from_numpy(observations_of(3, 1)))
    assert network.preprocessed_size in {None, preprocessed.numel() // 3}


def test_rows_are_those_of_the_network_whatever_was_asked_before() -> None:
    network = build_network("egocentric", SIZE, 5, 8, 8)
    preprocess = PreprocessingCache(network, torch.device("cpu"))
    batches = [observations_of(2, seed) for seed in range(4)]
    for index in (0, 1, 0, 2, 3, 0, 0):
        expected = network.preprocess(torch.from_numpy(batches[index])).numpy()
        assert np.array_equal(preprocess(batches[index]), expected)
    # An array that is written over, as a run does with its own.
    batches[0][:] = batches[1]
    assert np.array_equal(preprocess(batches[0]), network.preprocess(torch.from_numpy(batches[1])).numpy())


def test_each_observation_is_prepared_once_for_acting_and_remembering() -> None:
    network = build_network("egocentric", SIZE, 5, 8, 8)
    preprocess = PreprocessingCache(network, torch.device("cpu"))
    first, second = observations_of(2, 1), observations_of(2, 2)
    assert preprocess(second) is not preprocess(first)
    assert preprocess(second.copy()) is preprocess(second)
    assert preprocess(first.copy()) is preprocess(first)


def test_preprocessed_rows_are_stored() -> None:
    config = LearnerConfig(network_type="egocentric", batch_size=8, learning_starts=20, device="cpu")
    learner = DQNLearner(config, seed=1, num_streams=2)
    train(learner, Worlds(2, seed=3), 1)
    rows = learner.replay_buffer.state_dict()["observations"]
    worlds = Worlds(2, seed=3)
    torch.testing.assert_close(rows, learner.network.preprocess(torch.from_numpy(worlds.observe()[:, 0])))
