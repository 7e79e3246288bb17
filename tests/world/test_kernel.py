"""The compiled kernel against numpy, to the last bit; what it says; and worlds where it is missing."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hamlet_trio.world import (
    DEFAULT_METERS,
    KernelMissingError,
    StepResult,
    WorldConfig,
    Worlds,
    kernel,
)
from tests.world.strategies import configs

pytestmark = pytest.mark.usefixtures("compiled")

STATE = ("positions", "meters", "alive", "steps", "failure", "over")


def both(num_worlds: int, config: WorldConfig | None = None, seed: int = 0) -> tuple[Worlds, Worlds]:
    """The same worlds stepped by the kernel and by numpy."""
    pair = (
        Worlds(num_worlds, config, seed=seed, compiled=True),
        Worlds(num_worlds, config, seed=seed, compiled=False),
    )
    assert [worlds.compiled for worlds in pair] == [True, False]
    return pair


def bits_of_state(worlds: Worlds) -> dict[str, bytes]:
    """Every bit that worlds show, of zeros the sign too."""
    bits = {name: getattr(worlds, name).tobytes() for name in STATE}
    return bits | {"normalised": worlds.normalised().tobytes(), "seen": worlds.observe().tobytes()}


def bits_of_result(result: StepResult) -> list[tuple[tuple[int, ...], str, bytes]]:
    arrays = [*result[:4], *(result.components or ())]
    return [(array.shape, array.dtype.name, array.tobytes()) for array in arrays]


def with_negative_zeros(config: WorldConfig) -> WorldConfig:
    """The configuration with -0.0 for each 0.0."""

    def changed(value: object) -> object:
        if isinstance(value, dict):
            return {key: changed(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [changed(inner) for inner in value]
        return -0.0 if isinstance(value, float) and value == 0 else value

    return msgspec.convert(changed(msgspec.to_builtins(config)), WorldConfig)


def play_side_by_side(pair: tuple[Worlds, Worlds], generator: np.random.Generator, steps: int) -> set[int]:
    """Step both alike, all worlds or some in any order, with resets of all kinds, comparing every bit.

    Tells for which reasons agents ended.
    """
    reasons: set[int] = set()
    kernels, arrays = pair
    agents = kernels.num_agents
    for _ in range(steps):
        over = np.flatnonzero(kernels.over)
        if over.size and generator.random() < 0.5:
            for worlds in pair:
                worlds.reset(over, random_start=bool(over.size % 2))
        going = np.flatnonzero(~kernels.over)
        if going.size:
            some = generator.permutation(going)[: generator.integers(1, going.size + 1)]
            chosen = None if going.size == kernels.num_worlds and generator.random() < 0.5 else some
            count = kernels.num_worlds if chosen is None else some.size
            # Half of the actions are interactions, which have most of the rules.
            actions = generator.choice(5, size=(count, agents), p=[0.125] * 4 + [0.5])
            parts = bool(generator.random() < 0.5)
            results = [worlds.step(actions, chosen, components=parts) for worlds in pair]
            assert bits_of_result(results[0]) == bits_of_result(results[1])
            assert kernels.observe(some).tobytes() == arrays.observe(some).tobytes()
            reasons.update(kernels.failure.ravel().tolist())
        assert bits_of_state(kernels) == bits_of_state(arrays)
    return reasons


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    config=configs(),
    seed=st.integers(0, 2**32 - 1),
    num_worlds=st.sampled_from([1, 2, 3, 5, 8, 70, 150]),
    random_start=st.booleans(),
    negative=st.booleans(),
)
def test_both_come_to_the_same_bits_on_any_world(
    config: WorldConfig, seed: int, num_worlds: int, random_start: bool, negative: bool
) -> None:
    """More worlds than a block of the kernel holds, too; and whatever the signs of zeros in it."""
    pair = both(num_worlds, with_negative_zeros(config) if negative else config, seed)
    if random_start:
        for worlds in pair:
            worlds.reset(random_start=True)
    play_side_by_side(pair, np.random.default_rng(seed), 25)


@pytest.mark.parametrize("reward", ["shaped", "survival"])
def test_both_come_to_the_same_bits_over_long_random_play(reward: Any) -> None:
    pair = both(300, WorldConfig(reward=reward), seed=4)
    assert play_side_by_side(pair, np.random.default_rng(4), 200) >= {1, 3, 4}


def test_the_sign_of_a_zero_in_a_state_makes_no_difference() -> None:
    """Neither between both nor to later steps: a meter is never -0.0."""
    config = WorldConfig(meters=tuple(replace(meter, drain=0.0) for meter in DEFAULT_METERS))
    pair = both(1, config)
    for worlds in pair:
        state = worlds.get_state(0)
        worlds.set_state(0, replace(state, meters=((1.0, 1.0, 1.0, -0.0, 1.0, -0.0),)))
        assert np.copysign(1.0, worlds.meters).min() == 1
    assert bits_of_state(pair[0]) == bits_of_state(pair[1])
    play_side_by_side(pair, np.random.default_rng(0), 5)


def test_a_world_of_many_agents_is_stepped_in_several_blocks() -> None:
    """With contention across them, and agents that end at different times."""
    pair = both(3, WorldConfig(num_agents=150, contention=True, width=16, height=16), seed=2)
    for worlds in pair:
        worlds.reset(random_start=True)
    play_side_by_side(pair, np.random.default_rng(2), 60)


def test_a_state_goes_from_one_to_the_other() -> None:
    kernels, arrays = both(4, WorldConfig(num_agents=2), seed=6)
    generator = np.random.default_rng(6)
    for worlds in (kernels, arrays):
        worlds.reset(random_start=True)
    for _ in range(10):
        for worlds in (kernels, arrays):
            worlds.step(generator.integers(5, size=(4, 2)))
        for index in range(4):
            mine, theirs = kernels.get_state(index), arrays.get_state(index)
            kernels.set_state(index, theirs)
            arrays.set_state(index, mine)
    for index in range(4):
        kernels.set_state(index, arrays.get_state(index))
    assert bits_of_state(kernels) == bits_of_state(arrays)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda worlds: pickle.loads(pickle.dumps(worlds))])  # noqa: S301
def test_a_copy_of_either_goes_on_alike(duplicate: Callable[[Worlds], Worlds]) -> None:
    for worlds in both(3, seed=1):
        worlds.reset(random_start=True)
        worlds.step([4, 0, 2], [2, 0, 1])
        twin = duplicate(worlds)
        assert twin.compiled
        assert bits_of_state(twin) == bits_of_state(worlds)
        results = [same.step([1, 2, 3], components=True) for same in (worlds, twin)]
        assert bits_of_result(results[0]) == bits_of_result(results[1])
        assert bits_of_state(twin) == bits_of_state(worlds)


WRONG: list[tuple[str, Callable[[Worlds], object]]] = [
    ("too few actions", lambda worlds: worlds.step([0])),
    ("an action too large", lambda worlds: worlds.step([0, 1, 5])),
    ("a negative action", lambda worlds: worlds.step([0, -1, 2])),
    ("an action far too large", lambda worlds: worlds.step(np.array([2**64 - 1, 0, 0], dtype=np.uint64))),
    ("actions that are no integers", lambda worlds: worlds.step([0.0, 1.0, 2.0])),
    ("booleans", lambda worlds: worlds.step([True, False, True])),
    ("a world too large", lambda worlds: worlds.step([0, 0], [0, 3])),
    ("a negative world", lambda worlds: worlds.step([0, 0], [0, -1])),
    ("a world twice", lambda worlds: worlds.step([0, 0], [1, 1])),
    ("too many worlds", lambda worlds: worlds.step([0] * 4, [0, 1, 2, 0])),
    ("no world", lambda worlds: worlds.step([], [])),
    ("worlds that are no integers", lambda worlds: worlds.step([0], [0.5])),  # type: ignore[list-item]
    ("a world twice and an action too large", lambda worlds: worlds.step([9, 9], [1, 1])),
    ("a world that is over", lambda worlds: worlds.step([0, 0], [2, 0])),
    ("all worlds, one of them over", lambda worlds: worlds.step([0, 0, 0])),
    ("one that is over and an action too large", lambda worlds: worlds.step([0, 9], [2, 0])),
    ("to observe a world twice", lambda worlds: worlds.observe([1, 1])),
    ("to observe a world too large", lambda worlds: worlds.observe([3])),
    ("to observe into too little", lambda worlds: worlds.observe(out=np.empty((1, 1, 72), np.float32))),
    ("to reset a world twice", lambda worlds: worlds.reset([1, 1])),
    ("to reset a world too large", lambda worlds: worlds.reset([7])),
]


@pytest.mark.parametrize(("wrong", "call"), WRONG, ids=[what for what, _ in WRONG])
def test_both_refuse_the_same_in_the_same_words_and_change_nothing(
    wrong: str, call: Callable[[Worlds], object]
) -> None:
    said = []
    for worlds in both(3, WorldConfig(max_steps=2)):
        worlds.step([0], [2])
        worlds.step([0], [2])
        before = bits_of_state(worlds)
        with pytest.raises((ValueError, IndexError, RuntimeError)) as caught:
            call(worlds)
        assert bits_of_state(worlds) == before
        said.append((type(caught.value), str(caught.value)))
        # What was refused leaves nothing behind that would be in the way later.
        worlds.reset([1, 2])
        worlds.step([0, 1, 2])
    assert said[0] == said[1]


def test_an_array_that_cannot_be_written_to_is_refused_by_both() -> None:
    out = np.zeros((1, 1, 72), dtype=np.float32)
    out.flags.writeable = False
    for worlds in both(1):
        with pytest.raises(ValueError, match="allowed: a writable C-contiguous float32 array"):
            worlds.observe(out=out)
    assert not out.any()


def test_without_the_kernel_worlds_are_stepped_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Worlds(1).compiled
    monkeypatch.setattr(kernel, "load", lambda: None)
    worlds = Worlds(2)
    assert not worlds.compiled
    assert worlds.step([0, 1]).rewards.shape == (2, 1)
    with pytest.raises(KernelMissingError, match=r"not compiled here: with a C compiler on PATH"):
        Worlds(1, compiled=True)
