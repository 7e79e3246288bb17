"""Subsets, random numbers, saved states, copies and misuse of Worlds."""

import copy
import pickle
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from hamlet_trio.world import EpisodeOverError, WorldConfig, Worlds, WorldState
from tests.world.strategies import configs

pytestmark = pytest.mark.usefixtures("each_way")


def everything(worlds: Worlds) -> list[WorldState]:
    return [worlds.get_state(index) for index in range(worlds.num_worlds)]


@settings(max_examples=40, deadline=None)
@given(config=configs(), seed=st.integers(0, 2**32 - 1), num_worlds=st.integers(1, 9))
def test_a_subset_gives_the_results_of_each_world_alone(
    config: WorldConfig, seed: int, num_worlds: int
) -> None:
    """To the last bit, rewards and observations too."""
    together = Worlds(num_worlds, config, seed=seed)
    together.reset(random_start=True)
    alone = []
    for state in everything(together):
        one = Worlds(1, config)
        one.set_state(0, state)
        alone.append(one)
    generator = np.random.default_rng(seed)
    for _ in range(15):
        going = np.flatnonzero(~together.over)
        if going.size == 0:
            break
        some = generator.permutation(going)[: generator.integers(1, going.size + 1)]
        actions = generator.integers(5, size=(some.size, config.num_agents))
        result = together.step(actions, some, components=True)
        seen = together.observe(some)
        assert result.components is not None
        for row, index in enumerate(some.tolist()):
            expected = alone[index].step(actions[row : row + 1], components=True)
            assert expected.components is not None
            for name in ("rewards", "terminated", "truncated", "interacted"):
                np.testing.assert_array_equal(getattr(result, name)[row], getattr(expected, name)[0])
            for part, expected_part in zip(result.components, expected.components, strict=True):
                np.testing.assert_array_equal(part[row], expected_part[0])
            np.testing.assert_array_equal(seen[row], alone[index].observe()[0])
        assert everything(together) == [one.get_state(0) for one in alone]


def test_sums_over_meters_do_not_depend_on_the_number_of_worlds() -> None:
    """The Bar gives to three meters at once."""
    together, alone = Worlds(64, seed=2), Worlds(1)
    together.reset(random_start=True)
    for index in range(64):
        state = together.get_state(index)
        together.set_state(index, replace(state, positions=((7, 0),)))
    states = everything(together)
    rewards = together.step([4] * 64).rewards[:, 0]
    for state, reward in zip(states, rewards.tolist(), strict=True):
        alone.set_state(0, state)
        assert alone.step([4]).rewards[0, 0] == reward


def test_asking_for_components_changes_no_reward() -> None:
    with_parts, without = Worlds(50), Worlds(50)
    generator = np.random.default_rng(5)
    for _ in range(60):
        going = np.flatnonzero(~without.over)
        if going.size == 0:
            break
        actions = generator.choice(5, size=going.size, p=[0.2, 0.1, 0.1, 0.1, 0.5])
        plain = without.step(actions, going)
        told = with_parts.step(actions, going, components=True)
        assert plain.components is None
        assert told.components is not None
        np.testing.assert_array_equal(plain.rewards, told.rewards)
        np.testing.assert_allclose(sum(told.components), told.rewards, rtol=0, atol=1e-9)


def test_results_belong_to_the_caller() -> None:
    worlds = Worlds(2)
    first = worlds.step([0, 4])
    kept = copy.deepcopy(first)
    seen = worlds.observe()
    kept_seen = seen.copy()
    worlds.step([1, 1])
    worlds.observe()
    for name in ("rewards", "terminated", "truncated", "interacted"):
        np.testing.assert_array_equal(getattr(first, name), getattr(kept, name))
    np.testing.assert_array_equal(seen, kept_seen)


def test_the_views_are_live_and_read_only() -> None:
    worlds = Worlds(2)
    views = (worlds.positions, worlds.meters, worlds.alive, worlds.failure, worlds.steps, worlds.over)
    shapes = [(2, 1, 2), (2, 1, 6), (2, 1), (2, 1), (2,), (2,)]
    assert [view.shape for view in views] == shapes
    types = [view.dtype.name for view in views]
    assert types == ["int64", "float64", "bool", "int8", "int64", "bool"]
    worlds.step([0, 1])
    assert worlds.positions[:, 0].tolist() == [[4, 3], [4, 5]]
    assert views[4].tolist() == [1, 1]
    for view in views:
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 0


def test_resetting_a_subset_leaves_the_others() -> None:
    worlds = Worlds(4)
    for _ in range(3):
        worlds.step([0, 1, 2, 3])
    before = everything(worlds)
    worlds.reset([2, 0])
    fresh = Worlds(1).get_state(0)
    for index, state in enumerate(everything(worlds)):
        expected = fresh if index in (0, 2) else before[index]
        assert replace(state, random=expected.random) == expected


