"""A Q-network in which the six meters attend to one another."""

import math

import torch
from torch import Tensor, nn

from hamlet_trio.agent.networks.backprop import Chain, DuelingChains
from hamlet_trio.agent.networks.grid import GridBackprop, GridConvolution, GridNetwork
from hamlet_trio.agent.networks.layers import (
    Backprop,
    Shapes,
    dimension,
    dueling,
    grids_of,
    layer_outputs,
    perceptron,
    read_grid,
    read_streams,
    run_through,
)
from hamlet_trio.agent.networks.meters import MeterAttention, MeterBackprop, MeterEmbeddings
from hamlet_trio.agent.networks.spec import SCALARS, NetworkSpec, RelationalSizes, Sizes

DEFAULT_HEADS = 4


class RelationalNetwork(GridNetwork):
    """Embedded meters attend to one another and are averaged, then joined with position and grid; dueling."""

    network_type = "relational"
    parts = frozenset(
        {
            "meter_embeddings",
            "meter_attention",
            "attention_norm",
            "meter_ffn",
            "position_embed",
            "grid_cnn",
            "feature_extractor",
            "value_stream",
            "advantage_stream",
        }
    )

    def __init__(self, spec: NetworkSpec, sizes: RelationalSizes) -> None:
        super().__init__(spec)
        self.meter_embeddings = MeterEmbeddings(sizes.embedding_hidden, sizes.embedding)
        self.meter_attention = MeterAttention(sizes.embedding, sizes.heads)
        self.attention_norm = nn.LayerNorm(sizes.embedding)
        self.meter_ffn = perceptron((sizes.embedding, sizes.feed_forward, sizes.embedding), last_relu=True)
        self.position_embed = perceptron((2, *sizes.position_features), last_relu=False)
        self.grid_cnn = GridConvolution(sizes.channels, spec.width, spec.height, sizes.grid_features)
        joined = sizes.embedding + (2, *sizes.position_features)[-1] + sizes.grid_features
        last = (joined, *sizes.features)[-1]
        self.feature_extractor = perceptron((joined, *sizes.features), last_relu=True)
        self.value_stream = perceptron((last, *sizes.value_hidden, 1), last_relu=False)
        self.advantage_stream = perceptron((last, *sizes.advantage_hidden, spec.num_actions), last_relu=False)

    def q_values(self, observations: Tensor, grid_features: Tensor) -> Tensor:
        """As in `GridNetwork`."""
        return self._forward(observations, grid_features)[0]

    def q_and_attention(self, observations: Tensor, grid_features: Tensor) -> tuple[Tensor, Tensor]:
        """Return `q_values` and the attention [n, 6, 6] averaged over heads; a row is an attending meter."""
        q_values, weights = self._forward(observations, grid_features)
        return q_values, weights.mean(dim=1)

    def _forward(self, observations: Tensor, grid_features: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.meter_embeddings(observations[:, 2:SCALARS])
        attended, weights = self.meter_attention(tokens)
        meters = run_through(self.meter_ffn, self.attention_norm(tokens + attended)).mean(dim=0)
        position = run_through(self.position_embed, observations[:, :2])
        joined = torch.cat((meters, position, grid_features), dim=1)
        features = run_through(self.feature_extractor, joined)
        value = run_through(self.value_stream, features)
        return dueling(value, run_through(self.advantage_stream, features)), weights

    def backprop(self) -> Backprop | None:
        """Return the written-out `forward` and gradients, on the CPU."""
        return RelationalBackprop(self) if self.grid_cnn.on_cpu else None

    @staticmethod
    def read_shapes(shapes: Shapes) -> tuple[int, int, Sizes]:
        cells, channels, grid_features = read_grid(shapes)
        actions, head = read_streams(shapes)
        embedding = dimension(shapes, "meter_attention.in_proj_weight", 1)
        sizes = RelationalSizes(
            embedding_hidden=dimension(shapes, "meter_embeddings.0.0.weight", 0),
            embedding=embedding,
            # Keys do not tell the heads: reference checkpoints have four, ours say it in their metadata.
            heads=math.gcd(embedding, DEFAULT_HEADS) or 1,
            feed_forward=dimension(shapes, "meter_ffn.0.weight", 0),
            position_features=layer_outputs(shapes, "position_embed"),
            channels=channels,
            grid_features=grid_features,
            **head,
        )
        return cells, actions, sizes


class RelationalBackprop:
    """Through meters, position and grid, and the dueling head that joins them."""

    def __init__(self, network: RelationalNetwork) -> None:
        self._meters = MeterBackprop(
            network.meter_embeddings, network.meter_attention, network.attention_norm, network.meter_ffn
        )
        self._position = Chain(*network.position_embed, last_relu=False)
        self._grid = GridBackprop(network.grid_cnn)
        self._head = DuelingChains(
            Chain(*network.feature_extractor, last_relu=True),
            Chain(*network.value_stream, last_relu=False),
            Chain(*network.advantage_stream, last_relu=False),
        )
        self._widths: list[int] = []

    def forward(self, preprocessed: Tensor) -> Tensor:
        """As in `Backprop`."""
        parts = (
            self._meters.forward(preprocessed[:, 2:SCALARS]),
            self._position.forward(preprocessed[:, :2]),
            self._grid.forward(grids_of(preprocessed)),
        )
        self._widths = [part.shape[1] for part in parts]
        return self._head.forward(torch.cat(parts, dim=1))

    def backward(self, gradient: Tensor) -> None:
        """As in `Backprop`."""
        meters, position, grid = torch.split(self._head.backward(gradient, through=True), self._widths, dim=1)
        self._meters.backward(meters)
        self._position.backward(position)
        self._grid.backward(grid)
