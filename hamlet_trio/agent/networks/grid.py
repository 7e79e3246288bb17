"""Convolutions over the grid, as the products of matrices that they are, each grid of a batch once."""

import itertools
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hamlet_trio.agent.networks.layers import Network, grids_of, run_through, threshold_backward

_SIDE: Final = 3  # cells along a side of what a convolution looks at


class GridConvolution(nn.Sequential):
    """3 x 3 convolutions that keep the grid's shape, flattened into some features, all with ReLU.

    The layers hold the weights, under the keys of reference checkpoints: `0.weight` [channels, 1, 3, 3],
    `0.bias`, `2.weight` and so on, last the weight [features, channels * cells] of the features. They are
    called for a single grid, with autograd, in an export and on a GPU. Otherwise each different grid of a
    batch is convolved once; where one agent acts, its cell tells the grid, so there are few. And a
    convolution is computed as what it is, the product of an image's patches with the weights: for images so
    small, in half the time of the library's.
    """

    def __init__(self, channels: Sequence[int], width: int, height: int, features: int) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise((1, *channels)):
            layers += [nn.Conv2d(inputs, outputs, kernel_size=_SIDE, padding=1), nn.ReLU()]
        super().__init__(*layers, nn.Flatten(), nn.Linear(channels[-1] * width * height, features), nn.ReLU())
        self.width, self.height = width, height

    def forward(self, grids: Tensor) -> Tensor:
        """Return the features [n, features] of grids [n, cells]."""
        by_layers = torch.is_grad_enabled() or torch.compiler.is_exporting() or grids.device.type != "cpu"
        if by_layers or len(grids) == 1:
            return run_through(self, grids.reshape(-1, 1, self.height, self.width))
        distinct, places = distinct_rows(grids)
        return spread(self.convolve(distinct).features, places)

    def convolve(self, grids: Tensor) -> "Convolved":
        """Return the features of grids [u, cells] with the intermediate activations."""
        count, height, width = len(grids), self.height, self.width
        patches, outputs = [], []
        inputs = grids.view(count, height, width, 1)
        for convolution in self.convolutions:
            patches.append(patches_of(inputs))
            weight = convolution.weight.permute(0, 2, 3, 1).reshape(convolution.out_channels, -1)
            assert convolution.bias is not None
            outputs.append(torch.addmm(convolution.bias, patches[-1], weight.t()).relu_())
            inputs = outputs[-1].view(count, height, width, -1)
        flat = inputs.view(count, height * width, -1).transpose(1, 2).reshape(count, -1)
        last = self.last
        return Convolved(patches, outputs, flat, torch.addmm(last.bias, flat, last.weight.t()).relu_())

    @property
    def on_cpu(self) -> bool:
        """Whether the weights are on the CPU; a GPU is quicker with its library's convolutions."""
        return self.last.weight.device.type == "cpu"

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """The convolutions in order."""
        return [layer for layer in self if isinstance(layer, nn.Conv2d)]

    @property
    def last(self) -> nn.Linear:
        """The layer from the convolutions' outputs to the features."""
        layer = self[-2]
        assert isinstance(layer, nn.Linear)
        return layer


class GridNetwork(Network):
    """A Q-network that convolves the grid apart from the rest of an observation."""

    grid_cnn: GridConvolution

    def forward(self, observations: Tensor) -> Tensor:
        return self.q_values(observations, self.grid_cnn(grids_of(observations)))

    @abstractmethod
    def q_values(self, observations: Tensor, grid_features: Tensor) -> Tensor:
        """Return the Q-values [n, actions] of observations whose grids have the features [n, m]."""


class Convolved(NamedTuple):
    """What one pass over u grids went through."""

    patches: list[Tensor]
    """What each convolution multiplied, [u * cells, 9 * inputs]."""
    outputs: list[Tensor]
    """What each gave, [u * cells, channels]."""
    flat: Tensor
    """The last outputs, [u, channels * cells]."""
    features: Tensor
    """[u, features]."""