def test_random_starts_keep_to_their_ranges_and_fill_them() -> None:
    worlds = Worlds(2000, seed=1)
    worlds.reset(random_start=True)
    cells = {tuple(cell) for cell in worlds.positions[:, 0].tolist()}
    assert len(cells) == 64
    normalised = worlds.normalised()[:, 0]
    for column, meter in enumerate(worlds.config.meters):
        low, high = normalised[:, column].min(), normalised[:, column].max()
        assert meter.random_low <= low < meter.random_low + 0.01
        assert meter.random_high - 0.01 < high <= meter.random_high


def test_a_random_start_depends_on_the_worlds_own_seed_alone() -> None:
    few, many = Worlds(2, seed=9), Worlds(5, seed=9)
    few.reset([1], random_start=True)
    many.reset(random_start=True)
    assert few.get_state(1) == many.get_state(1)
    assert many.get_state(0) != many.get_state(1)
    # Another episode is another start, and a seed brings the first one back.
    many.reset([3, 4], seeds=[7, 8], random_start=True)
    few.reset([0], seeds=[8], random_start=True)
    assert few.get_state(0) == many.get_state(4)
    few.reset([0], random_start=True)
    assert few.get_state(0) != many.get_state(4)
    few.reset([0], seeds=[8], random_start=True)
    assert few.get_state(0) == many.get_state(4)


def test_worlds_without_a_seed_differ() -> None:
    one, other = Worlds(1), Worlds(1)
    one.reset(random_start=True)
    other.reset(random_start=True)
    assert one.get_state(0) != other.get_state(0)


@settings(max_examples=30, deadline=None)
@given(config=configs(), seed=st.integers(0, 2**32 - 1))
def test_a_saved_state_goes_on_exactly(config: WorldConfig, seed: int) -> None:
    """Through JSON, in the middle of an episode, into another place, and on through a random start."""
    generator = np.random.default_rng(seed)
    original = Worlds(2, config, seed=seed)
    original.reset(random_start=True)
    for _ in range(int(generator.integers(0, 6))):
        if original.over[0]:
            break
        original.step(generator.integers(5, size=(1, config.num_agents)), [0])
    saved = msgspec.json.encode(original.get_state(0))
    restored = Worlds(3, config)
    restored.set_state(2, msgspec.json.decode(saved, type=WorldState))
    for _ in range(10):
        assert restored.get_state(2) == original.get_state(0)
        assert restored.over[2] == original.over[0]
        np.testing.assert_array_equal(restored.observe([2]), original.observe([0]))
        if original.over[0]:
            original.reset([0], random_start=True)
            restored.reset([2], random_start=True)
            continue
        actions = generator.integers(5, size=(1, config.num_agents))
        np.testing.assert_array_equal(
            restored.step(actions, [2]).rewards, original.step(actions, [0]).rewards
        )


def test_a_finished_world_is_saved_as_finished() -> None:
    worlds = Worlds(1, WorldConfig(max_steps=1))
    worlds.step([0])
    other = Worlds(1, WorldConfig(max_steps=1))
    other.set_state(0, worlds.get_state(0))
    with pytest.raises(EpisodeOverError):
        other.step([0])


def unpickled(worlds: Worlds) -> Worlds:
    restored = pickle.loads(pickle.dumps(worlds))  # noqa: S301 - what was pickled a moment ago
    assert isinstance(restored, Worlds)
    return restored


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, unpickled])
def test_a_copy_is_whole_and_independent(duplicate: Callable[[Worlds], Worlds]) -> None:
    worlds = Worlds(3, WorldConfig(num_agents=2), seed=4)
    worlds.reset([1], random_start=True)
    worlds.step([[0, 4], [1, 4], [2, 4]])
    twin = duplicate(worlds)
    before = everything(worlds)
    assert everything(twin) == before
    mine, theirs = worlds.step([[0, 1]] * 3), twin.step([[0, 1]] * 3)
    np.testing.assert_array_equal(mine.rewards, theirs.rewards)
    twin.step([[4, 4]] * 3)
    twin.reset(random_start=True)
    assert everything(worlds) != everything(twin)
    np.testing.assert_array_equal(twin.meters[0, 0], twin.get_state(0).meters[0])
    after = everything(worlds)
    worlds.reset(random_start=True)
    assert everything(worlds) != after


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, unpickled])
def test_a_copy_draws_from_generators_of_its_own(duplicate: Callable[[Worlds], Worlds]) -> None:
    worlds, other = Worlds(2, seed=4), Worlds(2, seed=4)
    twin = duplicate(worlds)
    twin.reset(random_start=True)
    for each in (worlds, other):
        each.reset(random_start=True)
    assert everything(worlds) == everything(other) == everything(twin)


def test_observing_into_an_array() -> None:
    worlds = Worlds(3)
    worlds.step([0, 1, 2])
    out = np.full((2, 1, 72), np.nan, dtype=np.float32)
    assert worlds.observe([2, 0], out=out) is out
    np.testing.assert_array_equal(out, worlds.observe()[[2, 0]])


