"""A frozen Q-network that acts."""

import copy
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hamlet_trio.agent.checkpoint import Checkpoint
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import (
    GridNetwork,
    Network,
    NetworkSpec,
    RelationalNetwork,
    build_network,
)
from hamlet_trio.agent.networks.grid import keys_of
from hamlet_trio.agent.networks.spec import SCALARS
from hamlet_trio.world import ACTIONS

_GRIDS_KEPT: Final = 256


class PolicyOutput(NamedTuple):
    """What a policy says about n observations.

    Attributes:
        actions: (n,) int64, the greedy action; the first of equals.
        q_values: (n, 5) float32.
        attention: (n, 6, 6) float32, how much meter i (row) looks at meter j, averaged over heads, in the
            order of METERS; None unless asked for, and for networks without attention.
    """

    actions: NDArray[np.int64]
    q_values: NDArray[np.float32]
    attention: NDArray[np.float32] | None


class Policy:
    """A copy of a network that never changes; `act` may be called from several threads."""

    def __init__(self, network: Network) -> None:
        self._network = copy.deepcopy(network).eval().requires_grad_(False)
        self._device = next(self._network.parameters()).device
        self._grids = _KnownGrids(self._network) if isinstance(self._network, GridNetwork) else None

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> "Policy":
        """The policy of a loaded checkpoint, on the device it was loaded to."""
        return cls(checkpoint.network)

    @classmethod
    def untrained(
        cls, seed: int, *, network_type: NetworkType = "dueling", width: int = 8, height: int = 8
    ) -> "Policy":
        """The policy of a network with random weights, on the CPU."""
        generator = torch.Generator().manual_seed(seed)
        size = SCALARS + width * height
        return cls(build_network(network_type, size, len(ACTIONS), width, height, generator=generator))

    @property
    def spec(self) -> NetworkSpec:
        """Type, world shape and sizes of the network."""
        return self._network.spec

    @property
    def has_attention(self) -> bool:
        """Whether `act` can tell attention."""
        return isinstance(self._network, RelationalNetwork)

    def act(self, observations: NDArray[np.float32], *, attention: bool = False) -> PolicyOutput:
        """The greedy actions for observations (n, observation_size), one or more."""
        weights = None
        with torch.inference_mode():
            batch = torch.from_numpy(observations).to(self._device)
            if self._grids is None:
                q_values = self._network(batch)
            else:
                q_values, weights = self._grids.act(observations, batch, attention=attention)
            return PolicyOutput(
                actions=q_values.argmax(dim=1).cpu().numpy(),
                q_values=q_values.cpu().numpy(),
                attention=None if weights is None else weights.cpu().numpy(),
            )


class _KnownGrids:
    """A network that sees the grid, and the features of the grids it has seen last.

    Where one agent acts, its cell tells the grid, so there are as few as the world has cells, and convolving
    them is most of what the network computes. Each grid is convolved by itself, so that its features are the
    same whatever came with it. At most 256 are known; when there are more, all are forgotten.

    Threads may share one: each looks a grid up and enters it in one step of a dict, and if two convolve the
    same grid, or one forgets what another has just entered, they only compute the same bits again.
    """

    def __init__(self, network: GridNetwork) -> None:
        self._network = network
        self._features: dict[bytes, Tensor] = {}

    def act(
        self, observations: NDArray[np.float32], batch: Tensor, *, attention: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Q-values of observations [n, m], which are `batch` too, and attention if asked for and there."""
        keys = keys_of(np.ascontiguousarray(observations[:, SCALARS:]))
        rows = [self._features_of(key, batch, index) for index, key in enumerate(keys)]
        features = rows[0] if len(rows) == 1 else torch.cat(rows)
        network = self._network
        if attention and isinstance(network, RelationalNetwork):
            return network.q_and_attention(batch, features)
        return network.q_values(batch, features), None

    def _features_of(self, key: bytes, batch: Tensor, index: int) -> Tensor:
        """The features [1, m] of the grid of this row of the batch."""
        features = self._features.get(key)
        if features is None:
            features = self._network.grid_cnn(batch[index : index + 1, SCALARS:])
            if len(self._features) >= _GRIDS_KEPT:
                self._features.clear()
            self._features[key] = features
        return features
