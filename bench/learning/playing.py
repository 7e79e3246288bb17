"""Play with anything that acts, so that every configuration is measured the same way."""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.world import WorldConfig, Worlds

CAP: Final = 500
RANDOM_STARTS: Final = 300
RANDOM_START_SEED: Final = 31_337
MANY_STARTS: Final = 1000
MANY_STARTS_SEED: Final = 271_828

Act: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.int64]]
"""Return actions (n,) for observations (n, observation_size)."""

Choose: TypeAlias = Callable[[Worlds, NDArray[np.intp]], NDArray[np.int64]]
"""Return actions (n,) for n of the worlds, from their whole state."""


class Played(Struct, frozen=True):
    """Means over episodes: steps survived, undiscounted return, and the share that reached the cap."""

    survival: float
    episode_return: float
    completed: float


def play(act: Act, episodes: int, *, seed: int = 0, random_start: bool = False) -> Played:
    """Play `episodes` episodes of at most 500 steps in the default world, all at once."""

    def choose(worlds: Worlds, active: NDArray[np.intp]) -> NDArray[np.int64]:
        return act(worlds.observe(active).reshape(active.size, -1))

    return play_by_state(choose, begin(episodes, seed=seed, random_start=random_start))


def begin(episodes: int, *, seed: int, random_start: bool) -> Worlds:
    """Return worlds at the start of episodes of at most 500 steps."""
    worlds = Worlds(episodes, WorldConfig(max_steps=CAP), seed=seed)
    worlds.reset(random_start=random_start)
    return worlds


def play_by_state(choose: Choose, worlds: Worlds) -> Played:
    """Play the episodes that these worlds are in to their ends."""
    returns = np.zeros(worlds.num_worlds)
    active = np.flatnonzero(~worlds.over)
    while active.size:
        result = worlds.step(choose(worlds, active).reshape(-1, 1), active)
        returns[active] += result.rewards[:, 0]
        active = active[~worlds.over[active]]
    return summary(worlds.steps, returns)


def summary(steps: NDArray[np.int64], returns: NDArray[np.float64]) -> Played:
    """Return the means over episodes of so many steps."""
    return Played(float(steps.mean()), float(returns.mean()), float((steps >= CAP).mean()))


def play_greedily(act: Act) -> tuple[Played, Played, Played]:
    """Play once from the usual start, and from `RANDOM_STARTS` and `MANY_STARTS` random starts.

    They are the same for every configuration.
    """
    return (
        play(act, 1),
        play(act, RANDOM_STARTS, seed=RANDOM_START_SEED, random_start=True),
        play(act, MANY_STARTS, seed=MANY_STARTS_SEED, random_start=True),
    )
