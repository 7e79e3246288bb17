"""Gradient updates of a Q-network, and the target network that follows it."""

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hamlet_trio.agent.adam import Adam
from hamlet_trio.agent.gradients import GradientStep, clip, gradients_of
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.networks import Network
from hamlet_trio.agent.replay_buffer import TransitionBatch

CHUNK: Final = 8
"""Updates that share one computation of their targets; the target network moves little in so few."""


class DivergedError(RuntimeError):
    """The loss or the gradient is not a finite number any more, so nothing further can be learnt."""


class ChunkResult(NamedTuple):
    """What a few updates were like: `loss` and `gradient_norm` added up, and what each transition said.

    `q_values` are those of the actions taken, `td_errors` how far they were from their targets, both (n,)
    float32.
    """

    loss: float
    gradient_norm: float
    q_values: NDArray[np.float32]
    td_errors: NDArray[np.float32]


class Updater:
    """Moves a network towards TD targets and lets its target network follow.

    Attributes:
        optimizer: the optimiser of the network's parameters.
        updates: gradient updates made so far.
    """

    def __init__(
        self,
        config: LearnerConfig,
        network: Network,
        target: Network,
        device: torch.device,
        *,
        is_prepared: bool,
    ) -> None:
        """Batches hold what the network prepares of observations if `is_prepared`, else observations."""
        self._parameters: list[Tensor] = list(network.parameters())
        self._target_parameters: list[Tensor] = list(target.parameters())
        self.optimizer = Adam(self._parameters, config.learning_rate)
        self.updates = 0
        self._config = config
        self._network = network
        self._target = target
        self._target_values = quickest_values(target)
        self._device = device
        self._is_prepared = is_prepared
        self._gradients = gradients_of(network, config.huber_delta)
        self._discounts = (config.gamma ** np.arange(config.n_step + 1)).astype(np.float32)

    def make(self, batch: TransitionBatch, updates: int) -> ChunkResult:
        """Make a few updates with an equal share of the batch each.

        Their targets are computed for all of them at once. Raises `DivergedError` when the loss is no finite
        number; the network is as before that update then.
        """
        with self._gradients.computing():
            return self._make(batch, updates)

    def _make(self, batch: TransitionBatch, updates: int) -> ChunkResult:
        size = len(batch.actions) // updates
        actions = self._tensor(batch.actions).unsqueeze(1)
        observed = self._tensor(batch.observations)
        following = self._tensor(batch.next_observations)
        if not self._is_prepared:
            observed, following = self._network.prepare(observed), self._network.prepare(following)
        parts = _parts(observed, size)
        # Until the first update the network is the one that Double DQN asks.
        asks = self._config.double and not self._config.munchausen
        values = self._gradients.forward(parts[0], following if asks else None)
        targets = self._targets(batch, actions, observed, following, values[size:])
        losses = norms = 0.0
        q_values: list[Tensor] = []
        for index, (rows, *wanted) in enumerate(
            zip(
                parts,
                _parts(actions, size),
                _parts(targets, size),
                _parts(self._tensor(batch.weights), size),
                strict=True,
            )
        ):
            if index:
                self._gradients.forward(rows)
            descent = self._gradients.backward(*wanted)
            self._descend(descent)
            losses += descent.loss
            norms += descent.gradient_norm
            q_values.append(descent.q_values)
        predicted, wished = torch.stack((torch.cat(q_values), targets)).cpu().numpy()
        return ChunkResult(losses, norms, predicted, np.abs(predicted - wished))

    def _descend(self, descent: GradientStep) -> None:
        """Move the network by its gradient, and the target network after it."""
        norm = descent.gradient_norm
        if not (math.isfinite(descent.loss) and math.isfinite(norm)):
            raise DivergedError(
                f"The loss is no finite number after {self.updates} updates; "
                "try a smaller learning_rate or gamma."
            )
        gradients = self._gradients.tensors()
        limit = self._config.gradient_clip
        if limit is not None and norm > limit:
            clip(gradients, limit)
        self.optimizer.step(gradients)
        self.updates += 1
        self._follow()

    def _targets(
        self, batch: TransitionBatch, actions: Tensor, observed: Tensor, following: Tensor, ahead: Tensor
    ) -> Tensor:
        """What the Q-values of the actions taken, int64 [b, 1], should have been, float32 [b].

        Return of the spanned steps plus the discounted value of where they led, unless it terminated there.
        Double DQN chooses the action there with the network, by its Q-values `ahead`, and values it with the
        target network (van Hasselt et al. 2016, equation 4); plain DQN takes the target network's maximum;
        Munchausen DQN the soft value, and rewards an action for being likely (Vieillard et al. 2020, equation
        1).
        """
        config = self._config
        discounts = self._discounts.take(batch.steps)
        discounts[batch.terminated] = 0.0
        values = self._target_values(following)
        rewards = self._tensor(batch.rewards)
        if config.munchausen > 0:
            value = _soft_value(values, config.munchausen_temperature)
            log_policy = _log_policy(self._target_values(observed), config.munchausen_temperature)
            bonus = (config.munchausen_temperature * log_policy.gather(1, actions)).squeeze(1)
            rewards = rewards + config.munchausen * bonus.clamp(config.munchausen_floor, 0.0)
        elif config.double:
            value = values.gather(1, ahead.argmax(dim=1, keepdim=True)).squeeze(1)
        else:
            value = values.amax(dim=1)
        return rewards + self._tensor(discounts) * value

    def _follow(self) -> None:
        """Let the target network follow the network."""
        if self._config.target_update == "soft":
            torch._foreach_lerp_(self._target_parameters, self._parameters, self._config.tau)
        elif self.updates % self._config.target_period == 0:
            self._target.load_state_dict(self._network.state_dict())

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self._device)


def quickest_values(network: Network) -> Callable[[Tensor], Tensor]:
    """`Network.values` without a gradient, written out where the network has its passes so."""
    passes = network.passes()
    return network.values if passes is None else passes.forward


def _parts(tensor: Tensor, size: int) -> tuple[Tensor, ...]:
    """Rows of so many at a time, at no cost if that is all of them."""
    return (tensor,) if len(tensor) == size else torch.split(tensor, size)


def _log_policy(values: Tensor, temperature: float) -> Tensor:
    """Log-probabilities of a softmax policy over Q-values, float32 [b, actions]."""
    return torch.log_softmax(values / temperature, dim=1)


def _soft_value(values: Tensor, temperature: float) -> Tensor:
    """The entropy-regularised value of a softmax policy over Q-values, float32 [b]."""
    return temperature * torch.logsumexp(values / temperature, dim=1)
