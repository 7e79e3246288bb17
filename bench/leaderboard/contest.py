"""The rules that are the same for every contender: environments, budget, and how a policy is scored."""

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

import gymnasium
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Environment: TypeAlias = Literal["Hamlet-v0", "Hamlet-random-v0"]

ENVIRONMENTS: Final[tuple[Environment, ...]] = ("Hamlet-v0", "Hamlet-random-v0")
BUDGET: Final = 100_000
"""The most environment steps that a run may learn from; evaluations do not count."""
CAP: Final = 500
"""The steps after which both environments truncate an episode."""
EPISODES: Final = 300
FIRST_SEED: Final = 1_000_000
"""Episode i begins with the seed `FIRST_SEED + i`; runs have smaller seeds."""
SEEDS: Final = tuple(range(9001, 9011))
"""Nothing was tuned on them."""

Act: TypeAlias = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Return actions (n,) for observations (n, 72)."""


class Score(Struct, frozen=True):
    """Means over episodes: steps survived, undiscounted return, and the share that reached `CAP` steps."""

    survival: float
    episode_return: float
    completed: float


def score(act: Act, environment: Environment) -> Score:
    """Play one episode from each of the seeds, all at once, through Gymnasium's interface."""
    envs = gymnasium.make_vec(f"hamlet_trio:{environment}", num_envs=EPISODES)
    observations, _ = envs.reset(seed=FIRST_SEED)
    survived, returns = np.zeros(EPISODES, dtype=np.int64), np.zeros(EPISODES)
    running = np.ones(EPISODES, dtype=np.bool_)
    while running.any():
        observations, rewards, terminated, truncated, _ = envs.step(act(observations))
        survived += running
        returns += np.where(running, rewards, 0.0)
        running &= ~(terminated | truncated)
    envs.close()
    return summary(survived, returns)


def summary(survived: NDArray[np.int64], returns: NDArray[np.float64]) -> Score:
    """Return the means over episodes of so many steps."""
    return Score(float(survived.mean()), float(returns.mean()), float((survived >= CAP).mean()))
