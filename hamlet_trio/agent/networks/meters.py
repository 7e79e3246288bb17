"""Attention among the meters: embeddings, attention and their written-out gradients.

Meters come first and the batch after them, [6, n, ...], as batched products and the weights want them.
"""

import math
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from hamlet_trio.agent.networks.layers import SelfInitialising, draw_affine, threshold_backward
from hamlet_trio.world import METERS

_METERS: Final = len(METERS)

# What autograd itself calls for these gradients; there are no public names.
_softmax_backward: Final = torch.ops.aten._softmax_backward_data.default
_norm_backward: Final = torch.ops.aten.native_layer_norm_backward.default


class MeterEmbeddings(nn.Module, SelfInitialising):
    """One small perceptron a meter, [n, 6] to [6, n, embedding].

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
        return self.embed(meters).tokens

    def embed(self, meters: Tensor) -> "Embedded":
        """Return the tokens of meters [n, 6] with the intermediate activations."""
        scalars = meters.t().unsqueeze(2)
        hidden = torch.addcmul(self.bias_in.unsqueeze(1), scalars, self.weight_in.transpose(1, 2)).relu_()
        tokens = torch.baddbmm(self.bias_out.unsqueeze(1), hidden, self.weight_out.transpose(1, 2))
        return Embedded(scalars, hidden, tokens)

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


class Embedded(NamedTuple):
    """The activations of a forward pass through the embeddings."""

    scalars: Tensor
    """[6, n, 1]."""
    hidden: Tensor
    """[6, n, hidden]."""
    tokens: Tensor
    """[6, n, embedding]."""


class MeterAttention(nn.Module, SelfInitialising):
    """Multi-head self-attention; Vaswani et al. 2017, section 3.2. Keys as in nn.MultiheadAttention."""

    def __init__(self, embedding: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embedding, embedding))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * embedding))
        self.out_proj = nn.Linear(embedding, embedding)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attended tokens of [t, n, embedding], of that shape, and weights [n, heads, t, t]."""
        attended = self.attend(tokens)
        return attended.tokens.view(tokens.shape), attended.weights.permute(3, 0, 1, 2)

    def attend(self, tokens: Tensor) -> "Attended":
        """Return the attended tokens of [t, n, embedding] with the intermediate activations."""
        t, n, embedding = tokens.shape
        heads, size = self.heads, embedding // self.heads
        # With the batch last, attention is sums over other axes: a product of a few numbers for each row and
        # head is slower, and softmax over the last axis far slower.
        flat = tokens.view(t * n, embedding)
        projected = torch.addmm(self.in_proj_bias.unsqueeze(1), self.in_proj_weight, flat.t())
        scale = 1 / math.sqrt(size)
        if n == 1:
            # A lone row is no batch: products then, in half as many calls.
            query, key, value = projected.view(3, heads, size, t).unbind()
            nothing = projected.new_empty(())
            scores = torch.baddbmm(nothing, query.transpose(1, 2), key, beta=0, alpha=scale)
            weights = torch.softmax(scores, dim=2)
            joined = torch.bmm(value, weights.transpose(1, 2)).view(embedding, t)
            weights = weights.unsqueeze(3)
        else:
            query, key, value = projected.view(3, heads, size, t, n).unbind()
            scores = (query.unsqueeze(3) * key.unsqueeze(2)).sum(dim=1)
            weights = torch.softmax(scores * scale, dim=2)
            joined = (weights.unsqueeze(1) * value.unsqueeze(2)).sum(dim=3).view(embedding, t * n)
        out = torch.addmm(self.out_proj.bias, joined.t(), self.out_proj.weight.t())
        return Attended(projected, weights, joined, out)

    def draw(self, generator: torch.Generator) -> None:
        nn.init.xavier_uniform_(self.in_proj_weight, generator=generator)
        nn.init.zeros_(self.in_proj_bias)


class Attended(NamedTuple):
    """The activations of a forward pass through the attention."""

    projected: Tensor
    """Queries, keys and values, [3 * embedding, t * n]."""
    weights: Tensor
    """The attention of each token (second axis) to each (third axis), [heads, t, t, n]."""
    joined: Tensor
    """The joined outputs of the heads, [embedding, t * n]."""
    tokens: Tensor
    """[t * n, embedding]."""


