"""A Double-DQN learner."""

import copy
import math
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from hamlet_trio.agent.adam import Adam
from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata
from hamlet_trio.agent.device import choose_device
from hamlet_trio.agent.exploration import EpsilonGreedy, Errands, Exploration
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.networks import build_network
from hamlet_trio.agent.networks.spec import SCALARS
from hamlet_trio.agent.nstep import NStepAccumulator
from hamlet_trio.agent.policy import Policy
from hamlet_trio.agent.replay import Batch, Memory, Transitions, UniformMemory
from hamlet_trio.world import ACTIONS

_CHUNK: Final = 8
"""Updates that share one computation of their targets; the target network moves little in so few."""


class LearnerError(ValueError):
    """A learner was given weights or a state that is not its own kind; the message says how they differ."""


class DivergedError(RuntimeError):
    """The loss or the gradient is not a finite number any more, so nothing further can be learnt."""


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
        updates: gradient updates made so far.
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

        `memory` replaces the uniform replay memory of `config.buffer_capacity`.
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
        # Not `memory or ...`: an empty memory is falsy.
        self.memory = (
            UniformMemory(config.buffer_capacity, observation_size, memory_seed) if memory is None else memory
        )
        self.steps = 0
        self.updates = 0
        self._credit = 0.0
        self._num_streams = num_streams
        self._streams = np.arange(num_streams)
        self._accumulator = (
            NStepAccumulator(config.n_step, config.gamma, num_streams, observation_size)
            if config.n_step > 1
            else None
        )
        self._exploration: Exploration = (
            Errands(exploration_seed, width, height)
            if config.exploration == "errands"
            else EpsilonGreedy(exploration_seed)
        )
        self._exploration.begin(num_streams)
        self._parameters = list(self.network.parameters())
        self._target_parameters = list(self.target.parameters())
        self._optimizer = Adam(self._parameters, config.learning_rate)
        self._average = get_ema_multi_avg_fn(1 - config.tau)  # type: ignore[no-untyped-call]
        self._loss = nn.HuberLoss(reduction="none", delta=config.huber_delta)
        self._discounts = config.gamma ** np.arange(config.n_step + 1)

    def begin_episodes(self, streams: NDArray[np.integer]) -> None:
        """These streams begin an episode with their next action."""
        for stream in streams.tolist():
            self._exploration.restart(stream)

    def act(self, observations: NDArray[np.float32], epsilon: float) -> NDArray[np.int64]:
        """Actions, (n,) int64, for observations (n, observation_size): exploring, or else greedy."""
        explores, actions = self._exploration.draw(observations, epsilon)
        if not explores.all():
            with torch.inference_mode():
                batch = torch.from_numpy(observations).to(self.device)
                greedy = self.network(batch).argmax(dim=1).cpu().numpy()
            actions = np.where(explores, actions, greedy)
        self._exploration.taken(observations, actions)
        return actions

    def anneal(self, progress: float) -> None:
        """Set the learning rate for this share of a run, from 0 to 1."""
        lost = (1 - self.config.learning_rate_end) * progress
        self._optimizer.learning_rate = self.config.learning_rate * (1 - lost)

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
        sums = np.zeros(4)
        for first in range(0, updates, _CHUNK):
            sums += self._learn_chunk(min(_CHUNK, updates - first))
        loss, q_value, td_error, gradient_norm = (sums / updates).tolist()
        return LearnMetrics(loss, q_value, td_error, gradient_norm, updates)

    def _learn_chunk(self, updates: int) -> NDArray[np.float64]:
        """Make a few updates, a batch each, towards targets that are computed for all of them at once."""
        size = self.config.batch_size
        batch = self.memory.sample(updates * size)
        actions = torch.from_numpy(batch.actions).to(self.device).unsqueeze(1)
        weights = torch.from_numpy(batch.weights).to(self.device)
        with torch.no_grad():
            observed = self.network.prepare(torch.from_numpy(batch.observations).to(self.device))
            targets = self._targets(batch, observed, actions)
        losses = norms = 0.0
        q_values: list[Tensor] = []
        for first in range(0, updates * size, size):
            rows = slice(first, first + size)
            chosen = self.network.values(observed[rows]).gather(1, actions[rows]).squeeze(1)
            q_values.append(chosen.detach())
            loss, norm = self._descend((weights[rows] * self._loss(chosen, targets[rows])).mean())
            losses += loss
            norms += norm
        predicted, wanted = torch.stack((torch.cat(q_values), targets)).cpu().numpy()
        errors = np.abs(predicted - wanted)
        self.memory.update_priorities(batch.indices, errors)
        return np.array((losses, float(predicted.mean()) * updates, float(errors.mean()) * updates, norms))

    def _descend(self, loss: Tensor) -> tuple[float, float]:
        """One update of the network, and the target network after it; returns loss and gradient norm."""
        self._optimizer.clear_gradients()
        loss.backward()  # type: ignore[no-untyped-call]
        # One transfer for both numbers: on CUDA each one waits for the whole update.
        gradient_norm = self._optimizer.gradient_norm()
        loss_value, norm = torch.stack((loss.detach(), gradient_norm)).tolist()
        if not (math.isfinite(loss_value) and math.isfinite(norm)):
            raise DivergedError(
                f"The loss is no finite number after {self.updates} updates; "
                "try a smaller learning_rate or gamma."
            )
        clip = self.config.gradient_clip
        if clip is not None and norm > clip:
            self._optimizer.clip_gradients(gradient_norm, clip)
        self._optimizer.step()
        self.updates += 1
        self._follow()
        return loss_value, norm

    def _targets(self, batch: Batch, observed: Tensor, actions: Tensor) -> Tensor:
        """What the Q-values of the actions taken, int64 [b, 1], should have been, float32 [b].

        Return of the spanned steps plus the discounted value of where they led, unless it terminated there.
        Double DQN chooses the action there with the network and values it with the target network
        (van Hasselt et al. 2016, equation 4); plain DQN takes the target network's maximum; Munchausen DQN
        the soft value, and rewards an action for being likely (Vieillard et al. 2020, equation 1).
        """
        config = self.config
        discounts = np.where(batch.terminated, 0.0, self._discounts[batch.steps]).astype(np.float32)
        following = self.network.prepare(torch.from_numpy(batch.next_observations).to(self.device))
        values = self.target.values(following)
        rewards = torch.from_numpy(batch.rewards).to(self.device)
        if config.munchausen > 0:
            value = _soft_value(values, config.munchausen_temperature)
            log_policy = _log_policy(self.target.values(observed), config.munchausen_temperature)
            bonus = (config.munchausen_temperature * log_policy.gather(1, actions)).squeeze(1)
            rewards = rewards + config.munchausen * bonus.clamp(config.munchausen_floor, 0.0)
        elif config.double:
            best = self.network.values(following).argmax(dim=1, keepdim=True)
            value = values.gather(1, best).squeeze(1)
        else:
            value = values.amax(dim=1)
        return rewards + torch.from_numpy(discounts).to(self.device) * value

    def _follow(self) -> None:
        """Let the target network follow the network."""
        if self.config.target_update == "soft":
            self._average(self._target_parameters, self._parameters, None)
        elif self.updates % self.config.target_period == 0:
            self.target.load_state_dict(self.network.state_dict())

    def policy(self) -> Policy:
        """A frozen copy of the network as it is now."""
        return Policy(self.network)

    def checkpoint(self, metadata: CheckpointMetadata, *, epsilon: float) -> Checkpoint:
        """A checkpoint of the network as it is when the checkpoint is encoded or saved."""
        return Checkpoint(
            network=self.network,
            metadata=metadata,
            target=self.target.state_dict(),
            optimizer=self._optimizer.state_dict(),
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
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
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
        self._optimizer.load_state_dict(state["optimizer"])
        self.memory.load_state_dict(state["memory"])
        if self._accumulator is not None:
            self._accumulator.load_state_dict(state["accumulator"])
        self._exploration.load_state_dict(state["exploration"])
        self.steps = state["steps"]
        self.updates = state["updates"]
        self._credit = state["credit"]

    def _kind(self) -> dict[str, Any]:
        spec = self.network.spec
        kind: dict[str, Any] = msgspec.to_builtins(self.config)
        # Where it computes may change between saving and resuming.
        del kind["device"]
        return kind | {"width": spec.width, "height": spec.height, "num_streams": self._num_streams}


def _log_policy(values: Tensor, temperature: float) -> Tensor:
    """Log-probabilities of a softmax policy over Q-values, float32 [b, actions]."""
    return torch.log_softmax(values / temperature, dim=1)


def _soft_value(values: Tensor, temperature: float) -> Tensor:
    """The entropy-regularised value of a softmax policy over Q-values, float32 [b]."""
    return temperature * torch.logsumexp(values / temperature, dim=1)


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