def distinct_rows(rows: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the distinct rows of [n, m] on the CPU, and the index [n], int64, of each row among them.

    They are in the order in which they first come. The places are None where that is all rows as they are.
    """
    if len(rows) == 1:
        return rows.contiguous(), None
    values = np.ascontiguousarray(rows.numpy())
    keys = keys_of(values)
    found: dict[bytes, int] = {}
    places = [found.setdefault(key, len(found)) for key in keys]
    if len(found) == len(keys):
        return torch.from_numpy(values), None
    distinct = torch.frombuffer(bytearray().join(found), dtype=rows.dtype).view(len(found), -1)
    return distinct, torch.tensor(places)


def keys_of(rows: NDArray[np.float32]) -> list[bytes]:
    """Return the bytes of each of the contiguous rows [n, m], as exact and fast keys."""
    strings: Any = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    keys: list[bytes] = strings.tolist()
    return keys


def spread(features: Tensor, places: Tensor | None) -> Tensor:
    """Return the features of each row from those of the distinct rows."""
    return features if places is None else features.index_select(0, places)


def patches_of(images: Tensor) -> Tensor:
    """Return the 3 x 3 patches [u * cells, 9 * c], zero-padded, of images [u, height, width, c]."""
    count, height, width, channels = images.shape
    framed = images.new_zeros((count, height + 2, width + 2, channels))
    framed[:, 1:-1, 1:-1] = images
    row = (width + 2) * channels
    # Three cells of a row lie side by side.
    windows = framed.as_strided(
        (count, height, width, _SIDE, _SIDE * channels), ((height + 2) * row, row, channels, row, 1)
    )
    return windows.reshape(count * height * width, -1)


class GridBackprop:
    """Through a `GridConvolution` on the CPU, forward and back, without autograd."""

    def __init__(self, convolution: GridConvolution) -> None:
        self._convolution = convolution
        self._layers, self._last = convolution.convolutions, convolution.last
        self._places: Tensor | None = None
        self._went: Convolved

    def forward(self, grids: Tensor) -> Tensor:
        """Return the features [n, features] of grids [n, cells]."""
        distinct, self._places = distinct_rows(grids)
        self._went = self._convolution.convolve(distinct)
        return spread(self._went.features, self._places)

    def backward(self, gradient: Tensor) -> None:
        """As in `layers.Backprop`, from the gradient [b, features] of the first features."""
        went, height, width = self._went, self._convolution.height, self._convolution.width
        count = len(gradient)
        if self._places is not None:
            # The grids of the first rows come first.
            places = self._places[:count]
            count = int(places.max()) + 1
            gradient = gradient.new_zeros((count, gradient.shape[1])).index_add_(0, places, gradient)
        gradient = threshold_backward(gradient, went.features[:count], 0)
        _write(self._last, gradient.t().mm(went.flat[:count]), gradient)
        # From channel by channel to cell by cell.
        gradient = gradient.mm(self._last.weight).view(count, -1, height * width).transpose(1, 2)
        rows = count * height * width
        gradient = gradient.reshape(rows, -1)
        for index in range(len(self._layers) - 1, -1, -1):
            layer = self._layers[index]
            inputs, outputs = layer.in_channels, layer.out_channels
            gradient = threshold_backward(gradient, went.outputs[index][:rows], 0)
            of_weight = gradient.t().mm(went.patches[index][:rows])
            _write(layer, of_weight.view(outputs, _SIDE, _SIDE, inputs).permute(0, 3, 1, 2), gradient)
            if index:
                # What a cell gave to its neighbours comes back from them: the weights turned about.
                turned = layer.weight.flip(2, 3).permute(2, 3, 0, 1).reshape(-1, inputs)
                gradient = patches_of(gradient.view(count, height, width, outputs)).mm(turned)


def _write(layer: nn.Conv2d | nn.Linear, of_weight: Tensor, of_outputs: Tensor) -> None:
    """Write a layer's gradients: its weight's, and its bias's, which is that of its outputs summed up."""
    assert layer.bias is not None
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None
    layer.weight.grad.copy_(of_weight)
    torch.sum(of_outputs, 0, out=layer.bias.grad)
