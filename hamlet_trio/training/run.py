"""The learner's loop as an object that is stepped: no I/O, and no clock."""

from collections import deque
from typing import Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata
from hamlet_trio.agent.evaluation import evaluate
from hamlet_trio.agent.learner import DivergedError, DQNLearner
from hamlet_trio.agent.policy import Policy
from hamlet_trio.protocol.messages import EvaluationSummary
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.recipe import DEFAULT_RECIPE, Recipe
from hamlet_trio.world import FAILURE_REASONS, WorldConfig, Worlds, WorldState

__all__ = ["DivergedError", "EpisodeRecord", "StepOutcome", "TrainingRun"]

_RECENT: Final = 5
_LEAST_UPDATES: Final = 8
_MOST_UPDATES: Final = 16


class EpisodeRecord(Struct, frozen=True, kw_only=True):
    """One finished episode.

    `reward` is its return, `length` its steps, `loss` the mean of its updates (0 without any). The averages
    are over the last five episodes, this one included.
    """

    episode: int
    reward: float
    length: int
    loss: float
    epsilon: float
    avg_reward_5: float
    avg_length_5: float
    avg_loss_5: float
    buffer_size: int
    failure_reason: str | None
    evaluation: EvaluationSummary | None = None


class StepOutcome(Struct, frozen=True, kw_only=True):
    """One environment step: `step` counts from 1 in `episode`, `total` is the episode's return so far.

    `record` is there on the last step of an episode.
    """

    episode: int
    step: int
    action: int
    reward: float
    total: float
    epsilon: float
    record: EpisodeRecord | None

    @property
    def done(self) -> bool:
        """Whether the episode ended with this step."""
        return self.record is not None


