"""Deep Q-learning: act, remember, learn."""

import copy
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata
from hamlet_trio.agent.device import choose_device
from hamlet_trio.agent.exploration import EpsilonGreedy, Exploration, OptionExploration
from hamlet_trio.agent.learner_config import LearnerConfig, current_settings
from hamlet_trio.agent.networks import build_network
from hamlet_trio.agent.networks.spec import SCALARS
from hamlet_trio.agent.nstep import NStepAccumulator
from hamlet_trio.agent.policy import Policy
from hamlet_trio.agent.preprocessing import PreprocessingCache
from hamlet_trio.agent.replay_buffer import ReplayBuffer, Transitions
from hamlet_trio.agent.step_accumulator import StepAccumulator
from hamlet_trio.agent.update import UPDATES_PER_CHUNK, Updater, fastest_values
from hamlet_trio.world import ACTIONS


class LearnerError(ValueError):
    """Weights or a state that do not fit a learner; the message says how they differ."""


class LearnMetrics(NamedTuple):
    """Means over the updates of one call of `learn`."""

    loss: float
    """Huber loss."""
    q_value: float
    """Q-value of the actions taken."""
    updates: int
    """Number of updates."""


class DQNLearner:
    """A deep Q-learner for one or more streams of steps; a stream is the steps of one agent.

    Deep Q-learning with a replay buffer and a target network (Mnih et al. 2015), the double estimator
    (van Hasselt, Guez and Silver 2016, section "Double DQN"), the Huber loss, and optionally n-step returns
    and Munchausen rewards (Vieillard, Pietquin and Geist 2020).

    All randomness comes from `seed`: weights, exploration and sampling have a generator each, and the global
    generators of numpy and torch are neither read nor changed. On the CPU two learners with the same seed and
    the same steps are equal to the last bit, given the same build of torch and the same number of its
    threads, which the caller chooses (`torch.set_num_threads`). CUDA does not promise that. Not thread-safe.

    Attributes:
        config: the settings.
        network: the Q-network, in training.
        target: the target network.
        replay_buffer: the transitions to learn from.
        steps: single steps remembered so far.
        device: the device of both networks.
    """

    def __init__(
        self,
        config: LearnerConfig,
        *,
        seed: int,
        width: int = 8,
        height: int = 8,
        num_streams: int = 1,
    ) -> None:
        """Make a learner for a `width` x `height` world with `num_streams` agents acting at once.

        Raises `DeviceError` for a missing device and `NetworkError` for invalid sizes.
        """
        weights_seed, exploration_seed, sampling_seed = np.random.SeedSequence(seed).spawn(3)
        observation_size = SCALARS + width * height
        self.config = config
        self.device = choose_device(config.device)
        self.network = build_network(
            config.network_type,
            observation_size,
            len(ACTIONS),
            width,
            height,
            generator=torch.Generator().manual_seed(int(weights_seed.generate_state(1, np.uint64)[0] >> 1)),
            **config.sizes,
        ).to(self.device)
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        row_size = self.network.preprocessed_size or observation_size
        self.replay_buffer = ReplayBuffer(config.buffer_capacity, row_size, sampling_seed)
        self._preprocessing = (
            PreprocessingCache(self.network, self.device) if self.network.preprocessed_size else None
        )
        self.steps = 0
        self._updates_due = 0.0
        self._num_streams = num_streams
        self._streams = np.arange(num_streams)
        self._row_size = row_size
        self._accumulator = self.make_accumulator(num_streams)
        self._exploration: Exploration = (
            OptionExploration(exploration_seed, width, height)
            if config.exploration == "options"
            else EpsilonGreedy(exploration_seed)
        )
        self._exploration.begin(num_streams)
        self._updater = self._make_updater()
        self._values = fastest_values(self.network)

    def make_accumulator(self, num_streams: int) -> StepAccumulator | None:
        """Return what turns the steps of so many streams into transitions; None where each step is one."""
        config = self.config
        if config.n_step == 1:
            return None
        return NStepAccumulator(config.n_step, config.gamma, num_streams, self._row_size)

    def _make_updater(self) -> Updater:
        return Updater(self.config, self.network, self.target, self.device)

    @property
    def updates(self) -> int:
        """Gradient updates made so far."""
        return self._updater.updates

    def begin_episodes(self, streams: NDArray[np.integer]) -> None:
        """Begin an episode in these streams with their next action."""
        for stream in streams.tolist():
            self._exploration.restart(stream)

    def act(self, observations: NDArray[np.float32], epsilon: float) -> NDArray[np.int64]:
        """Return actions (n,) int64 for observations (n, observation_size), exploratory or greedy."""
        explores, actions = self._exploration.draw(observations, epsilon)
        if not explores.all():
            greedy = self._greedy(observations)
            actions = np.where(explores, actions, greedy) if explores.any() else greedy
        self._exploration.record(observations, actions)
        return actions

    def _greedy(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        with torch.inference_mode():
            rows = torch.from_numpy(self._preprocessed(observations)).to(self.device)
            if self._preprocessing is None:
                rows = self.network.preprocess(rows)
            return self.network.greedy(self._values(self.network.encode(rows)), rows)

    def remember(
        self,
        *,
        observations: NDArray[np.float32],
        actions: NDArray[np.integer],
        rewards: NDArray[np.floating],
        next_observations: NDArray[np.float32],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        streams: NDArray[np.integer] | None = None,
        accumulator: StepAccumulator | None = None,
    ) -> None:
        """Remember one step of each of n agents; all arrays have n rows and are copied.

        `next_observations` are those right after the step, before any reset. `streams` are the agents'
        streams, distinct numbers below `num_streams`; by default all, in order. Streams of another
        `accumulator`, which `make_accumulator` made, are apart from the learner's own.
        """
        self.steps += len(actions)
        rewards = np.asarray(rewards) * self.config.reward_scale
        observations = self._preprocessed(observations)
        next_observations = self._preprocessed(next_observations)
        accumulator = accumulator or self._accumulator
        if accumulator is None:
            ones = np.ones(len(actions), dtype=np.int64)
            transitions = Transitions(observations, actions, rewards, next_observations, terminated, ones)
        else:
            transitions = accumulator.push(
                streams=self._streams if streams is None else streams,
                observations=observations,
                actions=actions,
                rewards=rewards,
                next_observations=next_observations,
                terminated=terminated,
                truncated=truncated,
            )
        if len(transitions.actions):
            self.replay_buffer.add(transitions.last(self.replay_buffer.capacity))

    @property
    def ready(self) -> bool:
        """Whether the replay buffer holds enough to learn from."""
        return len(self.replay_buffer) >= max(self.config.batch_size, self.config.learning_starts)

    def learn(self, updates: int | None = None) -> LearnMetrics | None:
        """Make `updates` updates, by default those due after one more step; return None when none are made.

        None are made before the learner is ready. Raises `DivergedError` when the loss is not finite; the
        network is then as it was before that update.
        """
        if not self.ready:
            return None
        if updates is None:
            self._updates_due += self.config.updates_per_step
            updates = int(self._updates_due)
            if updates < self.config.updates_at_once:
                return None
            self._updates_due -= updates
        if updates <= 0:
            return None
        loss = q_value = 0.0
        for first in range(0, updates, UPDATES_PER_CHUNK):
            count = min(UPDATES_PER_CHUNK, updates - first)
            batch = self.replay_buffer.sample(count * self.config.batch_size)
            result = self._updater.update(batch, count)
            loss += result.loss
            q_value += result.q_value
        return LearnMetrics(loss / updates, q_value / updates, updates)

    def anneal(self, progress: float) -> None:
        """Set the learning rate for a run's progress, from 0 to 1."""
        decrease = (1 - self.config.learning_rate_end) * progress
        self._updater.optimizer.learning_rate = self.config.learning_rate * (1 - decrease)

    def _preprocessed(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the rows that the replay buffer holds: preprocessed where that saves time, else raw."""
        return observations if self._preprocessing is None else self._preprocessing(observations)

    def policy(self) -> Policy:
        """Return a frozen copy of the network."""
        return Policy(self.network)

    def checkpoint(self, metadata: CheckpointMetadata, *, epsilon: float) -> Checkpoint:
        """Return a checkpoint of the network as it is when the checkpoint is encoded or saved."""
        return Checkpoint(
            network=self.network,
            metadata=metadata,
            target=self.target.state_dict(),
            optimizer=self._updater.optimizer.state_dict(),
            epsilon=epsilon,
        )

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Copy a checkpoint's weights into network and target network; everything else starts anew.

        Raises `LearnerError` when the checkpoint is of another network or world; `LearnerConfig.for_network`
        makes the settings that fit.
        """
        theirs, mine = checkpoint.spec, self.network.spec
        if theirs != mine:
            raise LearnerError(
                f"The checkpoint is of a {theirs.network_type} network for a {theirs.width} x "
                f"{theirs.height} world with {theirs.sizes}, the learner a {mine.network_type} network for "
                f"{mine.width} x {mine.height} with {mine.sizes}."
            )
        weights = checkpoint.network.state_dict()
        self.network.load_state_dict(weights)
        self.target.load_state_dict(weights)

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything needed to continue exactly, as tensors and plain values."""
        return {
            "kind": self._kind(),
            "network": _copied(self.network.state_dict()),
            "target": _copied(self.target.state_dict()),
            "optimizer": copy.deepcopy(self._updater.optimizer.state_dict()),
            "memory": self.replay_buffer.state_dict(),
            "accumulator": None if self._accumulator is None else self._accumulator.state_dict(),
            "exploration": self._exploration.state_dict(),
            "steps": self.steps,
            "updates": self.updates,
            "credit": self._updates_due,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly from a `state_dict`.

        Raises `LearnerError` when it is of a learner with other settings, world or streams.
        """
        saved = current_settings(state["kind"])
        for name, mine in self._kind().items():
            theirs = saved.get(name)
            if theirs != mine:
                raise LearnerError(
                    f"The state is of a learner whose {name} is {theirs!r}; here it is {mine!r}."
                )
        self.network.load_state_dict(state["network"])
        self.target.load_state_dict(state["target"])
        self._updater.optimizer.load_state_dict(state["optimizer"])
        self.replay_buffer.load_state_dict(state["memory"])
        if self._accumulator is not None:
            self._accumulator.load_state_dict(state["accumulator"])
        self._exploration.load_state_dict(state["exploration"])
        self.steps = state["steps"]
        self._updater.updates = state["updates"]
        self._updates_due = state["credit"]

    def _kind(self) -> dict[str, Any]:
        spec = self.network.spec
        kind: dict[str, Any] = msgspec.to_builtins(self.config)
        # The device may change between saving and resuming.
        del kind["device"]
        return kind | {"width": spec.width, "height": spec.height, "num_streams": self._num_streams}


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
