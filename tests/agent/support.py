"""What several tests of learners do."""

import numpy as np

from hamlet_trio.agent.learner import DQNLearner
from hamlet_trio.world import Worlds


def train(learner: DQNLearner, worlds: Worlds, steps: int) -> None:
    """Steps of both worlds; short episodes, so that terminations and truncations come."""
    for _ in range(steps):
        observations = worlds.observe()[:, 0]
        actions = learner.act(observations, 0.4)
        result = worlds.step(actions)
        learner.remember(
            observations=observations,
            actions=actions,
            rewards=result.rewards[:, 0],
            next_observations=worlds.observe()[:, 0],
            terminated=result.terminated[:, 0],
            truncated=result.truncated[:, 0],
        )
        learner.learn()
        over = np.flatnonzero(worlds.over)
        if over.size:
            worlds.reset(over, random_start=True)
