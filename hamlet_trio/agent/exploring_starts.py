"""Exploring starts: single options from random starts, beside the episodes of a run."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.agent.learner import DQNLearner
from hamlet_trio.world import ACTIONS, INTERACT, WorldConfig, Worlds

_UP, _DOWN, _LEFT, _RIGHT = (ACTIONS.index(name) for name in ("up", "down", "left", "right"))


class ExploringStarts:
    """Carry out one random option from each of several random starts, for a learner to learn from.

    Exploring starts (Sutton and Barto 2018, section 5.3) show a learner what its episodes seldom reach, such
    as a nearly empty purse, for few steps: a life may take 500, an option about seven. An option is a walk to
    a random place by a random shortest path, and its use; it ends early where the agent does.
    """

    def __init__(self, learner: DQNLearner, world: WorldConfig, *, starts: int, seed: int) -> None:
        """Make worlds for at least so many starts, one for each of their agents; without starts none."""
        count = -(-starts // world.num_agents)
        self._learner: Final = learner
        self._seed: Final = seed
        self._worlds = Worlds(count, world) if count else None
        agents = count * world.num_agents
        self._streams = np.arange(agents).reshape(count, world.num_agents)
        # It is empty between two calls of `explore`, since all options end.
        self._accumulator = learner.make_accumulator(agents)
        self._places = np.array([(place.x, place.y) for place in world.affordances])

    def explore(self, index: int) -> None:
        """Begin anew in each world and let the learner remember one option of each agent.

        The starts and options depend on the seed and `index` alone.
        """
        worlds, streams = self._worlds, self._streams
        if worlds is None:
            return
        seeds = np.random.SeedSequence((self._seed, index))
        rng = np.random.Generator(np.random.PCG64(seeds.spawn(1)[0]))
        worlds.reset(seeds=seeds.generate_state(len(streams), np.uint64).tolist(), random_start=True)
        targets = self._places[rng.integers(len(self._places), size=streams.shape)]
        observations = worlds.observe()
        is_walking = np.ones(streams.shape, dtype=np.bool_)
        while (active := np.flatnonzero(is_walking.any(axis=1))).size:
            actions = _next_actions(targets[active] - worlds.positions[active], rng)
            result = worlds.step(actions, active)
            after = worlds.observe(active)
            is_done = (actions == INTERACT) | result.terminated | result.truncated
            chosen = is_walking[active]
            self._learner.remember(
                observations=observations[active][chosen],
                actions=actions[chosen],
                rewards=result.rewards[chosen],
                next_observations=after[chosen],
                terminated=result.terminated[chosen],
                truncated=(is_done & ~result.terminated)[chosen],
                streams=streams[active][chosen],
                accumulator=self._accumulator,
            )
            observations[active] = after
            is_walking[active] &= ~is_done


def _next_actions(offsets: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the next actions (n, agents) of shortest walks by offsets (n, agents, 2), in a random order."""
    x, y = offsets[..., 0], offsets[..., 1]
    across = rng.random(x.shape) * (abs(x) + abs(y)) < abs(x)
    sideways = np.where(x > 0, _RIGHT, _LEFT)
    upright = np.where(y > 0, _DOWN, _UP)
    return np.where((x == 0) & (y == 0), INTERACT, np.where(across, sideways, upright)).astype(np.int64)
