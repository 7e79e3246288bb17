"""The native vector environment, against single environments and Gymnasium's own vectors."""

import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec, VectorizeMode
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from hamlet_trio.envs.gymnasium_env import HamletEnv
from hamlet_trio.envs.vector_env import HamletVectorEnv
from hamlet_trio.world import EpisodeOverError

SHORT = {"max_steps": 40}
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]


def make_singly(number: int, mode: AutoresetMode, **options: Any) -> SyncVectorEnv[Any, Any]:
    return SyncVectorEnv([lambda: HamletEnv(**options)] * number, autoreset_mode=mode)


def equal(ours: Any, theirs: Any) -> None:
    """Compare infos, in which masked values do not count."""
    if isinstance(theirs, dict):
        names = {name for name in theirs if not name.startswith("_")}
        assert {name for name in ours if not name.startswith("_")} == names
        for name in names:
            mask = theirs[f"_{name}"]
            np.testing.assert_array_equal(ours[f"_{name}"], mask)
            if isinstance(theirs[name], dict):
                equal(ours[name], theirs[name])
            else:
                assert [list_of(v) for v in ours[name][mask]] == [list_of(v) for v in theirs[name][mask]]


def list_of(value: Any) -> Any:
    return (
        value.tolist()
        if isinstance(value, np.ndarray)
        else list(value)
        if isinstance(value, tuple)
        else value
    )


def test_plain_make_vec_gives_it() -> None:
    envs = gymnasium.make_vec("hamlet_trio:Hamlet-v0", 3)
    assert isinstance(envs.unwrapped, HamletVectorEnv)
    named = gymnasium.make_vec("Hamlet-v0", 3, vectorization_mode=VectorizeMode.VECTOR_ENTRY_POINT)
    assert isinstance(named.unwrapped, HamletVectorEnv)
    assert envs.observation_space.shape == (3, 72)
    assert envs.spec is not None
    again = gymnasium.make_vec(EnvSpec.from_json(envs.spec.to_json()))
    assert isinstance(again.unwrapped, HamletVectorEnv)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "options", [SHORT, {"config": "two-bars"}, {"reward": "survival", "random_start": True}]
)
def test_600_random_steps_are_those_of_single_environments(mode: AutoresetMode, options: Any) -> None:
    envs = HamletVectorEnv(5, autoreset_mode=mode, **options)
    singly = make_singly(5, mode, **options)
    ours, theirs = envs.reset(seed=7), singly.reset(seed=7)
    np.testing.assert_array_equal(ours[0], theirs[0])
    equal(ours[1], theirs[1])
    generator = np.random.default_rng(3)
    ends = 0
    for _ in range(600):
        actions = generator.integers(5, size=5)
        (*ours_arrays, our_infos), (*their_arrays, their_infos) = envs.step(actions), singly.step(actions)
        for mine, other in zip(ours_arrays, their_arrays, strict=True):
            np.testing.assert_array_equal(mine, other)
        equal(our_infos, their_infos)
        _, _, ended, cut = ours_arrays
        ends += np.asarray(ended).sum() + np.asarray(cut).sum()
    assert ends > 20


def test_same_step_keeps_the_last_observation() -> None:
    envs = HamletVectorEnv(2, max_steps=2, autoreset_mode="SameStep")
    first, _ = envs.reset()
    envs.step([0, 3])
    observations, _, _, truncated, infos = envs.step([0, 3])
    assert truncated.all()
    np.testing.assert_array_equal(observations, first)
    assert infos["final_info"]["position"].tolist() == [[4, 2], [6, 4]]
    assert (infos["final_obs"] != first).any()


