"""Other libraries take the environments: stable-baselines3, and SuperSuit, by which one agent is many."""

import warnings
from copy import deepcopy

import numpy as np
import pytest
from msgspec.structs import replace
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env

from hamlet_trio.envs.gymnasium_env import HamletEnv
from hamlet_trio.world import Effects, WorldConfig, parallel_env

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # as it imports its wrappers
    import supersuit


def test_black_death_makes_a_vector_environment_of_agents_that_end_at_different_times() -> None:
    """The second agent of each world walks until it starves; the first stays to the step limit."""
    meters = tuple(replace(meter, drain=0.0) for meter in WorldConfig().meters)
    config = WorldConfig(
        num_agents=2, max_steps=6, meters=meters, move=Effects(satiation=-40), failed_interact=Effects()
    )
    one = supersuit.pettingzoo_env_to_vec_env_v1(supersuit.black_death_v3(parallel_env(config)))
    # It copies the world by cloudpickle.
    envs = supersuit.concat_vec_envs_v1(one, 2, num_cpus=1, base_class="gymnasium")
    assert envs.num_envs == 4
    first, _ = envs.reset(seed=3)
    assert first.shape == (4, 72)
    np.testing.assert_array_equal(first[:2], first[2:])
    for step in range(1, 7):
        observations, rewards, ended, _, _ = envs.step(np.array([4, 0, 4, 0]))
        assert observations[0].any()
        assert observations[1].any() == (step <= 3)
        assert (rewards[1] < -90) == (step == 3)
        assert not ended.any()
        np.testing.assert_array_equal(observations[:2], observations[2:])
    begun, rewards, ended, _, _ = envs.step(np.array([4, 0, 4, 0]))
    assert ended.all(), "with the step after the last one"
    assert not rewards.any()
    np.testing.assert_array_equal(begun, first)
    assert deepcopy(config) == config


def test_stable_baselines_finds_nothing_to_object_to() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(HamletEnv())


@pytest.mark.parametrize("name", ["hamlet_trio:Hamlet-v0", "hamlet_trio:Hamlet-random-v0"])
def test_stable_baselines_learns_by_name(name: str) -> None:
    agent = DQN("MlpPolicy", name, buffer_size=100, learning_starts=8, device="cpu").learn(16)
    assert agent.predict(HamletEnv().reset()[0])[0] in range(5)
    several = make_vec_env(name, n_envs=2, seed=1)
    assert PPO("MlpPolicy", several, n_steps=8, batch_size=16, device="cpu").learn(16).num_timesteps == 16
