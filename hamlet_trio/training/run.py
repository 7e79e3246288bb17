"""Double DQN's loop over environment steps, as an object that is stepped: no I/O, and no clock."""

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata
from hamlet_trio.agent.evaluation import evaluate_starts
from hamlet_trio.agent.exploring_starts import ExploringStarts
from hamlet_trio.agent.options_learner import make_learner
from hamlet_trio.agent.policy import Policy
from hamlet_trio.agent.update import DivergedError
from hamlet_trio.common.agents import AgentResults, first_failure
from hamlet_trio.common.devices import DeviceName
from hamlet_trio.protocol.episode import EpisodeComplete, EvaluationSummary
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.company import AgentStep, Company
from hamlet_trio.training.episodes import EpisodeSums, StepOutcome, summary_of
from hamlet_trio.training.recipe import DEFAULT_RECIPE, Recipe
from hamlet_trio.world import FAILURE_REASONS, WorldConfig, Worlds, WorldState
from hamlet_trio.world.rules import any_true

__all__ = ["DivergedError", "StepOutcome", "TrainingRun"]

_LEAST_UPDATES: Final = 8
_MOST_UPDATES: Final = 16


class TrainingRun:
    """Train the agents of `num_envs` worlds, one step of all of them at a time.

    One learner learns from all agents, each of which is a stream of steps; one that has failed is left out
    until its world's episode is over.

    A world whose episode ended begins its next one at once. Episodes are numbered as they end; those that end
    with the same step in the order of their worlds. The run ends with its last episode; those still under way
    are dropped, without a record. The first world is the one that is shown.

    Everything random is derived from the parameters' seed, which must be set: the same parameters give the
    same run, on the CPU to the last bit, whether it is made in one go or resumed from saved states, wherever
    in an episode they were taken. Not safe to share between threads.

    Attributes:
        parameters: those in force; a checkpoint that the run starts from decides the network type.
        worlds: the N worlds. After the last step of an episode a world keeps its final state until the next
            step.
        completed: episodes finished.
        episode_starts: each world's state before the first step of its episode; None if that step was made
            before `load_state_dict`.
        show_every: the first episode is shown, and one after every so many that ended.
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

        `sizes` are those of the network where they are not the default, as in `state_dict`.

        Raises `ConfigError` for a world, `DeviceError` for a device and `LearnerError` for a checkpoint that
        do not fit.
        """
        if start_from is not None:
            parameters = msgspec.structs.replace(parameters, network_type=start_from.spec.network_type)
            sizes = msgspec.to_builtins(start_from.spec.sizes)
        config = recipe.world_config(parameters, world_config)
        learner_config = recipe.learner_config(parameters, device)
        if sizes is not None:
            learner_config = learner_config.for_network(parameters.network_type, sizes)
        assert parameters.seed is not None, "the seed is chosen before a run is made"
        seeds = np.random.SeedSequence(parameters.seed).generate_state(3, np.uint64)
        learner_seed, world_seed, exploring_seed = seeds.tolist()
        self.parameters: Final = parameters
        self.show_every = parameters.show_every
        self._recipe = recipe
        self._learner = make_learner(
            learner_config,
            world=config,
            seed=learner_seed,
            num_streams=parameters.num_envs * config.num_agents,
        )
        if start_from is not None:
            self._learner.start_from(start_from)
        starts = recipe.starts_per_episode(parameters)
        self._exploring_starts = ExploringStarts(self._learner, config, starts=starts, seed=exploring_seed)
        count = parameters.num_envs
        self.worlds: Final = Worlds(count, config, seed=world_seed)
        self.visits: Final[NDArray[np.int64]] = np.zeros((config.height, config.width), dtype=np.int64)
        self.completed = 0
        self._begun = 0
        # The last evaluation, and the number of updates it was made after.
        self._evaluated: tuple[int, tuple[EvaluationSummary, EvaluationSummary]] | None = None
        self.episode_starts: Final[list[WorldState | None]] = [None] * count
        # Overwritten and swapped at each step.
        shape = (count * config.num_agents, config.observation_size)
        self._observations: NDArray[np.float32] = np.empty(shape, dtype=np.float32)
        self._next_observations = np.empty_like(self._observations)
        self._sums = EpisodeSums(count)
        self._company = Company(self.worlds) if config.num_agents > 1 else None
        # Episodes that were finished when the first world's began, and whether this one is shown.
        self._begun_after = 0
        self._is_shown = True
        self._begin_episodes(np.arange(count))

    # --- progress ------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether all episodes are finished."""
        return self.completed >= self.parameters.num_episodes

    @property
    def episode(self) -> int:
        """The number of the episode that ends next, from 1; with one world, the one under way, if any."""
        return self.completed + 1

    @property
    def shown_episode(self) -> int:
        """The number shown for the first world's episode, under way or next: `episode` at its start.

        With several worlds it may end with a higher number.
        """
        return self._begun_after + 1

    @property
    def is_shown(self) -> bool:
        """Whether that episode is shown."""
        return self._is_shown

    @property
    def episode_step(self) -> int:
        """Steps made in the first world's episode; 0 once it is over."""
        return 0 if self.worlds.over[0] else int(self.worlds.steps[0])

    @property
    def position(self) -> tuple[int, int]:
        """The episode under way, or the last one, and the steps made in it."""
        return min(self.episode, self.parameters.num_episodes), self.episode_step

    @property
    def epsilon(self) -> float:
        """The share of exploring steps, in all worlds, until `episode` has ended."""
        return self._recipe.schedule.epsilon(self.episode, self.parameters.num_episodes)

    @property
    def steps(self) -> int:
        """Steps of the whole run, of all agents in all worlds together."""
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
        """Return the mean return and mean length of the last five episodes; zeros before the first one."""
        rewards, lengths, _ = self._sums.means()
        return rewards, lengths

    # --- the loop --------------------------------------------------------------------------------------

    def step(self) -> StepOutcome:
        """Make one step in every world, and the gradient updates due after it.

        Raises `DivergedError` when the loss is not finite; the run cannot go on then.
        """
        assert not self.finished, "the run is finished"
        learner, worlds, epsilon = self._learner, self.worlds, self.epsilon
        if any_true(worlds.over):
            self._begin_episodes(np.flatnonzero(worlds.over))
        learner.anneal(self.completed / self.parameters.num_episodes)
        actions = learner.act(self._observations, epsilon)
        agents: tuple[AgentStep, ...] = ()
        if self._company is None:
            rewards, cells = self._step_alone(actions), worlds.positions[:, 0]
        else:
            actions, rewards, agents = self._company.step(
                learner, actions, self._observations, self._next_observations
            )
            cells = worlds.positions[self._company.acting]
        if metrics := learner.learn(self._updates_due()):
            self._sums.add_updates(*metrics)
        self._observations, self._next_observations = self._next_observations, self._observations
        self._sums.add_rewards(rewards)
        for x, y in cells.tolist():
            self.visits[y, x] += 1
        outcome = StepOutcome(
            episode=self.shown_episode,
            step=int(worlds.steps[0]),
            action=int(actions[0]),
            reward=agents[0].reward if agents else float(rewards[0]),
            total=agents[0].total if agents else float(self._sums.totals[0]),
            epsilon=epsilon,
            done=bool(worlds.over[0]),
            shown=self._is_shown,
            actions=actions.astype(np.uint8).tobytes(),
            agents=agents,
        )
        return self._end_episodes(outcome) if any_true(worlds.over) else outcome

    def _step_alone(self, actions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Make one step in every world of one agent, remember it, and return the rewards (N,)."""
        result = self.worlds.step(actions)
        self.worlds.observe(out=self._shaped(self._next_observations))
        self._learner.remember(
            observations=self._observations,
            actions=actions,
            rewards=result.rewards[:, 0],
            next_observations=self._next_observations,
            terminated=result.terminated[:, 0],
            truncated=result.truncated[:, 0],
        )
        return result.rewards[:, 0]

    def _updates_due(self) -> int | None:
        """Return how many updates to make after this step; None leaves it to the learner."""
        recipe, worlds = self._recipe, self.worlds
        if recipe.updates_per_episode is None:
            return None
        # Spread over the mean length of the last episodes; a shortfall is made up for later. Before the first
        # end of an episode no length is known: one episode's updates are due.
        expected = max(self._sums.means()[1], 1.0)
        shares = np.where(worlds.over, 1.0, np.minimum(worlds.steps / expected, 1.0)).sum()
        share = float(shares) if self.completed else min(float(shares), 1.0)
        episodes = min(self.completed + share, self.parameters.num_episodes)
        due = int(recipe.updates_per_episode * episodes) - self._learner.updates
        # Several at a time share much of their work.
        if due < _LEAST_UPDATES and not any_true(worlds.over):
            return 0
        return min(due, _MOST_UPDATES * worlds.num_worlds)

    def _begin_episodes(self, indices: NDArray[np.intp]) -> None:
        anywhere = self._begin_anywhere(len(indices))
        for chosen, random_start in ((indices[~anywhere], False), (indices[anywhere], True)):
            if chosen.size:
                self.worlds.reset(chosen, random_start=random_start)
        for index in indices.tolist():
            self.episode_starts[index] = self.worlds.get_state(index)
        # Worlds in the middle of an episode observe the same as before.
        self.worlds.observe(out=self._shaped(self._observations))
        agents = self.worlds.num_agents
        self._learner.begin_episodes((indices[:, None] * agents + np.arange(agents)).ravel())
        self._sums.begin(indices)
        if self._company is not None:
            self._company.begin(indices)

    def _begin_anywhere(self, count: int) -> NDArray[np.bool_]:
        """Return which of the next `count` episodes begin anywhere, spread evenly over the run."""
        share = self.parameters.random_start
        due = np.floor(np.arange(self._begun, self._begun + count + 1) * share)
        self._begun += count
        chosen: NDArray[np.bool_] = np.diff(due) > 0
        return chosen

    def _end_episodes(self, outcome: StepOutcome) -> StepOutcome:
        over = np.flatnonzero(self.worlds.over).tolist()
        ended = over[: self.parameters.num_episodes - self.completed]
        records = tuple(self._end_episode(world, outcome.epsilon) for world in ended)
        if over[0] == 0:
            every = self.show_every
            self._is_shown = self.completed // every > self._begun_after // every
            self._begun_after = self.completed
        return msgspec.structs.replace(outcome, records=records, worlds=tuple(ended))

    def _end_episode(self, world: int, epsilon: float) -> EpisodeComplete:
        length = int(self.worlds.steps[world])
        failure = FAILURE_REASONS[int(self.worlds.failure[world, 0])]
        agents: AgentResults | msgspec.UnsetType = msgspec.UNSET
        if self._company is not None:
            agents = self._company.results(world)
            length = round(float(np.mean([result.steps for result in agents.values()])))
            failure = first_failure(agents.values())
        total, loss, q_value = self._sums.end(world, length)
        rewards, lengths, losses = self._sums.means()
        self.completed += 1
        if not self.finished:
            self._exploring_starts.explore(self.completed)
        usual, random = (
            self.evaluate()
            if self._recipe.evaluates_after(self.completed, self.parameters.num_episodes)
            else (msgspec.UNSET, msgspec.UNSET)
        )
        return EpisodeComplete(
            episode=self.completed,
            reward=total,
            length=length,
            loss=loss,
            epsilon=epsilon,
            avg_reward_5=rewards,
            avg_length_5=lengths,
            avg_loss_5=losses,
            buffer_size=len(self._learner.replay_buffer),
            failure_reason=failure,
            steps_per_second=0.0,
            evaluation=usual,
            evaluation_random=random,
            q_value=q_value,
            agents=agents,
        )

    def _shaped(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the same memory with an axis for the agents of each world, as the worlds write it."""
        return observations.reshape(self.worlds.num_worlds, self.worlds.num_agents, -1)

    # --- the policy -----------------------------------------------------------------------------------

    def policy(self) -> Policy:
        """Return a copy of the current policy."""
        return self._learner.policy()

    def evaluate(self) -> tuple[EvaluationSummary, EvaluationSummary]:
        """Evaluate the current policy greedily from the usual start and from random ones.

        It plays in worlds of its own, and changes nothing in the run.
        """
        if self._evaluated is None or self._evaluated[0] != self.updates:
            recipe, config = self._recipe, self.worlds.config
            max_steps = min(config.max_steps, recipe.evaluation_max_steps)
            usual, random = evaluate_starts(
                self._learner.policy(),
                msgspec.structs.replace(config, max_steps=max_steps),
                usual=recipe.evaluation_episodes,
                random=recipe.evaluation_random_starts,
            )
            self._evaluated = self.updates, (summary_of(usual), summary_of(random))
        return self._evaluated[1]

    def checkpoint(self) -> Checkpoint:
        """Return the network with its metadata, to be saved before the next step."""
        usual, random = self.evaluate()
        metadata = CheckpointMetadata(
            network_type=self.parameters.network_type,
            world=msgspec.to_builtins(self.worlds.config),
            episode=self.completed,
            seed=self.parameters.seed,
            parameters=msgspec.to_builtins(self.parameters),
            evaluation=msgspec.to_builtins(usual),
            evaluation_random=msgspec.to_builtins(random),
        )
        return self._learner.checkpoint(metadata, epsilon=self.epsilon)

    # --- saving and resuming --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything that changes, as tensors and plain values."""
        return {
            "sizes": self._learner.config.sizes,
            "learner": self._learner.state_dict(),
            "worlds": [
                msgspec.to_builtins(self.worlds.get_state(index)) for index in range(self.worlds.num_worlds)
            ],
            "visits": self.visits.ravel().tolist(),
            "completed": self.completed,
            "begun": self._begun,
            "begun_after": self._begun_after,
            "is_shown": self._is_shown,
            "sums": self._sums.state_dict(),
        } | ({} if self._company is None else {"company": self._company.state_dict()})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly from where `state_dict` was taken, in a run of the same parameters.

        The number of episodes may differ; epsilon then follows the new number's schedule. Raises
        `LearnerError` or `ValueError` for the state of another kind of run.
        """
        self._learner.load_state_dict(state["learner"])
        for index, world in enumerate(state["worlds"]):
            self.worlds.set_state(index, msgspec.convert(world, WorldState))
            began = self.worlds.steps[index] == 0
            self.episode_starts[index] = self.worlds.get_state(index) if began else None
        self.worlds.observe(out=self._shaped(self._observations))
        self.visits[:] = np.array(state["visits"], dtype=np.int64).reshape(self.visits.shape)
        self.completed = state["completed"]
        # Runs that an older version saved began no episode anywhere.
        self._begun = state.get("begun", self.completed + self.worlds.num_worlds)
        self._begun_after = state["begun_after"]
        self._is_shown = state["is_shown"]
        self._sums.load_state_dict(state["sums"])
        if self._company is not None:
            self._company.load_state_dict(state["company"])
        self._evaluated = None