def test_without_autoreset_a_mask_chooses_the_worlds() -> None:
    envs = HamletVectorEnv(2, max_steps=1, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset()
    envs.step([0, 0])
    with pytest.raises(EpisodeOverError):
        envs.step([0, 0])
    mask = np.array([True, False])
    _, infos = envs.reset(options={"reset_mask": mask})
    assert infos["_position"].tolist() == [True, False]
    with pytest.raises(EpisodeOverError):
        envs.step([0, 0])
    envs.reset(options={"reset_mask": ~mask})
    envs.step([0, 0])


def test_each_world_has_its_seed() -> None:
    envs = HamletVectorEnv(3, random_start=True)
    one, _ = envs.reset(seed=[5, None, 7])
    for index, seed in ((0, 5), (2, 7)):
        np.testing.assert_array_equal(one[index], HamletEnv(random_start=True).reset(seed=seed)[0])
    counted, _ = envs.reset(seed=np.array(5))  # type: ignore[arg-type]
    np.testing.assert_array_equal(counted, envs.reset(seed=5)[0])
    with pytest.raises(ValueError, match="seed has 2 entries; allowed: one for each of 3 worlds"):
        envs.reset(seed=[1, 2])


def test_the_step_limit_of_gymnasium_is_the_worlds_own() -> None:
    envs = gymnasium.make_vec("Hamlet-v0", 2, max_episode_steps=2)
    envs.reset()
    assert not envs.step(np.array([0, 0]))[3].any()
    assert envs.step(np.array([0, 0]))[3].all()
    assert HamletVectorEnv(2, max_steps=7, max_episode_steps=-1).config.max_steps == 7


@pytest.mark.parametrize("mode", MODES)
def test_a_life_that_ends_at_the_limit_is_truncated_too_as_by_gymnasium(mode: AutoresetMode) -> None:
    always_up = np.zeros(2, dtype=np.int64)
    singly = gymnasium.make_vec(
        "Hamlet-v0",
        2,
        VectorizeMode.SYNC,
        max_episode_steps=76,
        vector_kwargs={"autoreset_mode": mode},
    )
    envs = HamletVectorEnv(2, autoreset_mode=mode, max_steps=76)
    singly.reset()
    envs.reset()
    for _ in range(76):
        ours, theirs = envs.step(always_up), singly.step(always_up)
    for mine, other in zip(ours[2:4], theirs[2:4], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert ours[2].all()
    assert ours[3].all()


def test_a_copy_and_a_pickle_go_their_own_way() -> None:
    envs = HamletVectorEnv(2, random_start=True)
    envs.reset(seed=1)
    envs.step([0, 1])
    for twin in (copy.deepcopy(envs), pickle.loads(pickle.dumps(envs))):  # noqa: S301 - our own
        other = copy.deepcopy(envs)
        np.testing.assert_array_equal(twin.step([2, 3])[0], other.step([2, 3])[0])


def test_wrong_arguments_are_named() -> None:
    envs = HamletVectorEnv(2)
    envs.reset()
    with pytest.raises(ValueError, match=r"actions has the shape \(3,\); allowed: \(2,\)"):
        envs.step([0, 0, 0])
    with pytest.raises(ValueError, match="allowed: a boolean array of 2 values"):
        envs.reset(options={"reset_mask": [True, False]})
    with pytest.raises(ValueError, match="unknown; allowed: random_start, reset_mask"):
        envs.reset(options={"mask": 1})
    with pytest.raises(ValueError, match=r"options\.reset_mask chooses no world"):
        envs.reset(options={"reset_mask": np.array([False, False])})
    for seed in (1.5, "12", b"12", -1, [0, 1.5]):
        with pytest.raises(ValueError, match=r"seed is .*; allowed: a whole number of 0 or more, or None"):
            envs.reset(seed=seed)  # type: ignore[arg-type]
    for number in (0, 2.5):
        with pytest.raises(ValueError, match=f"num_envs is {number}; allowed: a whole number of 1 or more"):
            HamletVectorEnv(number)  # type: ignore[arg-type]
    for limit in (0, -5, "9"):
        with pytest.raises(ValueError, match=r"max_episode_steps is .*; allowed: a whole number"):
            HamletVectorEnv(2, max_episode_steps=limit)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("render_mode", ["rgb_array", "ansi"])
def test_each_world_is_rendered_as_alone(mode: AutoresetMode, render_mode: str) -> None:
    options: dict[str, Any] = {"max_steps": 3, "random_start": True, "render_mode": render_mode}
    envs, singly = HamletVectorEnv(2, autoreset_mode=mode, **options), make_singly(2, mode, **options)
    envs.reset(seed=4)
    singly.reset(seed=4)
    for action in (0, 3, 4, 1, 2):
        actions = np.array([action, 4])
        envs.step(actions)
        singly.step(actions)
        ours, theirs = envs.render(), singly.render()
        assert ours is not None
        assert len(ours) == 2
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
