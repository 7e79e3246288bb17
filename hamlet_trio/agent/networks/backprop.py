"""Forward and backward passes through perceptrons without autograd.

For layers of this size autograd's bookkeeping takes several times as long as the computation. The gradients
are those of autograd, by the same kernels in the same order.
"""

import torch
from torch import Tensor, nn

from hamlet_trio.agent.networks.layers import dueling, threshold_backward


class Chain:
    """Linear layers with ReLU between them, as `layers.perceptron` makes them."""

    def __init__(self, *modules: nn.Module, last_relu: bool) -> None:
        linears = [module for module in modules if isinstance(module, nn.Linear)]
        self._weights = [layer.weight for layer in linears]
        self._transposed = [layer.weight.detach().t() for layer in linears]
        self._biases = [layer.bias for layer in linears]
        self._relus = [last_relu or layer is not linears[-1] for layer in linears]
        # The inputs of each layer, then the outputs of the last.
        self._activations: list[Tensor] = []

    def outputs_like(self) -> Tensor:
        """Return zeros in the shape of one row of outputs."""
        return torch.zeros_like(self._biases[-1], requires_grad=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs [n, outputs] of inputs [n, inputs]."""
        self._activations = [inputs]
        for weight, bias, relu in zip(self._transposed, self._biases, self._relus, strict=True):
            inputs = torch.addmm(bias, inputs, weight)
            if relu:
                torch.relu_(inputs)
            self._activations.append(inputs)
        return inputs

    def backward(self, gradient: Tensor, *, through: bool = False) -> Tensor:
        """As in `layers.Backprop`, from the gradient [b, outputs] of the outputs.

        Returns the gradient of the inputs with `through`.
        """
        rows = len(gradient)
        activations = self._activations
        if rows < len(activations[0]):
            activations = [activation[:rows] for activation in activations]
        for index in range(len(self._weights) - 1, -1, -1):
            weight, bias = self._weights[index], self._biases[index]
            assert weight.grad is not None
            assert bias.grad is not None
            if self._relus[index]:
                gradient = threshold_backward(gradient, activations[index + 1], 0)
            torch.mm(gradient.t(), activations[index], out=weight.grad)
            torch.sum(gradient, 0, out=bias.grad)
            if index or through:
                gradient = torch.mm(gradient, weight)
        return gradient


class PlainBackprop:
    """One chain, or two dueling ones, from preprocessed observations to Q-values."""

    def __init__(self, chain: "Chain | DuelingChains") -> None:
        self._chain = chain

    def forward(self, preprocessed: Tensor) -> Tensor:
        """As in `Backprop`."""
        return self._chain.forward(preprocessed)

    def backward(self, gradient: Tensor) -> None:
        """As in `Backprop`."""
        self._chain.backward(gradient)


def split_dueling(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of value [b, 1] and advantages [b, actions] from that of `layers.dueling`."""
    value = gradient.sum(dim=1, keepdim=True)
    return value, gradient - value / gradient.shape[1]


class DuelingBackprop:
    """One chain whose outputs are a value and the advantages."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def forward(self, preprocessed: Tensor) -> Tensor:
        """As in `Backprop`."""
        outputs = self._chain.forward(preprocessed)
        return dueling(outputs[:, :1], outputs[:, 1:])

    def backward(self, gradient: Tensor) -> None:
        """As in `Backprop`."""
        self._chain.backward(torch.cat(split_dueling(gradient), dim=1))


class DuelingChains:
    """A chain of features that feeds a chain for the value and one for the advantages."""

    def __init__(self, features: Chain, value: Chain, advantage: Chain) -> None:
        self._features, self._value, self._advantage = features, value, advantage

    def forward(self, preprocessed: Tensor) -> Tensor:
        """As in `Backprop`."""
        features = self._features.forward(preprocessed)
        return dueling(self._value.forward(features), self._advantage.forward(features))

    def backward(self, gradient: Tensor, *, through: bool = False) -> Tensor:
        """As in `Chain`, from the gradient [b, actions] of the Q-values."""
        value, advantage = split_dueling(gradient)
        by_value = self._value.backward(value, through=True)
        by_features = by_value + self._advantage.backward(advantage, through=True)
        return self._features.backward(by_features, through=through)
