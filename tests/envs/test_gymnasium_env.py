"""The Gymnasium environment, against Gymnasium's own checks and against Worlds."""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec, VectorizeMode
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from msgspec.structs import replace

from hamlet_trio.envs.gymnasium_env import HamletEnv
from hamlet_trio.envs.vector_env import HamletVectorEnv
from hamlet_trio.world import (
    FAILURE_REASONS,
    METERS,
    ConfigError,
    Effects,
    EpisodeOverError,
    WorldConfig,
    Worlds,
    parallel_env,
)
from hamlet_trio.world.library import UnknownWorldError, WorldLibrary
from hamlet_trio.world.world_file import WorldError, make_world

BARE = WorldConfig(
    width=5,
    height=9,
    affordances=(),
    meals=(),
    meters=tuple(replace(meter, place=None) for meter in WorldConfig().meters),
)


@pytest.mark.parametrize("options", [{}, {"reward": "survival", "max_steps": 30}, {"config": BARE}])
def test_gymnasium_finds_nothing_to_object_to(options: dict[str, Any]) -> None:
    env = gymnasium.make("Hamlet-v0", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


def test_the_spaces() -> None:
    env = gymnasium.make("Hamlet-v0")
    box = env.observation_space
    assert isinstance(box, gymnasium.spaces.Box)
    assert box.shape == (72,)
    assert box.dtype == np.float32
    assert env.action_space == gymnasium.spaces.Discrete(5)


def test_the_step_limit_of_gymnasium_is_the_worlds_own() -> None:
    assert gymnasium.spec("Hamlet-v0").max_episode_steps == 500
    limits: list[dict[str, Any]] = [{"max_episode_steps": 2}, {"max_steps": 2}]
    for options in (*limits, limits[0] | limits[1]):
        env = gymnasium.make("Hamlet-v0", **options)
        env.reset()
        assert env.step(0)[2:4] == (False, False)
        assert env.step(0)[2:4] == (False, True)


def test_a_longer_limit_is_kept_too() -> None:
    still = {"meters": {name: {"drain": 0} for name in METERS}, "loneliness_mood": 0, "max_steps": 900}
    stay = {"failed_interact": {"energy": 0}}
    for options in ({"config": still | stay}, {"config": still | stay, "max_steps": 700}):
        env = gymnasium.make("Hamlet-v0", max_episode_steps=600, **options)
        env.reset()
        assert not any(any(env.step(4)[2:4]) for _ in range(599))
        assert env.step(4)[2:4] == (False, True)


def config_of(env: Any) -> WorldConfig:
    """The world inside the wrappers."""
    inner = env.unwrapped
    assert isinstance(inner, HamletEnv | HamletVectorEnv)
    return inner.config


@pytest.mark.parametrize(
    "config",
    [
        BARE,
        "two-bars",
        {"width": 9},
        WorldConfig(max_steps=100),
        {"move": Effects(energy=-2), "start": np.array([3, 3]), "width": np.int64(9)},
        MappingProxyType({"meters": {"mood": {"drain": np.float32(0.5)}}}),
    ],
)
def test_a_spec_goes_through_json_with_its_world(config: Any) -> None:
    makers: list[Callable[..., Any]] = [gymnasium.make, gymnasium.make_vec]
    for make in makers:
        env = make("Hamlet-v0", config=config, max_steps=np.int64(50))
        again = make(EnvSpec.from_json(env.spec.to_json()))
        assert config_of(again) == config_of(env)


def test_a_spec_needs_no_file_of_a_world(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("width = 9\n")
    same_step: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP}
    made: list[tuple[Callable[..., Any], Any]] = [
        (gymnasium.make, gymnasium.make("Hamlet-v0", config=file)),
        (gymnasium.make, gymnasium.make("Hamlet-v0", config=str(file))),
        (gymnasium.make_vec, gymnasium.make_vec("Hamlet-v0", config=file, **same_step)),
    ]
    file.unlink()
    for make, env in made:
        again = make(EnvSpec.from_json(env.spec.to_json()))
        assert config_of(again).width == 9
    assert again.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_a_world_is_chosen_by_name_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("width = 9\n")
    monkeypatch.setenv("HAMLET_DATA_DIR", str(tmp_path))
    WorldLibrary(tmp_path / "worlds").save("ten", make_world({"width": 10}))
    assert HamletEnv("survival").config.reward == "survival"
    assert HamletEnv(str(file)).config.width == HamletEnv(file).config.width == 9
    assert HamletEnv("ten").config.width == 10
    with pytest.raises(UnknownWorldError, match="`hamlet world list`"):
        HamletEnv("nowhere")
    with pytest.raises(WorldError, match=r"must end in \.toml or \.json"):
        HamletEnv("./worlds/ten")
    with pytest.raises(WorldError, match="width"):
        HamletEnv({"width": 1})


def test_an_unknown_reset_option_is_refused() -> None:
    with pytest.raises(ValueError, match=r"options\.start is unknown; allowed: random_start"):
        HamletEnv().reset(options={"start": 1})


def test_hamlet_random_begins_anywhere() -> None:
    env = gymnasium.make("Hamlet-random-v0")
    positions = {env.reset(seed=seed)[1]["position"] for seed in range(20)}
    assert len(positions) > 10
    assert env.reset(seed=1, options={"random_start": False})[1]["position"] == (4, 4)


def test_an_episode_is_that_of_the_world() -> None:
    env, worlds = HamletEnv(), Worlds(1)
    observation, info = env.reset(seed=3)
    np.testing.assert_array_equal(observation, worlds.observe()[0, 0])
    generator = np.random.default_rng(0)
    while not worlds.over[0]:
        action = generator.integers(5)
        result = worlds.step([action])
        observation, reward, terminated, truncated, info = env.step(action)
        np.testing.assert_array_equal(observation, worlds.observe()[0, 0])
        assert reward == result.rewards[0, 0]
        assert (terminated, truncated) == (result.terminated[0, 0], result.truncated[0, 0])
        assert list(info["meters"]) == list(METERS)
        assert list(info["meters"].values()) == worlds.meters[0, 0].tolist()
        assert info["position"] == tuple(worlds.positions[0, 0].tolist())
        assert (info["failure_reason"] is None) == (not terminated)
    assert isinstance(reward, float)
    assert isinstance(terminated, bool)
    assert terminated
    assert info["failure_reason"] == FAILURE_REASONS[int(worlds.failure[0, 0])]
    with pytest.raises(EpisodeOverError, match="reset"):
        env.step(0)


def test_a_seed_repeats_a_random_start() -> None:
    env = HamletEnv()
    first, _ = env.reset(seed=5, options={"random_start": True})
    second, _ = env.reset(options={"random_start": True})
    again, _ = env.reset(seed=5, options={"random_start": True})
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    assert env.observation_space.contains(first)


def test_the_start_is_not_random_by_default() -> None:
    observation, info = HamletEnv().reset(seed=5)
    np.testing.assert_array_equal(observation, Worlds(1).observe()[0, 0])
    assert info["position"] == (4, 4)
    assert info["meters"]["money"] == 50.0


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_vector_of_environments(mode: str) -> None:
    envs = gymnasium.make_vec("Hamlet-v0", num_envs=3, vectorization_mode=VectorizeMode(mode), max_steps=5)
    try:
        observations, _ = envs.reset(seed=1)
        assert observations.shape == (3, 72)
        for _ in range(5):
            observations, _, terminations, truncations, infos = envs.step(np.array([0, 1, 4]))
        assert truncations.all()
        assert not terminations.any()
        assert infos["position"].tolist() == [(4, 0), (4, 7), (4, 4)]
    finally:
        envs.close()


def test_a_copied_environment_goes_its_own_way() -> None:
    env = HamletEnv()
    env.reset(seed=1)
    env.step(0)
    twin = copy.deepcopy(env)
    np.testing.assert_array_equal(env.step(0)[0], twin.step(0)[0])
    ahead = twin.step(3)[4]["position"]
    assert (ahead, env.step(2)[4]["position"]) == ((5, 2), (3, 2))


def test_it_can_be_drawn() -> None:
    env = gymnasium.make("Hamlet-v0", render_mode="ansi")
    env.reset()
    picture = env.render()
    assert isinstance(picture, str)
    lines = picture.splitlines()
    assert lines[4] == ". . . . @ . . ."
    assert lines[0] == ". . . . . . . B"
    assert lines[8].startswith("agent_0: energy 100.0, hygiene 100.0")
    assert HamletEnv().render() is None


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ConfigError, match="max_steps is 0"):
        HamletEnv(max_steps=0)
    with pytest.raises(ConfigError, match=r"num_agents is 2; allowed: 1 .*parallel_env"):
        HamletEnv(WorldConfig(num_agents=2))
    with pytest.raises(ValueError, match="render_mode is 'paper'; allowed: human, rgb_array, ansi"):
        HamletEnv(render_mode="paper")
    with pytest.raises(ValueError, match=r"options\.random_start is 1; allowed: true or false"):
        HamletEnv().reset(options={"random_start": 1})
    makers: list[Callable[..., Any]] = [HamletEnv, HamletVectorEnv, parallel_env]
    for make in makers:
        with pytest.raises(ValueError, match="random_start is 1; allowed: true or false"):
            make(random_start=1)
        with pytest.raises(TypeError, match="among the arguments; allowed: numbers, text, lists and dicts"):
            make(config={"width": object()})
    env = HamletEnv()
    env.reset()
    with pytest.raises(ValueError, match="actions has 5"):
        env.step(5)


def test_what_is_no_world_and_no_options_is_refused_in_a_sentence() -> None:
    with pytest.raises(TypeError, match=r"config is 3; allowed: a WorldConfig, a world's name"):
        HamletEnv(config=3)  # type: ignore[arg-type]
    for env in (HamletEnv(), HamletVectorEnv(2)):
        with pytest.raises(TypeError, match=r"options is 5; allowed: a dict"):
            env.reset(options=5)  # type: ignore[arg-type]
