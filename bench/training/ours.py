"""Measure the speed of Hamlet's own training run and policies."""

from time import process_time
from typing import Final

import msgspec
import numpy as np

from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.policy import Policy
from hamlet_trio.agent.schedule import EpsilonSchedule
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.recipe import PLAIN_RECIPE, Recipe
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.world import Worlds

BATCH: Final = 32
AT_ONCE: Final = 8
EPSILON: Final = 0.05

RECIPE: Final[Recipe] = msgspec.structs.replace(
    PLAIN_RECIPE,
    learner=LearnerConfig(learning_starts=BATCH, updates_per_step=1.0),
    schedule=EpsilonSchedule(kind="linear", start=EPSILON, end=EPSILON),
    evaluations=1,
)
"""Double DQN, one update a step from the first full batch on, evaluated never while it is measured."""


class Training:
    """Train one run that continues from one measurement to the next, with updates so many at once."""

    def __init__(self, network_type: NetworkType, *, at_once: int = 1) -> None:
        parameters = TrainingParameters(
            num_episodes=100_000, batch_size=BATCH, network_type=network_type, seed=1
        )
        learner = msgspec.structs.replace(RECIPE.learner, updates_at_once=at_once)
        recipe = msgspec.structs.replace(RECIPE, learner=learner)
        self._run = TrainingRun(parameters, recipe=recipe, device="cpu")
        for _ in range(4 * BATCH):
            self._run.step()

    def rate(self, seconds: float) -> float:
        """Return environment steps a second over `seconds` of processor time."""
        run, began, before = self._run, process_time(), self._run.updates
        steps = 0
        while (elapsed := process_time() - began) < seconds:
            for _ in range(16):
                run.step()
            steps += 16
        # Groups end within 16 steps, but perhaps not with the last of those before the first update.
        assert abs(run.updates - before - steps) < AT_ONCE, "every step is followed by an update"
        return steps / elapsed


class Acting:
    """Act with a greedy policy in one world, as a lone session does."""

    def __init__(self, network_type: NetworkType) -> None:
        self._policy = Policy.untrained(1, network_type=network_type)
        self._worlds = Worlds(1, seed=1)

    def rate(self, seconds: float) -> float:
        """Return environment steps a second over `seconds` of processor time."""
        worlds, act, began = self._worlds, self._policy.act, process_time()
        observations = np.empty((1, worlds.observation_size), dtype=np.float32)
        shaped = observations.reshape(1, 1, -1)
        worlds.reset()
        steps = 0
        while (elapsed := process_time() - began) < seconds:
            for _ in range(16):
                worlds.observe(out=shaped)
                worlds.step(act(observations).actions)
                if worlds.over[0]:
                    worlds.reset()
            steps += 16
        return steps / elapsed