class MeterBackprop:
    """Through embeddings, attention, norm and the perceptron after it, forward and back, without autograd.

    The gradients are those of autograd, with half the calls.
    """

    def __init__(
        self, embeddings: MeterEmbeddings, attention: MeterAttention, norm: nn.LayerNorm, after: nn.Sequential
    ) -> None:
        self._embeddings, self._attention, self._norm = embeddings, attention, norm
        self._inner, self._outer = (layer for layer in after if isinstance(layer, nn.Linear))
        self._embedded: Embedded
        self._attended: Attended
        self._normed: tuple[Tensor, Tensor, Tensor]
        self._activations: tuple[Tensor, Tensor, Tensor]

    def forward(self, meters: Tensor) -> Tensor:
        """Return the features [n, embedding] of meters [n, 6]."""
        embedded = self._embedded = self._embeddings.embed(meters)
        attended = self._attended = self._attention.attend(embedded.tokens)
        added = attended.tokens.add_(embedded.tokens.view(attended.tokens.shape))
        norm = self._norm
        normed, mean, scale = torch.native_layer_norm(
            added, norm.normalized_shape, norm.weight, norm.bias, norm.eps
        )
        self._normed = added, mean, scale
        inner = torch.addmm(self._inner.bias, normed, self._inner.weight.t()).relu_()
        outer = torch.addmm(self._outer.bias, inner, self._outer.weight.t()).relu_()
        self._activations = normed, inner, outer
        return outer.view(embedded.tokens.shape).mean(dim=0)

    def backward(self, gradient: Tensor) -> None:
        """As in `layers.Backprop`, from the gradient [b, embedding] of the first features."""
        count, embedding = gradient.shape
        all_rows = self._embedded.tokens.shape[1]

        def first(tokens: Tensor) -> Tensor:
            """Return the tokens of the first rows among tokens [6 * n, m]."""
            if count == all_rows:
                return tokens
            # Of one row `reshape` alone would be a view, which the backward pass of the norm misreads.
            return tokens.view(_METERS, all_rows, -1)[:, :count].contiguous().view(_METERS * count, -1)

        normed, inner, outer = map(first, self._activations)
        gradient = (gradient / _METERS).expand(_METERS, count, embedding).reshape(-1, embedding)
        gradient = threshold_backward(gradient, outer, 0)
        _write_linear(self._outer, inner, gradient)
        gradient = threshold_backward(gradient.mm(self._outer.weight), inner, 0)
        _write_linear(self._inner, normed, gradient)
        gradient = gradient.mm(self._inner.weight)
        norm = self._norm
        added, mean, scale = map(first, self._normed)
        gradient, of_weight, of_bias = _norm_backward(
            gradient, added, norm.normalized_shape, mean, scale, norm.weight, norm.bias, (True, True, True)
        )
        _grad(norm.weight).copy_(of_weight)
        _grad(norm.bias).copy_(of_bias)
        self._embed_backward(gradient + self._attend_backward(gradient))

    def _attend_backward(self, gradient: Tensor) -> Tensor:
        """Return the gradient of the input tokens from that [6 * b, embedding] of the attended ones."""
        attention, attended = self._attention, self._attended
        embedding, count = gradient.shape[1], gradient.shape[0] // _METERS
        shape = (attention.heads, embedding // attention.heads, _METERS, -1)
        joined = attended.joined.view(embedding, _METERS, -1)[:, :, :count].reshape(embedding, -1)
        _write_linear(attention.out_proj, joined.t(), gradient)
        query, key, value = attended.projected.view(3, *shape)[..., :count].unbind()
        weights = attended.weights[..., :count]
        # Over [heads, size, looking, looked at, b] throughout.
        of_joined = attention.out_proj.weight.t().mm(gradient.t()).view(shape).unsqueeze(3)
        of_projected = gradient.new_empty((3, *shape[:3], count))
        of_query, of_key, of_value = of_projected.unbind()
        torch.sum(of_joined * weights.unsqueeze(1), 2, out=of_value)
        of_weights = (of_joined * value.unsqueeze(2)).sum(dim=1)
        of_scores = _softmax_backward(of_weights, weights, 2, weights.dtype)
        of_scores = of_scores.mul_(1 / math.sqrt(shape[1])).unsqueeze(1)
        torch.sum(of_scores * key.unsqueeze(2), 3, out=of_query)
        torch.sum(of_scores * query.unsqueeze(3), 2, out=of_key)
        flat = of_projected.view(3 * embedding, -1)
        tokens = self._embedded.tokens[:, :count].reshape(-1, embedding)
        torch.mm(flat, tokens, out=_grad(attention.in_proj_weight))
        torch.sum(flat, 1, out=_grad(attention.in_proj_bias))
        return flat.t().mm(attention.in_proj_weight)

    def _embed_backward(self, gradient: Tensor) -> None:
        """Write the embeddings' gradients from that [6 * b, embedding] of the tokens."""
        embeddings = self._embeddings
        gradient = gradient.view(_METERS, -1, gradient.shape[1])
        count = gradient.shape[1]
        scalars, hidden = self._embedded.scalars[:, :count], self._embedded.hidden[:, :count]
        torch.bmm(gradient.transpose(1, 2), hidden, out=_grad(embeddings.weight_out))
        torch.sum(gradient, 1, out=_grad(embeddings.bias_out))
        gradient = threshold_backward(gradient.bmm(embeddings.weight_out), hidden, 0)
        torch.sum(gradient * scalars, 1, keepdim=True, out=_grad(embeddings.weight_in).transpose(1, 2))
        torch.sum(gradient, 1, out=_grad(embeddings.bias_in))


def _write_linear(layer: nn.Linear, inputs: Tensor, gradient: Tensor) -> None:
    """Write a layer's gradients, by that of its outputs."""
    torch.mm(gradient.t(), inputs, out=_grad(layer.weight))
    torch.sum(gradient, 0, out=_grad(layer.bias))


def _grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
