"""Q-networks that see the grid as an image."""

import torch
from torch import Tensor

from hamlet_trio.agent.networks.layers import (
    Network,
    Shapes,
    dueling,
    grid_convolution,
    grid_of,
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


class _GridAndMeters(Network):
    """Convolutions over the grid beside a perceptron over position and meters."""

    def __init__(self, spec: NetworkSpec, sizes: SpatialSizes | SpatialDuelingSizes) -> None:
        super().__init__(spec)
        self.grid_cnn = grid_convolution(sizes.channels, spec.width * spec.height, sizes.grid_features)
        self.meter_mlp = perceptron((SCALARS, *sizes.meter_features), last_relu=True)
        self.joined_features = sizes.grid_features + (SCALARS, *sizes.meter_features)[-1]

    def joined(self, observations: Tensor) -> Tensor:
        grid = run_through(self.grid_cnn, grid_of(observations, self.spec))
        return torch.cat((grid, run_through(self.meter_mlp, observations[:, :SCALARS])), dim=1)


class SpatialNetwork(_GridAndMeters):
    """Grid and meters joined by a perceptron that ends in the Q-values."""

    network_type = "spatial"
    parts = frozenset({"grid_cnn", "meter_mlp", "combined"})

    def __init__(self, spec: NetworkSpec, sizes: SpatialSizes) -> None:
        super().__init__(spec, sizes)
        self.combined = perceptron((self.joined_features, *sizes.combined, spec.num_actions), last_relu=False)

    def forward(self, observations: Tensor) -> Tensor:
        return run_through(self.combined, self.joined(observations))

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

    def forward(self, observations: Tensor) -> Tensor:
        features = run_through(self.feature_extractor, self.joined(observations))
        return dueling(run_through(self.value_stream, features), run_through(self.advantage_stream, features))

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
