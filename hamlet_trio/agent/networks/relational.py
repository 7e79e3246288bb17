"""A Q-network in which the six meters attend to one another."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hamlet_trio.agent.networks.layers import (
    Network,
    SelfInitialising,
    Shapes,
    dimension,
    draw_affine,
    dueling,
    grid_convolution,
    grid_of,
    layer_outputs,
    perceptron,
    read_grid,
    read_streams,
    run_through,
)
from hamlet_trio.agent.networks.spec import SCALARS, NetworkSpec, RelationalSizes, Sizes
from hamlet_trio.world import METERS

_METERS = len(METERS)

DEFAULT_HEADS = 4


class MeterEmbeddings(nn.Module, SelfInitialising):
    """One small perceptron a meter, [n, 6] to [n, 6, embedding].

    The six are held as one batch, so that a forward pass is two products instead of twelve. In a state dict
    they stand apart as in reference checkpoints: `0.0.weight` [hidden, 1], `0.0.bias`, `0.2.weight`
    [embedding, hidden], `0.2.bias`, `1.0.weight` and so on.
    """

    _KEYS = (
        ("0.weight", "weight_in"),
        ("0.bias", "bias_in"),
        ("2.weight", "weight_out"),
        ("2.bias", "bias_out"),
    )

    def __init__(self, hidden: int, embedding: int) -> None:
        super().__init__()
        self.weight_in = nn.Parameter(torch.empty(_METERS, hidden, 1))
        self.bias_in = nn.Parameter(torch.empty(_METERS, hidden))
        self.weight_out = nn.Parameter(torch.empty(_METERS, embedding, hidden))
        self.bias_out = nn.Parameter(torch.empty(_METERS, embedding))

    def forward(self, meters: Tensor) -> Tensor:
        # [meter, n, hidden] throughout, the layout of batched products.
        hidden = torch.relu(
            meters.t().unsqueeze(2) * self.weight_in.transpose(1, 2) + self.bias_in.unsqueeze(1)
        )
        return torch.baddbmm(self.bias_out.unsqueeze(1), hidden, self.weight_out.transpose(1, 2)).transpose(
            0, 1
        )

    def draw(self, generator: torch.Generator) -> None:
        draw_affine(self.weight_in, self.bias_in, 1, generator)
        draw_affine(self.weight_out, self.bias_out, self.weight_out.shape[2], generator)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        for meter in range(_METERS):
            for key, name in self._KEYS:
                parameter = getattr(self, name)
                destination[f"{prefix}{meter}.{key}"] = (parameter if keep_vars else parameter.detach())[
                    meter
                ]

    def _load_from_state_dict(  # noqa: PLR0917 (torch's signature)
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        for meter in range(_METERS):
            for key, name in self._KEYS:
                whole = f"{prefix}{meter}.{key}"
                if whole not in state_dict:
                    missing_keys.append(whole)
                    continue
                target = getattr(self, name).detach()[meter]
                if state_dict[whole].shape != target.shape:
                    error_msgs.append(
                        f"{whole} has shape {list(state_dict[whole].shape)}, not {list(target.shape)}"
                    )
                    continue
                target.copy_(state_dict[whole])
        known = {f"{prefix}{meter}.{key}" for meter in range(_METERS) for key, _ in self._KEYS}
        unexpected_keys.extend(key for key in state_dict if key.startswith(prefix) and key not in known)


class MeterAttention(nn.Module, SelfInitialising):
    """Multi-head self-attention; Vaswani et al. 2017, section 3.2. Keys as in nn.MultiheadAttention."""

    def __init__(self, embedding: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embedding, embedding))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * embedding))
        self.out_proj = nn.Linear(embedding, embedding)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """[n, t, embedding] to the attended tokens of the same shape and weights [n, heads, t, t]."""
        n, t, embedding = tokens.shape
        heads, size = self.heads, embedding // self.heads
        projected = functional.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        # One copy into the layout of batched products, [3, n * heads, t, size], in place of one for each.
        query, key, value = (
            projected.view(n, t, 3, heads, size)
            .permute(2, 0, 3, 1, 4)
            .reshape(3, n * heads, t, size)
            .unbind()
        )
        nothing = query.new_empty(())
        scores = torch.baddbmm(nothing, query, key.transpose(1, 2), beta=0, alpha=1 / math.sqrt(size))
        weights = torch.softmax(scores, dim=2)
        attended = torch.bmm(weights, value).view(n, heads, t, size).transpose(1, 2).reshape(n, t, embedding)
        out = functional.linear(attended, self.out_proj.weight, self.out_proj.bias)
        return out, weights.view(n, heads, t, t)

    def draw(self, generator: torch.Generator) -> None:
        nn.init.xavier_uniform_(self.in_proj_weight, generator=generator)
        nn.init.zeros_(self.in_proj_bias)


class RelationalNetwork(Network):
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
        self.grid_cnn = grid_convolution(sizes.channels, spec.width * spec.height, sizes.grid_features)
        joined = sizes.embedding + (2, *sizes.position_features)[-1] + sizes.grid_features
        last = (joined, *sizes.features)[-1]
        self.feature_extractor = perceptron((joined, *sizes.features), last_relu=True)
        self.value_stream = perceptron((last, *sizes.value_hidden, 1), last_relu=False)
        self.advantage_stream = perceptron((last, *sizes.advantage_hidden, spec.num_actions), last_relu=False)

    def forward(self, observations: Tensor) -> Tensor:
        return self._forward(observations)[0]

    def q_and_attention(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Q-values [n, actions], and attention [n, 6, 6] averaged over heads: row, the meter that looks."""
        q_values, weights = self._forward(observations)
        return q_values, weights.mean(dim=1)

    def _forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        embedded = self.meter_embeddings(observations[:, 2:SCALARS])
        attended, weights = self.meter_attention(embedded)
        meters = run_through(self.meter_ffn, self.attention_norm(embedded + attended)).mean(dim=1)
        position = run_through(self.position_embed, observations[:, :2])
        grid = run_through(self.grid_cnn, grid_of(observations, self.spec))
        features = run_through(self.feature_extractor, torch.cat((meters, position, grid), dim=1))
        value = run_through(self.value_stream, features)
        return dueling(value, run_through(self.advantage_stream, features)), weights

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
