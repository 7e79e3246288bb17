"""The PettingZoo environment, against PettingZoo's own checks and against Worlds."""

import warnings

import gymnasium
import numpy as np
import pytest
from msgspec.structs import replace

from hamlet_trio.world import ConfigError, Effects, WorldConfig, Worlds, parallel_env
from hamlet_trio.world.library import WorldLibrary

with warnings.catch_warnings():
    # It imports games of its own, which warn of their own ways, where pygame is installed.
    warnings.simplefilter("ignore")
    from pettingzoo.test import parallel_api_test, parallel_seed_test


@pytest.mark.parametrize("num_agents", [1, 3])
def test_pettingzoo_finds_nothing_to_object_to(num_agents: int) -> None:
    parallel_api_test(parallel_env(num_agents=num_agents), num_cycles=300)
    parallel_seed_test(lambda: parallel_env(num_agents=num_agents), num_cycles=50)


def test_agents_leave_as_they_end() -> None:
    """agent_1 walks until it starves; agent_0 stays, and goes on alone to the step limit."""
    meters = tuple(replace(meter, drain=0.0) for meter in WorldConfig().meters)
    config = WorldConfig(
        num_agents=2, max_steps=6, meters=meters, move=Effects(satiation=-40), failed_interact=Effects()
    )
    env, worlds = parallel_env(config), Worlds(1, config)
    observations, infos = env.reset()
    assert env.agents == ["agent_0", "agent_1"]
    assert infos["agent_1"]["position"] == (5, 4)
    assert (observations["agent_0"][8:] == 10).sum() == 1
    actions = {"agent_0": 4, "agent_1": 0}
    left = {}
    while env.agents:
        acting = list(env.agents)
        result = worlds.step([list(actions.values())])
        observations, rewards, terminations, truncations, infos = env.step(
            {agent: actions[agent] for agent in acting}
        )
        for agent in acting:
            index = int(agent[-1])
            np.testing.assert_array_equal(observations[agent], worlds.observe()[0, index])
            assert rewards[agent] == result.rewards[0, index]
            if terminations[agent] or truncations[agent]:
                left[agent] = (int(worlds.steps[0]), truncations[agent], infos[agent]["failure_reason"])
        assert list(observations) == list(rewards) == list(infos) == acting
    assert left == {"agent_1": (3, False, "satiation_depleted"), "agent_0": (6, True, None)}
    assert env.step({}) == ({}, {}, {}, {}, {})


def test_the_spaces_are_the_same_objects_each_time() -> None:
    env = parallel_env(num_agents=2)
    assert env.observation_space("agent_1") is env.observation_space("agent_1")
    assert env.action_space("agent_0") is env.action_space("agent_0")
    assert env.action_space("agent_0") == gymnasium.spaces.Discrete(5)
    assert env.observation_space("agent_0").shape == (72,)


def test_wrong_actions_are_refused() -> None:
    env = parallel_env(num_agents=2)
    with pytest.raises(ValueError, match="none: reset first"):
        env.step({"agent_0": 0, "agent_1": 0})
    env.reset()
    with pytest.raises(ValueError, match="actions is of agent_0; allowed: one each of agent_0, agent_1"):
        env.step({"agent_0": 0})
    with pytest.raises(ValueError, match="actions has 7"):
        env.step({"agent_0": 0, "agent_1": 7})


def test_after_the_end_no_actions_have_no_results() -> None:
    env = parallel_env(num_agents=2, max_steps=1)
    env.reset()
    env.step({"agent_0": 0, "agent_1": 0})
    assert env.agents == []
    assert env.step({}) == ({}, {}, {}, {}, {})
    with pytest.raises(ValueError, match="allowed: one each of none: reset first"):
        env.step({"agent_0": 0})


def test_the_state_is_what_all_agents_see() -> None:
    env = parallel_env(num_agents=3)
    observations, _ = env.reset(seed=1)
    state = env.state()
    assert env.state_space.contains(state)
    np.testing.assert_array_equal(state, np.concatenate(list(observations.values())))


def test_a_world_is_chosen_by_name() -> None:
    env = parallel_env("two-bars", num_agents=2)
    assert env.config.affordances == WorldLibrary().get("two-bars").config.affordances
    assert env.config.num_agents == 2
    assert "2 agents" in repr(env)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ConfigError, match="num_agents is 65; allowed: a whole number from 1 to 64"):
        parallel_env(num_agents=65)
    with pytest.raises(ValueError, match="render_mode is 'paper'; allowed: human, rgb_array, ansi"):
        parallel_env(render_mode="paper")
    with pytest.raises(ValueError, match=r"seed is 1\.5; allowed: a whole number of 0 or more"):
        parallel_env().reset(seed=1.5)  # type: ignore[arg-type]


def test_it_can_be_drawn() -> None:
    env = parallel_env(num_agents=3, render_mode="ansi")
    env.reset()
    text = env.render()
    assert isinstance(text, str)
    lines = text.splitlines()
    assert lines[4:6] == [". . . . 0 1 . .", ". . . . . 2 . ."]
    assert lines[10].startswith("agent_2: energy")
    assert parallel_env().render() is None
    pictures = parallel_env(num_agents=2, render_mode="rgb_array")
    pictures.reset()
    before = pictures.render()
    pictures.step({"agent_0": 0, "agent_1": 3})
    after = pictures.render()
    assert isinstance(before, np.ndarray)
    assert isinstance(after, np.ndarray)
    assert before.shape == after.shape == (540, 960, 3)
    assert (before != after).any()


def test_options_that_are_no_dict_are_refused() -> None:
    with pytest.raises(TypeError, match=r"options is \[1\]; allowed: a dict"):
        parallel_env().reset(options=[1])  # type: ignore[arg-type]
