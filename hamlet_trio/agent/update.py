"""Gradient updates of a Q-network, and the target network that follows it."""

import math
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from hamlet_trio.agent.adam import Adam
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.networks import Network
from hamlet_trio.agent.replay import Batch

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
        self, config: LearnerConfig, network: Network, target: Network, device: torch.device
    ) -> None:
        parameters = list(network.parameters())
        self.optimizer = Adam(parameters, config.learning_rate)
        self.updates = 0
        self._config = config
        self._network = network
        self._target = target
        self._device = device
        self._parameters = parameters
        self._target_parameters = list(target.parameters())
        self._average = get_ema_multi_avg_fn(1 - config.tau)  # type: ignore[no-untyped-call]
        self._loss = nn.HuberLoss(reduction="none", delta=config.huber_delta)
        self._discounts = config.gamma ** np.arange(config.n_step + 1)

    def make(self, batch: Batch, updates: int) -> ChunkResult:
        """Make a few updates with an equal share of the batch each.

        Their targets are computed for all of them at once. Raises `DivergedError` when the loss is no finite
        number; the network is as before that update then.
        """
        size = len(batch.actions) // updates
        actions = torch.from_numpy(batch.actions).to(self._device).unsqueeze(1)
        weights = torch.from_numpy(batch.weights).to(self._device)
        with torch.no_grad():
            observed = self._network.prepare(torch.from_numpy(batch.observations).to(self._device))
            targets = self._targets(batch, observed, actions)
        losses = norms = 0.0
        q_values: list[Tensor] = []
        for first in range(0, updates * size, size):
            rows = slice(first, first + size)
            chosen = self._network.values(observed[rows]).gather(1, actions[rows]).squeeze(1)
            q_values.append(chosen.detach())
            loss, norm = self._descend((weights[rows] * self._loss(chosen, targets[rows])).mean())
            losses += loss
            norms += norm
        predicted, wanted = torch.stack((torch.cat(q_values), targets)).cpu().numpy()
        return ChunkResult(losses, norms, predicted, np.abs(predicted - wanted))

    def _descend(self, loss: Tensor) -> tuple[float, float]:
        """One update of the network, and the target network after it; returns loss and gradient norm."""
        self.optimizer.clear_gradients()
        loss.backward()  # type: ignore[no-untyped-call]
        # One transfer for both numbers: on CUDA each one waits for the whole update.
        gradient_norm = self.optimizer.gradient_norm()
        loss_value, norm = torch.stack((loss.detach(), gradient_norm)).tolist()
        if not (math.isfinite(loss_value) and math.isfinite(norm)):
            raise DivergedError(
                f"The loss is no finite number after {self.updates} updates; "
                "try a smaller learning_rate or gamma."
            )
        clip = self._config.gradient_clip
        if clip is not None and norm > clip:
            self.optimizer.clip_gradients(gradient_norm, clip)
        self.optimizer.step()
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
        config = self._config
        discounts = np.where(batch.terminated, 0.0, self._discounts[batch.steps]).astype(np.float32)
        following = self._network.prepare(torch.from_numpy(batch.next_observations).to(self._device))
        values = self._target.values(following)
        rewards = torch.from_numpy(batch.rewards).to(self._device)
        if config.munchausen > 0:
            value = _soft_value(values, config.munchausen_temperature)
            log_policy = _log_policy(self._target.values(observed), config.munchausen_temperature)
            bonus = (config.munchausen_temperature * log_policy.gather(1, actions)).squeeze(1)
            rewards = rewards + config.munchausen * bonus.clamp(config.munchausen_floor, 0.0)
        elif config.double:
            best = self._network.values(following).argmax(dim=1, keepdim=True)
            value = values.gather(1, best).squeeze(1)
        else:
            value = values.amax(dim=1)
        return rewards + torch.from_numpy(discounts).to(self._device) * value

    def _follow(self) -> None:
        """Let the target network follow the network."""
        if self._config.target_update == "soft":
            self._average(self._target_parameters, self._parameters, None)
        elif self.updates % self._config.target_period == 0:
            self._target.load_state_dict(self._network.state_dict())


def _log_policy(values: Tensor, temperature: float) -> Tensor:
    """Log-probabilities of a softmax policy over Q-values, float32 [b, actions]."""
    return torch.log_softmax(values / temperature, dim=1)


def _soft_value(values: Tensor, temperature: float) -> Tensor:
    """The entropy-regularised value of a softmax policy over Q-values, float32 [b]."""
    return temperature * torch.logsumexp(values / temperature, dim=1)
