"""Letting anything that acts play, so that every configuration is measured the same way."""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.world import WorldConfig, Worlds

CAP: Final = 500
RANDOM_STARTS: Final = 100
RANDOM_START_SEED: Final = 20_000

Act: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.int64]]
"""Actions (n,) for observations (n, observation_size)."""


class Played(Struct, frozen=True):
    """Means over episodes: steps lived and undiscounted return."""

    survival: float
    episode_return: float


def play(act: Act, episodes: int, *, seed: int = 0, random_start: bool = False) -> Played:
    """Play so many episodes of at most 500 steps at once in the default world."""
    worlds = Worlds(episodes, WorldConfig(max_steps=CAP), seed=seed)
    worlds.reset(random_start=random_start)
    returns = np.zeros(episodes)
    active = np.arange(episodes)
    while active.size:
        observations = worlds.observe(active).reshape(active.size, -1)
        result = worlds.step(act(observations).reshape(-1, 1), active)
        returns[active] += result.rewards[:, 0]
        active = active[~worlds.over[active]]
    return Played(float(worlds.steps.mean()), float(returns.mean()))


def play_greedily(act: Act) -> tuple[Played, float]:
    """From the usual start, and the mean steps lived from random starts, the same for every configuration."""
    usual = play(act, 1)
    anywhere = play(act, RANDOM_STARTS, seed=RANDOM_START_SEED, random_start=True)
    return usual, anywhere.survival
