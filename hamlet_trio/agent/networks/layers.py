"""Parts shared by the Q-networks, and the initialisation of weights."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks.spec import SCALARS, NetworkError, NetworkSpec, Sizes

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""Shapes of parameters by state-dict key."""

threshold_backward: Final = torch.ops.aten.threshold_backward.default
"""What autograd itself calls for the gradient of ReLU; torch has no public name for it."""


class Backprop(Protocol):
    """A Q-network's forward pass and the backward pass through the last one, written out without autograd."""

    def forward(self, preprocessed: Tensor) -> Tensor:
        """Return `Network.values` of encoded rows, up to rounding."""
        ...

    def backward(self, gradient: Tensor) -> None:
        """Write each parameter's gradient into its existing `grad`.

        `gradient` is that of the values of the first b rows of the last `forward`; the other rows are
        ignored.
        """
        ...


class Network(nn.Module, ABC):
    """A Q-network: observations float32 [n, observation_size] to Q-values float32 [n, num_actions]."""

    network_type: ClassVar[NetworkType]
    parts: ClassVar[frozenset[str]]
    """The first words of the state-dict keys, different for each type."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec

    @abstractmethod
    def forward(self, observations: Tensor) -> Tensor: ...

    def preprocess(self, observations: Tensor) -> Tensor:
        """Return the part of the computation that depends on no weight, row by row.

        A learner does it once for several updates and for both networks.
        """
        return observations

    @property
    def preprocessed_size(self) -> int | None:
        """Values in a preprocessed row, if replay buffers should hold those instead of observations."""
        return None

    def encode(self, rows: Tensor) -> Tensor:
        """Return the inputs of `values`, from preprocessed rows, without any weights."""
        return rows

    def values(self, encoded: Tensor) -> Tensor:
        """Return the values that are learnt, of actions or options, from encoded rows."""
        return self(encoded)

    def action_values(self, values: Tensor, rows: Tensor) -> Tensor:
        """Return the Q-values of actions from `values` and the preprocessed rows that they are of.

        `forward` is `action_values` of `values` of `encode` of `preprocess`.
        """
        return values

    def greedy(self, values: Tensor, rows: Tensor) -> NDArray[np.int64]:
        """Return the greedy actions [n], the first of equals, from `values` and the rows that they are of."""
        actions: NDArray[np.int64] = self.action_values(values, rows).argmax(dim=1).cpu().numpy()
        return actions

    def available(self, values: Tensor, rows: Tensor) -> Tensor:
        """Return the values with -inf in place of what cannot be chosen in a preprocessed row."""
        return values

    def backprop(self) -> Backprop | None:
        """Return the written-out `values` and gradients, for networks small enough to gain by them."""
        return None

    @staticmethod
    @abstractmethod
    def read_shapes(shapes: Shapes) -> tuple[int, int, Sizes]:
        """Return grid cells, actions and sizes that parameters of these shapes imply.

        Raises `NetworkError` where a needed shape is missing or impossible. It need not look at every
        parameter: the caller compares all shapes with those of a network built from the result.
        """

    def __call__(self, observations: Tensor) -> Tensor:
        result: Tensor = super().__call__(observations)
        return result

    def initialise(self, generator: torch.Generator) -> None:
        """Draw new weights as torch does by default, but from `generator` instead of the global one."""
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                draw_affine(module.weight, module.bias, math.prod(module.weight.shape[1:]), generator)
            elif isinstance(module, nn.LayerNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, SelfInitialising):
                module.draw(generator)


class SelfInitialising(ABC):
    """A module that draws its own parameters; `Network.initialise` draws those of its children."""

    @abstractmethod
    def draw(self, generator: torch.Generator) -> None:
        """Draw this module's own parameters."""


def draw_affine(weight: Tensor, bias: Tensor | None, fan_in: int, generator: torch.Generator) -> None:
    """Draw weight and bias uniformly from +-1/sqrt(fan_in), as torch initialises Linear and Conv2d."""
    bound = 1 / math.sqrt(fan_in)
    nn.init.uniform_(weight, -bound, bound, generator=generator)
    if bias is not None:
        nn.init.uniform_(bias, -bound, bound, generator=generator)


def perceptron(widths: Sequence[int], *, last_relu: bool) -> nn.Sequential:
    """Build linear layers from `widths[0]` on with ReLU between them and, optionally, after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*(layers if last_relu else layers[:-1]))


def run_through(layers: nn.Sequential, inputs: Tensor) -> Tensor:
    """Return the outputs of a `perceptron` or `GridConvolution`, equal to the bit to those of calling it.

    Calling each layer's module adds a fifth to the time of a small network.
    """
    for layer in layers:
        if isinstance(layer, nn.Linear):
            inputs = functional.linear(inputs, layer.weight, layer.bias)
        elif isinstance(layer, nn.ReLU):
            inputs = torch.relu(inputs)
        else:
            inputs = layer(inputs)
    return inputs


def grids_of(observations: Tensor) -> Tensor:
    """Return the grids [n, cells] of observations, row by row."""
    return observations[:, SCALARS:]


def dueling(value: Tensor, advantage: Tensor) -> Tensor:
    """Return Q-values from a value [n, 1] and advantages [n, actions]; Wang et al. 2016, equation 9."""
    return value + advantage - advantage.mean(dim=1, keepdim=True)


def layer_outputs(shapes: Shapes, part: str) -> tuple[int, ...]:
    """Return outputs of the layers `part`.0, `part`.2, ... of a `perceptron`, or channels of convolutions."""
    return tuple(_outputs(shapes, part))


def _outputs(shapes: Shapes, part: str) -> Iterator[int]:
    for index in itertools.count(0, 2):
        shape = shapes.get(f"{part}.{index}.weight")
        if shape is None:
            return
        if not shape:
            raise NetworkError(f"The parameter {part}.{index}.weight is a single number, not a matrix.")
        yield shape[0]


def dimension(shapes: Shapes, key: str, axis: int) -> int:
    """Return length of one axis of a parameter; `NetworkError` where there is no such parameter or axis."""
    shape = shapes.get(key)
    if shape is None:
        raise NetworkError(f"The parameter {key} is missing.")
    if axis >= len(shape):
        raise NetworkError(f"The parameter {key} has shape {list(shape)}, which has too few axes.")
    return shape[axis]


def read_grid(shapes: Shapes) -> tuple[int, tuple[int, ...], int]:
    """Return cells, channels and features of a `GridConvolution` called grid_cnn."""
    channels = layer_outputs(shapes, "grid_cnn")
    last = f"grid_cnn.{2 * len(channels) + 1}.weight"
    flat = dimension(shapes, last, 1)
    if not channels or channels[-1] < 1 or flat % channels[-1]:
        raise NetworkError(f"The parameter {last} does not fit the convolutions before it.")
    return flat // channels[-1], channels, dimension(shapes, last, 0)


def read_streams(shapes: Shapes) -> tuple[int, dict[str, Any]]:
    """Return actions, and the sizes `features`, `value_hidden` and `advantage_hidden` of a dueling head."""
    features = layer_outputs(shapes, "feature_extractor")
    value = layer_outputs(shapes, "value_stream")
    advantage = layer_outputs(shapes, "advantage_stream")
    if not (features and value and advantage):
        raise NetworkError(
            "The first layer of feature_extractor, value_stream or advantage_stream is missing."
        )
    return advantage[-1], {
        "features": features,
        "value_hidden": value[:-1],
        "advantage_hidden": advantage[:-1],
    }
