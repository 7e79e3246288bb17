"""A Double-DQN learner."""

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
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.networks import build_network
from hamlet_trio.agent.networks.spec import SCALARS
from hamlet_trio.agent.nstep import NStepAccumulator
from hamlet_trio.agent.policy import Policy
from hamlet_trio.agent.preparing import Preparing
from hamlet_trio.agent.replay_buffer import Memory, ReplayBuffer, Transitions
from hamlet_trio.agent.update import CHUNK, Updater, quickest_values
from hamlet_trio.world import ACTIONS


class LearnerError(ValueError):
    """A learner was given weights or a state that is not its own kind; the message says how they differ."""


class LearnMetrics(NamedTuple):
    """What the updates of one call of `learn` were like, on average."""

    loss: float
    """Huber loss."""
    q_value: float
    """Mean Q-value of the actions taken."""
    td_error: float
    """Mean absolute TD error."""
    gradient_norm: float
    """Norm of the whole gradient before clipping."""
    updates: int
    """How many updates there were."""


class DQNLearner:
    """Learns Q-values from what it is told of one or more streams of steps.

    Deep Q-learning with replay memory and target network (Mnih et al. 2015), the double estimator
    (van Hasselt, Guez and Silver 2016, section "Double DQN"), Huber loss, and optionally n-step returns and
    Munchausen rewards (Vieillard, Pietquin and Geist 2020).

    Everything random comes from `seed`: weights, exploration and sampling have a generator each, and the
    global ones of numpy and torch are neither read nor changed. On the CPU two learners that are told the
    same are the same to the last bit, given the same build of torch and number of its threads; that number is
    the process's (`torch.set_num_threads`), so the caller's to choose. CUDA's kernels do not promise as much.
    Not safe to share between threads.

    Attributes:
        config: the settings it was made with.
        network: the Q-network, in training.
        target: the target network.
        memory: the replay memory.
        steps: single steps remembered so far.
        device: where it computes.
    """

    def __init__(
        self,
        config: LearnerConfig,
        *,
        seed: int,
        width: int = 8,
        height: int = 8,
        num_streams: int = 1,
        memory: Memory | None = None,
    ) -> None:
        """Make a learner for a `width` x `height` world with `num_streams` agents acting at once.

        `memory` replaces the uniform replay memory of `config.buffer_capacity`. It is told observations; the
        uniform one of a network with a `prepared_size` is told what the network prepares of them.
        Raises `DeviceError` for a device that is not there and `NetworkError` for sizes that make no network.
        """
        weights_seed, exploration_seed, memory_seed = np.random.SeedSequence(seed).spawn(3)
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
        prepared_size = self.network.prepared_size if memory is None else None
        row_size = prepared_size or observation_size
        if memory is None:
            memory = ReplayBuffer(config.buffer_capacity, row_size, memory_seed)
        self.memory = memory
        self._preparing = None if prepared_size is None else Preparing(self.network, self.device)
        self.steps = 0
        self._credit = 0.0
        self._num_streams = num_streams
        self._streams = np.arange(num_streams)
        self._accumulator = (
            NStepAccumulator(config.n_step, config.gamma, num_streams, row_size)
            if config.n_step > 1
            else None
        )
        self._exploration: Exploration = (
            OptionExploration(exploration_seed, width, height)
            if config.exploration == "errands"
            else EpsilonGreedy(exploration_seed)
        )
        self._exploration.begin(num_streams)
        self._updater = Updater(
            config, self.network, self.target, self.device, is_prepared=prepared_size is not None
        )
        self._values = quickest_values(self.network)

    @property
    def updates(self) -> int:
        """Gradient updates made so far."""
        return self._updater.updates

    def begin_episodes(self, streams: NDArray[np.integer]) -> None:
        """These streams begin an episode with their next action."""
        for stream in streams.tolist():
            self._exploration.restart(stream)

    def act(self, observations: NDArray[np.float32], epsilon: float) -> NDArray[np.int64]:
        """Actions, (n,) int64, for observations (n, observation_size): exploring, or else greedy."""
        explores, actions = self._exploration.draw(observations, epsilon)
        if not explores.all():
            greedy = self._greedy(observations)
            actions = np.where(explores, actions, greedy) if explores.any() else greedy
        self._exploration.taken(observations, actions)
        return actions

    def _greedy(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        with torch.inference_mode():
            if self._preparing is None:
                prepared = self.network.prepare(torch.from_numpy(observations).to(self.device))
            else:
                prepared = torch.from_numpy(self._preparing(observations)).to(self.device)
            best: NDArray[np.int64] = self._values(prepared).argmax(dim=1).cpu().numpy()
        return best

    def anneal(self, progress: float) -> None:
        """Set the learning rate for this share of a run, from 0 to 1."""
        lost = (1 - self.config.learning_rate_end) * progress
        self._updater.optimizer.learning_rate = self.config.learning_rate * (1 - lost)

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
    ) -> None:
        """Take in one step of each of n agents; all arrays have n rows and are copied.

        `next_observations` are what was seen right after the step, also where an episode ended, so before any
        reset. `streams` says which agents these are, distinct numbers below `num_streams`; by default all, in
        order.
        """
        self.steps += len(actions)
        rewards = np.asarray(rewards) * self.config.reward_scale
        if self._preparing is not None:
            observations = self._preparing(observations)
            next_observations = self._preparing(next_observations)
        if self._accumulator is None:
            ones = np.ones(len(actions), dtype=np.int64)
            self.memory.add(Transitions(observations, actions, rewards, next_observations, terminated, ones))
            return
        finished = self._accumulator.push(
            streams=self._streams if streams is None else streams,
            observations=observations,
            actions=actions,
            rewards=rewards,
            next_observations=next_observations,
            terminated=terminated,
            truncated=truncated,
        )
        if len(finished.actions):
            self.memory.add(finished)

    @property
    def ready(self) -> bool:
        """Whether enough is remembered to learn from."""
        return len(self.memory) >= max(self.config.batch_size, self.config.learning_starts)

    def learn(self, updates: int | None = None) -> LearnMetrics | None:
        """Make so many updates, by default those due for one step; None when there are none to make.

        There are none while too little is remembered. Raises `DivergedError` when the loss stops being
        finite; the network is as before that update then.
        """
        if not self.ready:
            return None
        if updates is None:
            self._credit += self.config.updates_per_step
            updates = int(self._credit)
            self._credit -= updates
        if updates <= 0:
            return None
        size = self.config.batch_size
        loss = q_value = td_error = gradient_norm = 0.0
        for first in range(0, updates, CHUNK):
            count = min(CHUNK, updates - first)
            batch = self.memory.sample(count * size)
            result = self._updater.make(batch, count)
            self.memory.update_priorities(batch.indices, result.td_errors)
            loss += result.loss
            gradient_norm += result.gradient_norm
            q_value += float(result.q_values.sum()) / size
            td_error += float(result.td_errors.sum()) / size
        return LearnMetrics(
            loss / updates, q_value / updates, td_error / updates, gradient_norm / updates, updates
        )

    def policy(self) -> Policy:
        """A frozen copy of the network as it is now."""
        return Policy(self.network)

    def checkpoint(self, metadata: CheckpointMetadata, *, epsilon: float) -> Checkpoint:
        """A checkpoint of the network as it is when the checkpoint is encoded or saved."""
        return Checkpoint(
            network=self.network,
            metadata=metadata,
            target=self.target.state_dict(),
            optimizer=self._updater.optimizer.state_dict(),
            epsilon=epsilon,
        )

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint's weights, for network and target network alike; the rest begins anew.

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
        """A copy of all that a learner needs to go on exactly, as tensors and plain values."""
        return {
            "kind": self._kind(),
            "network": _copied(self.network.state_dict()),
            "target": _copied(self.target.state_dict()),
            "optimizer": copy.deepcopy(self._updater.optimizer.state_dict()),
            "memory": self.memory.state_dict(),
            "accumulator": None if self._accumulator is None else self._accumulator.state_dict(),
            "exploration": self._exploration.state_dict(),
            "steps": self.steps,
            "updates": self.updates,
            "credit": self._credit,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly from where `state_dict` was taken.

        Raises `LearnerError` when that was a learner with other settings, world or streams.
        """
        for name, mine in self._kind().items():
            theirs = state["kind"].get(name)
            if theirs != mine:
                raise LearnerError(
                    f"The state is of a learner whose {name} is {theirs!r}; here it is {mine!r}."
                )
        self.network.load_state_dict(state["network"])
        self.target.load_state_dict(state["target"])
        self._updater.optimizer.load_state_dict(state["optimizer"])
        self.memory.load_state_dict(state["memory"])
        if self._accumulator is not None:
            self._accumulator.load_state_dict(state["accumulator"])
        self._exploration.load_state_dict(state["exploration"])
        self.steps = state["steps"]
        self._updater.updates = state["updates"]
        self._credit = state["credit"]

    def _kind(self) -> dict[str, Any]:
        spec = self.network.spec
        kind: dict[str, Any] = msgspec.to_builtins(self.config)
        # Where it computes may change between saving and resuming.
        del kind["device"]
        return kind | {"width": spec.width, "height": spec.height, "num_streams": self._num_streams}


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
