"""The gradient of a Q-network's loss, by autograd or by the network's written-out backpropagation."""

from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from hamlet_trio.agent.networks import Network
from hamlet_trio.agent.networks.layers import Backprop

_ALIGNMENT: Final = 16
"""float32 numbers in a cache line."""


class GradientStep(NamedTuple):
    """One gradient: the loss, the gradient's norm, and the Q-values [n] of the actions taken."""

    loss: float
    gradient_norm: float
    q_values: Tensor


class Gradients(Protocol):
    """Forward and backward passes through a network for the loss of its Q-values.

    The loss is the mean Huber loss (Huber 1964, with slope `delta`). Call all methods within `computing`.
    """

    def computing(self) -> AbstractContextManager[None]:
        """Return the context in which whole updates are made."""
        ...

    def forward(self, states: Tensor, others: Tensor | None = None) -> Tensor:
        """Return the Q-values [n + m, actions] of n preprocessed states to learn from and of m others."""
        ...

    def backward(self, actions: Tensor, targets: Tensor) -> GradientStep:
        """Compute the gradient of the loss over the n states of the last `forward`.

        `actions` int64 [n, 1], `targets` float32 [n].
        """
        ...

    def tensors(self) -> list[Tensor]:
        """Return the last gradient, one tensor a parameter."""
        ...


def gradients_of(network: Network, delta: float) -> Gradients:
    """Return the written-out gradients where the network has a `Backprop`, else those of autograd."""
    backprop = network.backprop()
    return (
        AutogradGradients(network, delta) if backprop is None else ManualGradients(network, backprop, delta)
    )


def norm_of(gradients: list[Tensor]) -> Tensor:
    """Return the Euclidean norm of all gradients together, a float32 scalar."""
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    return norm


def clip(gradients: list[Tensor], limit: float) -> None:
    """Shrink gradients of a larger norm to `limit`, as `nn.utils.clip_grad_norm_` does."""
    torch._foreach_mul_(gradients, limit / (norm_of(gradients) + 1e-6))


class AutogradGradients:
    """Gradients by autograd, for any network."""

    def __init__(self, network: Network, delta: float) -> None:
        self._network = network
        self._delta = delta
        self._parameters = list(network.parameters())
        self._values = torch.empty(0)

    def computing(self) -> AbstractContextManager[None]:
        """As in `Gradients`."""
        return torch.no_grad()

    def forward(self, states: Tensor, others: Tensor | None = None) -> Tensor:
        """As in `Gradients`."""
        with torch.enable_grad():
            self._values = self._network.values(states)
        values = self._values.detach()
        return values if others is None else torch.cat((values, self._network.values(others)))

    def backward(self, actions: Tensor, targets: Tensor) -> GradientStep:
        """As in `Gradients`."""
        with torch.enable_grad():
            chosen = self._values.gather(1, actions).squeeze(1)
            loss = functional.huber_loss(chosen, targets, delta=self._delta)
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        # One transfer for both numbers: on CUDA each one waits for the whole update.
        found, norm = torch.stack((loss.detach(), norm_of(self.tensors()))).tolist()
        return GradientStep(found, norm, chosen.detach())

    def tensors(self) -> list[Tensor]:
        """As in `Gradients`."""
        return [parameter.grad for parameter in self._parameters if parameter.grad is not None]


class ManualGradients:
    """Gradients by a network's `Backprop`: the same values with a fraction of the calls.

    Each parameter's `grad` is a view of one tensor that this object keeps.
    """

    def __init__(self, network: Network, backprop: Backprop, delta: float) -> None:
        self._backprop = backprop
        self._delta = delta
        parameters = list(network.parameters())
        ends = [0]
        for parameter in parameters:
            # Each starts on a cache line, as a tensor of its own would.
            ends.append(ends[-1] + -(-parameter.numel() // _ALIGNMENT) * _ALIGNMENT)
        self._all = torch.zeros(ends[-1], device=parameters[0].device)
        self._tensors = [
            self._all[start : start + parameter.numel()].view_as(parameter)
            for start, parameter in zip(ends[:-1], parameters, strict=True)
        ]
        for parameter, gradient in zip(parameters, self._tensors, strict=True):
            parameter.grad = gradient
        self._values = torch.empty(0)

    def computing(self) -> AbstractContextManager[None]:
        """As in `Gradients`."""
        return torch.inference_mode()

    def forward(self, states: Tensor, others: Tensor | None = None) -> Tensor:
        """As in `Gradients`."""
        rows = states if others is None else torch.cat((states, others))
        self._values = self._backprop.forward(rows)
        return self._values

    def backward(self, actions: Tensor, targets: Tensor) -> GradientStep:
        """As in `Gradients`."""
        count = len(actions)
        values = self._values if len(self._values) == count else self._values[:count]
        chosen = values.gather(1, actions).squeeze(1)
        loss, shares = self._value_gradient(chosen, targets)
        self._backprop.backward(torch.zeros_like(values).scatter_(1, actions, shares.unsqueeze(1)))
        return self._step(loss, chosen)

    def _value_gradient(self, values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of values [n] and its gradient [n] by them."""
        errors = values - targets
        # The slope of the Huber loss is the error clamped to delta; the loss is slope * (error - slope / 2).
        slopes = errors.clamp(-self._delta, self._delta)
        shares = slopes / len(values)
        return torch.dot(shares, torch.sub(errors, slopes, alpha=0.5)), shares

    def _step(self, loss: Tensor, chosen: Tensor) -> GradientStep:
        return GradientStep(loss.item(), torch.linalg.vector_norm(self._all).item(), chosen)

    def tensors(self) -> list[Tensor]:
        """As in `Gradients`."""
        return self._tensors
