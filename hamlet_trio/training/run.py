"""The learner's loop as an object that is stepped: no I/O, and no clock."""

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata
from hamlet_trio.agent.evaluation import evaluate
from hamlet_trio.agent.learner import DQNLearner
from hamlet_trio.agent.policy import Policy
from hamlet_trio.agent.update import DivergedError
from hamlet_trio.common.devices import DeviceName
from hamlet_trio.protocol.episode import EvaluationSummary
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.episodes import EpisodeRecord, EpisodeSums, StepOutcome
from hamlet_trio.training.recipe import DEFAULT_RECIPE, Recipe
from hamlet_trio.world import FAILURE_REASONS, WorldConfig, Worlds, WorldState
from hamlet_trio.world.rules import any_true

__all__ = ["DivergedError", "EpisodeRecord", "StepOutcome", "TrainingRun"]

_LEAST_UPDATES: Final = 8
_MOST_UPDATES: Final = 16


class TrainingRun:
    """One training run in `num_envs` worlds of its own, a step of all of them at a time.

    A world whose episode ended begins its next one at once. Episodes are numbered as they end, of those that
    end with one step in the order of their worlds. The run ends with its last episode; those under way then
    are left, and in no record. The first world is the one that is shown.

    Everything random comes from the parameters' seed, which must be there: the same parameters give the same
    run, on the CPU to the last bit, whether it is made at a stretch or goes on from saved states, wherever in
    an episode they were taken. Not safe to share between threads.

    Attributes:
        parameters: those in force; a checkpoint that the run starts from decides the network type.
        worlds: the N worlds. After the last step of an episode a world shows how that one ended, until the
            next step.
        completed: episodes finished.
        episode_starts: each world's state before the first step of its episode; None where that was not
            made here, as after `load_state_dict`.
        visits: (height, width) int64, how many steps ended on each cell over the whole run, in all worlds.
    """

    def __init__(
        self,
        parameters: TrainingParameters,
        *,
        world_config: WorldConfig | None = None,
        device: DeviceName = "auto",
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
            learner_config,
            seed=learner_seed,
            width=config.width,
            height=config.height,
            num_streams=parameters.num_envs,
        )
        if start_from is not None:
            self._learner.start_from(start_from)
        count = parameters.num_envs
        self.worlds: Final = Worlds(count, config, seed=world_seed)
        self.visits: Final[NDArray[np.int64]] = np.zeros((config.height, config.width), dtype=np.int64)
        self.completed = 0
        self.episode_starts: Final[list[WorldState | None]] = [None] * count
        # Written over and exchanged at each step.
        self._observations: NDArray[np.float32] = np.empty((count, config.observation_size), dtype=np.float32)
        self._next_observations = np.empty_like(self._observations)
        self._sums = EpisodeSums(count)
        # Episodes that were finished when that of the first world began, and whether this one is shown.
        self._begun_after = 0
        self._is_shown = True
        self._begin_episodes(np.arange(count))

    # --- where the run stands --------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether all episodes were made."""
        return self.completed >= self.parameters.num_episodes

    @property
    def episode(self) -> int:
        """The number of the episode that ends next, from 1; with one world, of the one under way if any."""
        return self.completed + 1

    @property
    def shown_episode(self) -> int:
        """What the first world's episode, under way or else the next, goes by: `episode` when it begins.

        With several worlds it may end under a higher number.
        """
        return self._begun_after + 1

    @property
    def is_shown(self) -> bool:
        """Whether it is to be shown: the first one, and the next one after every `show_every` that ended."""
        return self._is_shown

    @property
    def episode_step(self) -> int:
        """Steps made in the first world's episode; 0 when that is over."""
        return 0 if self.worlds.over[0] else int(self.worlds.steps[0])

    @property
    def epsilon(self) -> float:
        """The rate of random actions before `episode` has ended, in all worlds."""
        return self._recipe.schedule.epsilon(self.episode, self.parameters.num_episodes)

    @property
    def steps(self) -> int:
        """Environment steps of the whole run, those of all worlds added up."""
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
        rewards, lengths, _ = self._sums.means()
        return rewards, lengths

    # --- the loop --------------------------------------------------------------------------------------

    def step(self) -> StepOutcome:
        """Make one step in every world and the learning that follows it.

        Raises `DivergedError` when the loss is not finite; the run cannot go on then.
        """
        assert not self.finished, "the run has made all its episodes"
        learner, worlds, epsilon = self._learner, self.worlds, self.epsilon
        if any_true(worlds.over):
            self._begin_episodes(np.flatnonzero(worlds.over))
        learner.anneal(self.completed / self.parameters.num_episodes)
        actions = learner.act(self._observations, epsilon)
        result = worlds.step(actions)
        worlds.observe(out=self._shaped(self._next_observations))
        rewards = result.rewards[:, 0]
        learner.remember(
            observations=self._observations,
            actions=actions,
            rewards=rewards,
            next_observations=self._next_observations,
            terminated=result.terminated[:, 0],
            truncated=result.truncated[:, 0],
        )
        if metrics := learner.learn(self._updates_due()):
            self._sums.add_updates(metrics.loss, metrics.updates)
        self._observations, self._next_observations = self._next_observations, self._observations
        self._sums.add_rewards(rewards)
        for x, y in worlds.positions[:, 0].tolist():
            self.visits[y, x] += 1
        return StepOutcome(
            episode=self.shown_episode,
            step=int(worlds.steps[0]),
            action=int(actions[0]),
            reward=float(rewards[0]),
            total=float(self._sums.totals[0]),
            epsilon=epsilon,
            done=bool(worlds.over[0]),
            actions=actions.astype(np.uint8).tobytes(),
            records=self._end_episodes(epsilon) if any_true(worlds.over) else (),
        )

    def _updates_due(self) -> int | None:
        """Updates to make after this step; None leaves it to the learner."""
        recipe, worlds = self._recipe, self.worlds
        if recipe.updates_per_episode is None:
            return None
        # Spread over episodes as long as the last ones were; what is missing then is made up for later. Until
        # one has ended, nothing is known of how long they are: what is due is one episode's.
        expected = max(self._sums.means()[1], 1.0)
        shares = np.where(worlds.over, 1.0, np.minimum(worlds.steps / expected, 1.0)).sum()
        share = float(shares) if self.completed else min(float(shares), 1.0)
        episodes = min(self.completed + share, self.parameters.num_episodes)
        due = int(recipe.updates_per_episode * episodes) - self._learner.updates
        # Several at a time, which share much of their work.
        if due < _LEAST_UPDATES and not any_true(worlds.over):
            return 0
        return min(due, _MOST_UPDATES * worlds.num_worlds)

    def _begin_episodes(self, indices: NDArray[np.intp]) -> None:
        self.worlds.reset(indices, random_start=self._recipe.random_start)
        for index in indices.tolist():
            self.episode_starts[index] = self.worlds.get_state(index)
        # Those in the middle of an episode see what they saw.
        self.worlds.observe(out=self._shaped(self._observations))
        self._learner.begin_episodes(indices)
        self._sums.begin(indices)

    def _end_episodes(self, epsilon: float) -> tuple[EpisodeRecord, ...]:
        over = np.flatnonzero(self.worlds.over).tolist()
        left = self.parameters.num_episodes - self.completed
        records = tuple(self._end_episode(world, epsilon) for world in over[:left])
        if over[0] == 0:
            every = self.parameters.show_every
            self._is_shown = self.completed // every > self._begun_after // every
            self._begun_after = self.completed
        return records

    def _end_episode(self, world: int, epsilon: float) -> EpisodeRecord:
        length = int(self.worlds.steps[world])
        total, loss = self._sums.end(world, length)
        rewards, lengths, losses = self._sums.means()
        self.completed += 1
        evaluates = self._recipe.evaluates_after(self.completed, self.parameters.num_episodes)
        return EpisodeRecord(
            episode=self.completed,
            world=world,
            reward=total,
            length=length,
            loss=loss,
            epsilon=epsilon,
            avg_reward_5=rewards,
            avg_length_5=lengths,
            avg_loss_5=losses,
            buffer_size=len(self._learner.replay_buffer),
            failure_reason=FAILURE_REASONS[int(self.worlds.failure[world, 0])],
            evaluation=self.evaluate() if evaluates else None,
        )

    def _shaped(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same memory with an axis for the one agent of each world, as the worlds write it."""
        return observations[:, None]

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
            "worlds": [
                msgspec.to_builtins(self.worlds.get_state(index)) for index in range(self.worlds.num_worlds)
            ],
            "visits": self.visits.ravel().tolist(),
            "completed": self.completed,
            "begun_after": self._begun_after,
            "is_shown": self._is_shown,
            "sums": self._sums.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly from where `state_dict` was taken, in a run of the same parameters.

        The number of episodes may differ; epsilon then goes on by the new number's schedule. Raises
        `LearnerError` or `ValueError` when that was another kind of run.
        """
        self._learner.load_state_dict(state["learner"])
        for index, world in enumerate(state["worlds"]):
            self.worlds.set_state(index, msgspec.convert(world, WorldState))
            began = self.worlds.steps[index] == 0
            self.episode_starts[index] = self.worlds.get_state(index) if began else None
        self.worlds.observe(out=self._shaped(self._observations))
        self.visits[:] = np.array(state["visits"], dtype=np.int64).reshape(self.visits.shape)
        self.completed = state["completed"]
        self._begun_after = state["begun_after"]
        self._is_shown = state["is_shown"]
        self._sums.load_state_dict(state["sums"])


def _seeds(seed: int | None) -> tuple[int, int, int]:
    """Independent seeds of learner, world and evaluation."""
    assert seed is not None, "the seed is chosen before a run is made"
    learner, world, evaluation = np.random.SeedSequence(seed).generate_state(3, np.uint64).tolist()
    return learner, world, evaluation
