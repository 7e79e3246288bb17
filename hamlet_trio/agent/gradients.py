"""The gradient of a Q-network's loss: by autograd, or written out for networks that have that."""

from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from hamlet_trio.agent.networks import Network
from hamlet_trio.agent.networks.layers import Passes

_ALIGNMENT: Final = 16
"""Numbers in a cache line."""


class GradientStep(NamedTuple):
    """What one gradient was like: the loss, its norm, and the Q-values [n] of the actions taken."""

    loss: float
    gradient_norm: float
    q_values: Tensor


class Gradients(Protocol):
    """Passes through a network, and the gradient of the loss of its Q-values.

    The loss is the mean of Huber losses (Huber 1964, with slope `delta`), each times the weight of its
    transition. All methods are called within `computing`.
    """

    def computing(self) -> AbstractContextManager[None]:
        """What surrounds whole updates."""
        ...

    def forward(self, observed: Tensor, beside: Tensor | None = None) -> Tensor:
        """Q-values [n + m, actions] of n prepared observations to learn from, and of m others beside them."""
        ...

    def backward(self, actions: Tensor, targets: Tensor, weights: Tensor) -> GradientStep:
        """The gradient of the loss of the last `forward`'s n rows.

        `actions` int64 [n, 1], `targets` float32 [n], `weights` float32 [n].
        """
        ...

    def tensors(self) -> list[Tensor]:
        """The last gradient, by parameter."""
        ...


def gradients_of(network: Network, delta: float) -> Gradients:
    """Written out where the network has its passes so, else by autograd."""
    passes = network.passes()
    return AutogradGradients(network, delta) if passes is None else PassesGradients(network, passes, delta)


def norm_of(gradients: list[Tensor]) -> Tensor:
    """The Euclidean norm of all gradients together, a float32 scalar."""
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    return norm


def clip(gradients: list[Tensor], limit: float) -> None:
    """Shrink gradients whose norm is larger to this norm, as `nn.utils.clip_grad_norm_` does."""
    torch._foreach_mul_(gradients, limit / (norm_of(gradients) + 1e-6))


class AutogradGradients:
    """By autograd, for any network."""

    def __init__(self, network: Network, delta: float) -> None:
        self._network = network
        self._delta = delta
        self._parameters = list(network.parameters())
        self._values = torch.empty(0)

    def computing(self) -> AbstractContextManager[None]:
        """As in `Gradients`."""
        return torch.no_grad()

    def forward(self, observed: Tensor, beside: Tensor | None = None) -> Tensor:
        """As in `Gradients`."""
        with torch.enable_grad():
            self._values = self._network.values(observed)
        values = self._values.detach()
        return values if beside is None else torch.cat((values, self._network.values(beside)))

    def backward(self, actions: Tensor, targets: Tensor, weights: Tensor) -> GradientStep:
        """As in `Gradients`."""
        with torch.enable_grad():
            chosen = self._values.gather(1, actions).squeeze(1)
            losses = functional.huber_loss(chosen, targets, reduction="none", delta=self._delta)
            loss = (weights * losses).mean()
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        # One transfer for both numbers: on CUDA each one waits for the whole update.
        found, norm = torch.stack((loss.detach(), norm_of(self.tensors()))).tolist()
        return GradientStep(found, norm, chosen.detach())

    def tensors(self) -> list[Tensor]:
        """As in `Gradients`."""
        return [parameter.grad for parameter in self._parameters if parameter.grad is not None]


class PassesGradients:
    """By a network's `Passes`: the same gradients with a fraction of the calls.

    Each parameter's `grad` is a part of one tensor for the whole life of this object.
    """

    def __init__(self, network: Network, passes: Passes, delta: float) -> None:
        self._passes = passes
        self._delta = delta
        parameters = list(network.parameters())
        ends = [0]
        for parameter in parameters:
            # Each begins a cache line, as a tensor of its own does.
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

    def forward(self, observed: Tensor, beside: Tensor | None = None) -> Tensor:
        """As in `Gradients`."""
        rows = observed if beside is None else torch.cat((observed, beside))
        self._values = self._passes.forward(rows)
        return self._values

    def backward(self, actions: Tensor, targets: Tensor, weights: Tensor) -> GradientStep:
        """As in `Gradients`."""
        count = len(actions)
        values = self._values if len(self._values) == count else self._values[:count]
        chosen = values.gather(1, actions).squeeze(1)
        errors = chosen - targets
        # The slope of the Huber loss is the error within delta, and its loss that slope times the error less
        # half the slope.
        slopes = errors.clamp(-self._delta, self._delta)
        shares = slopes * (weights / count)
        loss = torch.dot(shares, torch.sub(errors, slopes, alpha=0.5))
        gradient = torch.zeros_like(values).scatter_(1, actions, shares.unsqueeze(1))
        self._passes.backward(gradient)
        return GradientStep(loss.item(), torch.linalg.vector_norm(self._all).item(), chosen)

    def tensors(self) -> list[Tensor]:
        """As in `Gradients`."""
        return self._tensors
