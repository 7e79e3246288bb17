"""The learning settings of a run that are not parameters of it, chosen in this one place."""

from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.schedule import EpsilonSchedule
from hamlet_trio.common.devices import DeviceName
from hamlet_trio.protocol.parameters import TrainingParameters, config_of
from hamlet_trio.world import WorldConfig

_ROOM_OF_A_START: Final = 500
"""Transitions: an exploring start gives about seven after each episode; those of 70 episodes are kept."""


class Recipe(Struct, frozen=True, kw_only=True):
    """Hold the settings of learner, exploration and evaluation.

    Attributes:
        learner: the learner's settings; those in `TrainingParameters` are replaced by the run's.
        schedule: epsilon by episode.
        updates_per_episode: gradient updates in an episode of any length, spread over its steps; None makes
            `learner.updates_per_step` instead. An agent that survives seven times as long does not need seven
            times the updates, and a lesson takes as long as planned.
        exploring_starts: single options from random starts that follow each episode of a learner of options,
            so many times `random_start` of the parameters: where no episode begins anywhere there are none.
        evaluations: greedy evaluations spread evenly over a run; the last episode always has one.
        evaluation_episodes: episodes of one evaluation. From the fixed start, a greedy policy plays the same
            one every time.
        evaluation_random_starts: random starts that each evaluation plays too, the same in every run.
        evaluation_max_steps: their maximum length, so that figures compare and a pause never waits long.
    """

    learner: LearnerConfig = LearnerConfig()
    schedule: EpsilonSchedule = EpsilonSchedule()
    updates_per_episode: int | None = None
    exploring_starts: int = 0
    evaluations: int = 20
    evaluation_episodes: int = 1
    evaluation_random_starts: int = 30
    evaluation_max_steps: int = 500

    def learner_config(self, parameters: TrainingParameters, device: DeviceName) -> LearnerConfig:
        """Return the learner's settings for a run.

        Exploring starts have room in the replay buffer beside the run's `buffer_capacity`, or they would soon
        replace what was lived through.
        """
        room = _ROOM_OF_A_START * self.starts_per_episode(parameters)
        return msgspec.structs.replace(
            self.learner,
            network_type=parameters.network_type,
            device=device,
            learning_rate=parameters.learning_rate,
            gamma=parameters.gamma,
            batch_size=parameters.batch_size,
            buffer_capacity=parameters.buffer_capacity + room,
            learning_starts=min(self.learner.learning_starts, parameters.buffer_capacity),
        )

    def world_config(self, parameters: TrainingParameters, world: WorldConfig | None = None) -> WorldConfig:
        """Return the world of a run: the given one, with the `max_steps` of its parameters, else theirs."""
        if world is None:
            return config_of(parameters)
        return msgspec.structs.replace(world, max_steps=parameters.max_steps)

    def starts_per_episode(self, parameters: TrainingParameters) -> int:
        """Return how many exploring starts follow each episode of a run."""
        if parameters.network_type != "options":
            return 0
        return round(self.exploring_starts * parameters.random_start)

    def evaluates_after(self, episode: int, num_episodes: int) -> bool:
        """Return whether a greedy evaluation follows this episode."""
        return episode == num_episodes or episode % -(-num_episodes // self.evaluations) == 0


DEFAULT_RECIPE: Final = Recipe(
    learner=LearnerConfig(
        network_type="options",
        learning_starts=300,
        n_step=3,
        reward_scale=0.1,
        learning_rate_end=0.1,
        munchausen=0.9,
        exploration="options",
    ),
    schedule=EpsilonSchedule(kind="linear", fraction=0.6),
    updates_per_episode=300,
    exploring_starts=100,
)
"""The recipe of `hamlet train` and `start_training`; docs/training.md says what each part is for."""

PLAIN_RECIPE: Final = Recipe(
    learner=LearnerConfig(network_type="qnetwork", target_update="periodic", target_period=750),
    schedule=EpsilonSchedule(kind="multiplicative"),
)
"""Plain Double DQN with one update a step, to compare with: close to the older system's settings."""