@pytest.mark.parametrize(
    "out",
    [
        np.empty((1, 72), dtype=np.float32),
        np.empty((2, 1, 72), dtype=np.float64),
        np.empty((2, 1, 144), dtype=np.float32)[:, :, ::2],
    ],
)
def test_an_array_that_does_not_fit_is_refused(out: NDArray[np.float32]) -> None:
    with pytest.raises(
        ValueError, match=r"allowed: a writable C-contiguous float32 array of shape \(2, 1, 72\)"
    ):
        Worlds(2).observe(out=out)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0], r"actions has the shape \(1,\); allowed: \(2,\) or \(2, 1\)"),
        ([[0], [0], [0]], "shape"),
        ([0, 5], r"actions has 5; allowed: 0 to 4 \(up, down, left, right, interact\)"),
        ([-1, 0], "actions has -1"),
        (np.array([255, 0], dtype=np.uint8), "actions has 255"),
        ([0.0, 1.0], "array of float64; allowed: integers"),
        ([True, False], "array of bool"),
        (["up", "down"], "allowed: integers"),
    ],
)
def test_wrong_actions_are_refused_and_change_nothing(actions: object, message: str) -> None:
    worlds = Worlds(2, seed=0)
    before = everything(worlds)
    with pytest.raises(ValueError, match=message):
        worlds.step(actions)  # type: ignore[arg-type]
    assert everything(worlds) == before


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_actions_of_any_integer_type(dtype: type[np.integer]) -> None:
    worlds = Worlds(2)
    worlds.step(np.array([[3], [2]], dtype=dtype))
    assert worlds.positions[:, 0].tolist() == [[5, 4], [3, 4]]


@pytest.mark.parametrize(
    ("worlds", "error", "message"),
    [
        ([3], IndexError, "allowed: 0 to 2"),
        ([-1], IndexError, "allowed: 0 to 2"),
        ([0, 0], ValueError, "twice"),
        ([], ValueError, "one or more integers"),
        ([[0]], ValueError, "one or more integers"),
        ([0.0], ValueError, "one or more integers"),
    ],
)
def test_wrong_indices_are_refused_everywhere(
    worlds: list[int], error: type[Exception], message: str
) -> None:
    here = Worlds(3)
    for call in (here.reset, here.observe, here.normalised):
        with pytest.raises(error, match=message):
            call(worlds)
    with pytest.raises(error, match=message):
        here.step([0] * len(worlds), worlds)


def test_stepping_a_finished_world_says_which() -> None:
    worlds = Worlds(3, WorldConfig(max_steps=2))
    worlds.step([0, 0], [0, 2])
    worlds.step([0, 0], [0, 2])
    before = everything(worlds)
    with pytest.raises(EpisodeOverError, match="world 0, 2: reset it before"):
        worlds.step([0, 0, 0])
    with pytest.raises(EpisodeOverError, match="world 2: reset"):
        worlds.step([0, 0], [1, 2])
    assert everything(worlds) == before
    worlds.reset([0, 2])
    worlds.step([0, 0, 0])


def test_a_number_of_worlds_or_seeds_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="num_worlds is 0; allowed: a whole number of 1 or more"):
        Worlds(0)
    with pytest.raises(ValueError, match="one for each of 2 worlds"):
        Worlds(2).reset(seeds=[1])


def test_a_name_is_no_configuration() -> None:
    with pytest.raises(TypeError, match="config is 'poverty'; allowed: a WorldConfig or None; WorldLibrary"):
        Worlds(2, "poverty")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": ((8, 0),)}, "outside of 8 x 8"),
        ({"positions": ((0, 0), (1, 1))}, "not one of 1 agents"),
        ({"meters": ((101.0, 1.0, 1.0, 1.0, 1.0, 1.0),)}, "outside of its minimum"),
        ({"meters": ((float("nan"), 1.0, 1.0, 1.0, 1.0, 1.0),)}, "outside of its minimum"),
        ({"failures": (6,)}, "failure code"),
        ({"steps": 501}, "allowed: 0 to 500"),
    ],
)
def test_a_state_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    worlds = Worlds(1)
    worlds.step([0])
    before = worlds.get_state(0)
    with pytest.raises(ValueError, match=message):
        worlds.set_state(0, replace(before, **changes))
    for random in (replace(before.random, state="no number"), replace(before.random, state="1" * 33)):
        with pytest.raises(ValueError, match=r"128 bits|literal"):
            worlds.set_state(0, replace(before, random=random))
    assert worlds.get_state(0) == before


def test_it_says_what_it_is() -> None:
    assert repr(Worlds(3, WorldConfig(num_agents=2), compiled=False)) == (
        "<Worlds: 3 of 8x8, 2 agents each, stepped by numpy>"
    )