class TrainingRun:
    """One training run in a world of its own, a step at a time.

    Everything random comes from the parameters' seed, which must be there: the same parameters give the same
    run, on the CPU to the last bit, whether it is made at a stretch or goes on from saved states, wherever in
    an episode they were taken. Not safe to share between threads.

    Attributes:
        parameters: those in force; a checkpoint that the run starts from decides the network type.
        worlds: the world, N = 1. After the last step of an episode it shows how that one ended, until the
            first step of the next.
        completed: episodes finished.
        episode_start: the world's state before the first step of the episode; None where that was not made
            here, as after `load_state_dict`.
        visits: (height, width) int64, how many steps ended on each cell over the whole run.
    """

    def __init__(
        self,
        parameters: TrainingParameters,
        *,
        world_config: WorldConfig | None = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        recipe: Recipe = DEFAULT_RECIPE,
        start_from: Checkpoint | None = None,
        sizes: dict[str, Any] | None = None,
    ) -> None:
        """Set up a run; `start_from` gives it a checkpoint's weights, for a world of the same shape.

        `sizes` are those of the network where they are not the default, as `state_dict` tells them.

        Raises `ConfigError` for a world, `DeviceError` for a device and `LearnerError` for a checkpoint that
        do not fit.
        """
        if start_from is not None:
            parameters = msgspec.structs.replace(parameters, network_type=start_from.spec.network_type)
            sizes = msgspec.to_builtins(start_from.spec.sizes)
        config = recipe.world_config(parameters, world_config)
        assert config.num_agents == 1, "a run trains one agent"
        learner_config = recipe.learner_config(parameters, device)
        if sizes is not None:
            learner_config = learner_config.for_network(parameters.network_type, sizes)
        learner_seed, world_seed, self._evaluation_seed = _seeds(parameters.seed)
        self.parameters: Final = parameters
        self._recipe = recipe
        self._learner = DQNLearner(
            learner_config, seed=learner_seed, width=config.width, height=config.height
        )
        if start_from is not None:
            self._learner.start_from(start_from)
        self.worlds: Final = Worlds(1, config, seed=world_seed)
        self.visits: Final[NDArray[np.int64]] = np.zeros((config.height, config.width), dtype=np.int64)
        self.completed = 0
        shape = (1, config.observation_size)
        self.episode_start: WorldState | None = None
        self._observation: NDArray[np.float32] = np.empty(shape, dtype=np.float32)
        self._next_observation: NDArray[np.float32] = np.empty(shape, dtype=np.float32)
        self._under_way = False
        self._total = 0.0
        self._loss_sum = 0.0
        self._updates = 0
        self._recent: deque[tuple[float, int, float]] = deque(maxlen=_RECENT)

    # --- where the run stands --------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether all episodes were made."""
        return self.completed >= self.parameters.num_episodes

    @property
    def episode(self) -> int:
        """The episode under way, or else the next one; from 1."""
        return self.completed + 1

    @property
    def episode_step(self) -> int:
        """Steps made in `episode`."""
        return int(self.worlds.steps[0]) if self._under_way else 0

    @property
    def epsilon(self) -> float:
        """The rate of random actions in `episode`."""
        return self._recipe.schedule.epsilon(self.episode, self.parameters.num_episodes)

    @property
    def steps(self) -> int:
        """Environment steps of the whole run."""
        return self._learner.steps

    @property
    def updates(self) -> int:
        """Gradient updates of the whole run."""
        return self._learner.updates

    @property
    def device(self) -> str:
        """Where the learner computes: `cpu` or `cuda`."""
        return self._learner.device.type

    def recent_means(self) -> tuple[float, float]:
        """Mean return and mean length of the last five episodes; zeros before the first one."""
        rewards, lengths, _ = self._means()
        return rewards, lengths

    # --- the loop --------------------------------------------------------------------------------------

    def step(self) -> StepOutcome:
        """Make one environment step and the learning that follows it.

        Raises `DivergedError` when the loss is not finite; the run cannot go on then.
        """
        assert not self.finished, "the run has made all its episodes"
        if not self._under_way:
            self._begin_episode()
        learner, epsilon = self._learner, self.epsilon
        learner.anneal(self.completed / self.parameters.num_episodes)
        actions = learner.act(self._observation, epsilon)
        result = self.worlds.step(actions)
        self.worlds.observe(out=self._next_observation.reshape(1, 1, -1))
        learner.remember(
            observations=self._observation,
            actions=actions,
            rewards=result.rewards[0],
            next_observations=self._next_observation,
            terminated=result.terminated[0],
            truncated=result.truncated[0],
        )
        if metrics := learner.learn(self._updates_due()):
            self._loss_sum += metrics.loss * metrics.updates
            self._updates += metrics.updates
        self._observation, self._next_observation = self._next_observation, self._observation
        reward = float(result.rewards[0, 0])
        self._total += reward
        x, y = self.worlds.positions[0, 0].tolist()
        self.visits[y, x] += 1
        episode, total = self.episode, self._total
        return StepOutcome(
            episode=episode,
            step=int(self.worlds.steps[0]),
            action=int(actions[0]),
            reward=reward,
            total=total,
            epsilon=epsilon,
            record=self._end_episode(epsilon) if self.worlds.over[0] else None,
        )

    def _updates_due(self) -> int | None:
        """Updates to make after this step; None leaves it to the learner."""
        recipe = self._recipe
        if recipe.updates_per_episode is None:
            return None
        # Spread over an episode as long as the last ones were; what is missing then is made up for later.
        expected = max(self._means()[1], 1.0)
        share = 1.0 if self.worlds.over[0] else min(float(self.worlds.steps[0]) / expected, 1.0)
        due = int(recipe.updates_per_episode * (self.completed + share)) - self._learner.updates
        # Several at a time, which share much of their work.
        return min(due, _MOST_UPDATES) if due >= _LEAST_UPDATES or self.worlds.over[0] else 0

    def _begin_episode(self) -> None:
        self.worlds.reset(random_start=self._recipe.random_start)
        self.episode_start = self.worlds.get_state(0)
        self.worlds.observe(out=self._observation.reshape(1, 1, -1))
        self._learner.begin_episode()
        self._under_way = True
        self._total = self._loss_sum = 0.0
        self._updates = 0

    def _end_episode(self, epsilon: float) -> EpisodeRecord:
        length = int(self.worlds.steps[0])
        loss = self._loss_sum / self._updates if self._updates else 0.0
        self._recent.append((self._total, length, loss))
        rewards, lengths, losses = self._means()
        self.completed += 1
        self._under_way = False
        evaluates = self._recipe.evaluates_after(self.completed, self.parameters.num_episodes)
        return EpisodeRecord(
            episode=self.completed,
            reward=self._total,
            length=length,
            loss=loss,
            epsilon=epsilon,
            avg_reward_5=rewards,
            avg_length_5=lengths,
            avg_loss_5=losses,
            buffer_size=len(self._learner.memory),
            failure_reason=FAILURE_REASONS[int(self.worlds.failure[0, 0])],
            evaluation=self.evaluate() if evaluates else None,
        )

    def _means(self) -> tuple[float, float, float]:
        count = max(len(self._recent), 1)
        rewards, lengths, losses = zip(*self._recent, strict=True) if self._recent else ((), (), ())
        return sum(rewards) / count, sum(lengths) / count, sum(losses) / count

    # --- what it has learnt ----------------------------------------------------------------------------

    def policy(self) -> Policy:
        """A copy of the policy as it is now."""
        return self._learner.policy()

    def evaluate(self) -> EvaluationSummary:
        """Let the policy as it is now act greedily in worlds of its own; changes nothing in the run."""
        result = evaluate(
            self._learner.policy(),
            self.worlds.config,
            episodes=self._recipe.evaluation_episodes,
            seed=self._evaluation_seed,
            max_steps=min(self.worlds.config.max_steps, self._recipe.evaluation_max_steps),
        )
        return EvaluationSummary(result.mean_length, result.mean_return, len(result.episodes))

    def checkpoint(self) -> Checkpoint:
        """The network with all that is known about it, to be saved before the next step."""
        metadata = CheckpointMetadata(
            network_type=self.parameters.network_type,
            world=msgspec.to_builtins(self.worlds.config),
            episode=self.completed,
            seed=self.parameters.seed,
            parameters=msgspec.to_builtins(self.parameters),
            evaluation=msgspec.to_builtins(self.evaluate()),
        )
        return self._learner.checkpoint(metadata, epsilon=self.epsilon)

    # --- saving and going on ---------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything that changes, as tensors and plain values."""
        return {
            "sizes": self._learner.config.sizes,
            "learner": self._learner.state_dict(),
            "world": msgspec.to_builtins(self.worlds.get_state(0)),
            "visits": self.visits.ravel().tolist(),
            "completed": self.completed,
            "under_way": self._under_way,
            "total": self._total,
            "loss_sum": self._loss_sum,
            "updates": self._updates,
            "recent": [list(row) for row in self._recent],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly from where `state_dict` was taken, in a run of the same parameters.

        The number of episodes may differ; epsilon then goes on by the new number's schedule. Raises
        `LearnerError` or `ValueError` when that was another kind of run.
        """
        self._learner.load_state_dict(state["learner"])
        self.worlds.set_state(0, msgspec.convert(state["world"], WorldState))
        self.worlds.observe(out=self._observation.reshape(1, 1, -1))
        self.visits[:] = np.array(state["visits"], dtype=np.int64).reshape(self.visits.shape)
        self.completed = state["completed"]
        self._under_way = state["under_way"]
        self._total = state["total"]
        self._loss_sum = state["loss_sum"]
        self._updates = state["updates"]
        self._recent = deque(((r, n, loss) for r, n, loss in state["recent"]), maxlen=_RECENT)


def _seeds(seed: int | None) -> tuple[int, int, int]:
    """Independent seeds of learner, world and evaluation."""
    assert seed is not None, "the seed is chosen before a run is made"
    learner, world, evaluation = np.random.SeedSequence(seed).generate_state(3, np.uint64).tolist()
    return learner, world, evaluation
