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

UPDATES_PER_CHUNK: Final = 8
"""Updates whose targets are computed together; the target network moves little in so few."""


class DivergedError(RuntimeError):
    """The loss or the gradient is no longer finite, so nothing further can be learnt."""


class ChunkResult(NamedTuple):
    """The sums over a chunk's updates of their losses and of the mean Q-values of the actions taken."""

    loss: float
    q_value: float


class States(NamedTuple):
    """States as the replay buffer holds them, and as `Network.encode` turns them into inputs."""

    rows: Tensor
    encoded: Tensor


class Updater:
    """Move a network towards its TD targets, and the target network towards the network.

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
        longest: int | None = None,
    ) -> None:
        """Make an updater of `network`; transitions span at most `longest` steps, by default `n_step`."""
        self._parameters: list[Tensor] = list(network.parameters())
        self._target_parameters: list[Tensor] = list(target.parameters())
        self.optimizer = Adam(self._parameters, config.learning_rate)
        self.updates = 0
        self._config = config
        self._network = network
        self._target = target
        self._fastest_target_values = fastest_values(target)
        self._device = device
        self._is_preprocessed = network.preprocessed_size is not None
        self._gradients = gradients_of(network, config.huber_delta)
        self._discounts = (config.gamma ** np.arange((longest or config.n_step) + 1)).astype(np.float32)

    def update(self, batch: TransitionBatch, updates: int) -> ChunkResult:
        """Make `updates` updates, each from an equal share of the batch.

        Their targets are computed together. Raises `DivergedError` when the loss is not finite; the network
        is then as it was before that update.
        """
        with self._gradients.computing():
            return self._update(batch, updates)

    def _update(self, batch: TransitionBatch, updates: int) -> ChunkResult:
        size = len(batch.actions) // updates
        actions = self._tensor(batch.actions).unsqueeze(1)
        states, next_states = self._states(batch.observations), self._states(batch.next_observations)
        next_values = None
        is_forward = self._config.double and not self._config.munchausen
        if is_forward:
            # Double DQN asks the network as it is before the first update for the actions in the next states.
            values = self._gradients.forward(states.encoded[:size], next_states.encoded)
            next_values = self._network.available(values[size:], next_states.rows)
        targets = self._targets(batch, actions, states, next_states, next_values)
        losses = 0.0
        q_values: list[Tensor] = []
        wanted = (targets, *self._wanted(actions, states, next_states))
        shares = (torch.split(each, size) for each in (states.encoded, *wanted))
        for encoded, *share in zip(*shares, strict=True):
            step = self._gradient(None if is_forward else encoded, *share)
            is_forward = False
            self._apply(step)
            losses += step.loss
            q_values.append(step.q_values)
        return ChunkResult(losses, torch.cat(q_values).mean().item() * updates)

    def _states(self, observations: NDArray[np.float32]) -> States:
        rows = self._tensor(observations)
        if not self._is_preprocessed:
            rows = self._network.preprocess(rows)
        return States(rows, self._network.encode(rows))

    def _wanted(self, actions: Tensor, states: States, next_states: States) -> tuple[Tensor, ...]:
        """Return what `_gradient` needs beside the targets, a row for each of the batch."""
        return (actions,)

    def _gradient(self, encoded: Tensor | None, targets: Tensor, *wanted: Tensor) -> GradientStep:
        """Compute the gradient of one update from its share; without `encoded` the forward pass is done."""
        if encoded is not None:
            self._gradients.forward(encoded)
        (actions,) = wanted
        return self._gradients.backward(actions, targets)

    def _targets(
        self,
        batch: TransitionBatch,
        actions: Tensor,
        states: States,
        next_states: States,
        next_values: Tensor | None,
    ) -> Tensor:
        """Return the targets, float32 [b], of the Q-values of the actions taken, int64 [b, 1].

        A target is the return of the spanned steps plus the discounted value of the next state, unless the
        episode terminated there. Double DQN chooses the next action with the network, by `next_values`, and
        values it with the target network (van Hasselt et al. 2016, equation 4). Plain DQN takes the target
        network's maximum. Munchausen DQN takes the soft value and adds the scaled log-policy of the action
        taken to the reward (Vieillard et al. 2020, equation 1).
        """
        config = self._config
        discounts = self._discounts.take(batch.steps)
        discounts[batch.terminated] = 0.0
        values = self._target_values(next_states)
        rewards = self._tensor(batch.rewards)
        if config.munchausen > 0:
            value = _soft_value(values, config.munchausen_temperature)
            log_policy = _log_policy(self._target_values(states), config.munchausen_temperature)
            bonus = (config.munchausen_temperature * log_policy.gather(1, actions)).squeeze(1)
            rewards = rewards + config.munchausen * bonus.clamp(config.munchausen_floor, 0.0)
        elif next_values is not None:
            value = values.gather(1, next_values.argmax(dim=1, keepdim=True)).squeeze(1)
        else:
            value = values.amax(dim=1)
        return rewards + self._tensor(discounts) * value

    def _target_values(self, states: States) -> Tensor:
        return self._network.available(self._fastest_target_values(states.encoded), states.rows)

    def _apply(self, step: GradientStep) -> None:
        """Move the network by its gradient, and the target network after it."""
        norm = step.gradient_norm
        if not (math.isfinite(step.loss) and math.isfinite(norm)):
            raise DivergedError(
                f"The loss is not finite after {self.updates} updates; try a smaller learning_rate or gamma."
            )
        gradients = self._gradients.tensors()
        limit = self._config.gradient_clip
        if limit is not None and norm > limit:
            clip(gradients, limit)
        self.optimizer.step(gradients)
        self.updates += 1
        self._update_target()

    def _update_target(self) -> None:
        """Move the target network towards the network."""
        if self._config.target_update == "soft":
            torch._foreach_lerp_(self._target_parameters, self._parameters, self._config.tau)
        elif self.updates % self._config.target_period == 0:
            self._target.load_state_dict(self._network.state_dict())

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self._device)


def fastest_values(network: Network) -> Callable[[Tensor], Tensor]:
    """Return `Network.values` without gradients, by the network's `Backprop` where it has one."""
    backprop = network.backprop()
    return network.values if backprop is None else backprop.forward


def _log_policy(values: Tensor, temperature: float) -> Tensor:
    """Return the log-probabilities [b, actions] of a softmax policy over Q-values."""
    return torch.log_softmax(values / temperature, dim=1)


def _soft_value(values: Tensor, temperature: float) -> Tensor:
    """Return the entropy-regularised value [b] of a softmax policy over Q-values."""
    return temperature * torch.logsumexp(values / temperature, dim=1)
