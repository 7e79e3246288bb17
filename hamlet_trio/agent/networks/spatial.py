"""Q-networks that see the grid as an image."""

import torch
from torch import Tensor

from hamlet_trio.agent.networks.backprop import Chain, DuelingChains
from hamlet_trio.agent.networks.grid import GridBackprop, GridConvolution, GridNetwork
from hamlet_trio.agent.networks.layers import (
    Backprop,
    Shapes,
    dueling,
    grids_of,
    layer_outputs,
    perceptron,
    read_grid,
    read_streams,
    run_through,
)
from hamlet_trio.agent.networks.spec import (
    SCALARS,
    NetworkError,
    NetworkSpec,
    Sizes,
    SpatialDuelingSizes,
    SpatialSizes,
)


class _GridAndMeters(GridNetwork):
    """Convolutions over the grid beside a perceptron over position and meters."""

    def __init__(self, spec: NetworkSpec, sizes: SpatialSizes | SpatialDuelingSizes) -> None:
        super().__init__(spec)
        self.grid_cnn = GridConvolution(sizes.channels, spec.width, spec.height, sizes.grid_features)
        self.meter_mlp = perceptron((SCALARS, *sizes.meter_features), last_relu=True)
        self.joined_features = sizes.grid_features + (SCALARS, *sizes.meter_features)[-1]

    def joined(self, observations: Tensor, grid_features: Tensor) -> Tensor:
        return torch.cat((grid_features, run_through(self.meter_mlp, observations[:, :SCALARS])), dim=1)


class _GridAndMetersBackprop:
    """Through grid and meters, and the head that joins them."""

    def __init__(self, network: _GridAndMeters, head: Chain | DuelingChains) -> None:
        self._grid = GridBackprop(network.grid_cnn)
        self._meters = Chain(*network.meter_mlp, last_relu=True)
        self._head = head
        self._grid_features = network.grid_cnn.last.out_features

    def forward(self, preprocessed: Tensor) -> Tensor:
        """As in `Backprop`."""
        parts = (self._grid.forward(grids_of(preprocessed)), self._meters.forward(preprocessed[:, :SCALARS]))
        return self._head.forward(torch.cat(parts, dim=1))

    def backward(self, gradient: Tensor) -> None:
        """As in `Backprop`."""
        joined = self._head.backward(gradient, through=True)
        self._grid.backward(joined[:, : self._grid_features])
        self._meters.backward(joined[:, self._grid_features :])


class SpatialNetwork(_GridAndMeters):
    """Grid and meters joined by a perceptron that ends in the Q-values."""

    network_type = "spatial"
    parts = frozenset({"grid_cnn", "meter_mlp", "combined"})

    def __init__(self, spec: NetworkSpec, sizes: SpatialSizes) -> None:
        super().__init__(spec, sizes)
        self.combined = perceptron((self.joined_features, *sizes.combined, spec.num_actions), last_relu=False)

    def q_values(self, observations: Tensor, grid_features: Tensor) -> Tensor:
        """As in `GridNetwork`."""
        return run_through(self.combined, self.joined(observations, grid_features))

    def backprop(self) -> Backprop | None:
        """Return the written-out `forward` and gradients, on the CPU."""
        if not self.grid_cnn.on_cpu:
            return None
        return _GridAndMetersBackprop(self, Chain(*self.combined, last_relu=False))

    @staticmethod
    def read_shapes(shapes: Shapes) -> tuple[int, int, Sizes]:
        cells, channels, grid_features = read_grid(shapes)
        combined = layer_outputs(shapes, "combined")
        if not combined:
            raise NetworkError("The parameter combined.0.weight is missing.")
        sizes = SpatialSizes(
            channels=channels,
            grid_features=grid_features,
            meter_features=layer_outputs(shapes, "meter_mlp"),
            combined=combined[:-1],
        )
        return cells, combined[-1], sizes


class SpatialDuelingNetwork(_GridAndMeters):
    """Grid and meters joined, then a value and an advantage stream; Wang et al. 2016, section 3."""

    network_type = "spatial_dueling"
    parts = frozenset({"grid_cnn", "meter_mlp", "feature_extractor", "value_stream", "advantage_stream"})

    def __init__(self, spec: NetworkSpec, sizes: SpatialDuelingSizes) -> None:
        super().__init__(spec, sizes)
        last = (self.joined_features, *sizes.features)[-1]
        self.feature_extractor = perceptron((self.joined_features, *sizes.features), last_relu=True)
        self.value_stream = perceptron((last, *sizes.value_hidden, 1), last_relu=False)
        self.advantage_stream = perceptron((last, *sizes.advantage_hidden, spec.num_actions), last_relu=False)

    def q_values(self, observations: Tensor, grid_features: Tensor) -> Tensor:
        """As in `GridNetwork`."""
        features = run_through(self.feature_extractor, self.joined(observations, grid_features))
        return dueling(run_through(self.value_stream, features), run_through(self.advantage_stream, features))

    def backprop(self) -> Backprop | None:
        """Return the written-out `forward` and gradients, on the CPU."""
        if not self.grid_cnn.on_cpu:
            return None
        head = DuelingChains(
            Chain(*self.feature_extractor, last_relu=True),
            Chain(*self.value_stream, last_relu=False),
            Chain(*self.advantage_stream, last_relu=False),
        )
        return _GridAndMetersBackprop(self, head)

    @staticmethod
    def read_shapes(shapes: Shapes) -> tuple[int, int, Sizes]:
        cells, channels, grid_features = read_grid(shapes)
        actions, head = read_streams(shapes)
        sizes = SpatialDuelingSizes(
            channels=channels,
            grid_features=grid_features,
            meter_features=layer_outputs(shapes, "meter_mlp"),
            **head,
        )
        return cells, actions, sizes
