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
    OptionsNetwork,
    RelationalNetwork,
    build_network,
)
from hamlet_trio.agent.networks.grid import keys_of
from hamlet_trio.agent.networks.spec import SCALARS
from hamlet_trio.world import ACTIONS, WorldConfig

_GRIDS_KEPT: Final = 2048  # those of a policy map of the largest world, twice


class PolicyOutput(NamedTuple):
    """The output of a policy for n observations.

    Attributes:
        actions: (n,) int64, the greedy action; the first of equals.
        q_values: (n, 5) float32.
        attention: (n, 6, 6) float32, the attention of meter i (row) to meter j, averaged over heads, in the
            order of METERS; None unless requested, and for networks without attention.
        option_values: (n, places) float32, the value of each option, NaN for one to a place that the world
            lacks; None for networks without options.
        option_codes: the codes of the places to which the options lead; -1 for one that the world lacks.
    """

    actions: NDArray[np.int64]
    q_values: NDArray[np.float32]
    attention: NDArray[np.float32] | None
    option_values: NDArray[np.float32] | None = None
    option_codes: tuple[int, ...] = ()


class Policy:
    """A frozen copy of a network; several threads may call `act`."""

    def __init__(self, network: Network) -> None:
        self._network = copy.deepcopy(network).eval().requires_grad_(False)
        self._device = next(self._network.parameters()).device
        self._option_codes = self._network.codes if isinstance(self._network, OptionsNetwork) else ()
        self._grids = _KnownGrids(self._network) if isinstance(self._network, GridNetwork) else None

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> "Policy":
        """Return the policy of a loaded checkpoint, on the checkpoint's device."""
        return cls(checkpoint.network)

    @classmethod
    def untrained(
        cls, seed: int, *, network_type: NetworkType = "dueling", width: int = 8, height: int = 8
    ) -> "Policy":
        """Return the policy of a network with random weights, on the CPU."""
        generator = torch.Generator().manual_seed(seed)
        size = SCALARS + width * height
        return cls(build_network(network_type, size, len(ACTIONS), width, height, generator=generator))

    @property
    def spec(self) -> NetworkSpec:
        """The network's type, world shape and sizes."""
        return self._network.spec

    def in_world(self, world: WorldConfig) -> "Policy":
        """Return the policy for a world whose places may differ from those that it was trained with.

        Only a network of options knows places beside those that it sees; any other policy is returned as it
        is.
        """
        if not isinstance(self._network, OptionsNetwork):
            return self
        network = copy.deepcopy(self._network)
        network.set_places(world)
        return Policy(network)

    def act(self, observations: NDArray[np.float32], *, attention: bool = False) -> PolicyOutput:
        """Return the greedy actions and their values for observations (n, observation_size), n at least 1."""
        weights = option_values = None
        # Takes `set_num_threads` over into this thread; a product of matrices alone does not, and would keep
        # a thread for every core busy.
        torch.get_num_threads()
        with torch.inference_mode():
            batch = torch.from_numpy(observations).to(self._device)
            if isinstance(self._network, OptionsNetwork):
                q_values, option_values = self._network.q_and_option_values(batch)
            elif self._grids is None:
                q_values = self._network(batch)
            else:
                q_values, weights = self._grids.act(observations, batch, attention=attention)
            return PolicyOutput(
                actions=q_values.argmax(dim=1).cpu().numpy(),
                q_values=q_values.cpu().numpy(),
                attention=None if weights is None else weights.cpu().numpy(),
                option_values=None if option_values is None else option_values.cpu().numpy(),
                option_codes=self._option_codes,
            )

    def choose(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the greedy actions of `act`, for options without what only an onlooker needs."""
        network = self._network
        if not isinstance(network, OptionsNetwork):
            return self.act(observations).actions
        with torch.inference_mode():
            rows = network.preprocess(torch.from_numpy(observations).to(self._device))
            return network.greedy(network.values(network.encode(rows)), rows)


class _KnownGrids:
    """A network over the grid with a cache of the features of grids.

    With one agent the agent's cell determines the grid, so there are only as many grids as cells, and
    convolving them is most of the network's work. Each grid is convolved by itself, so that its features do
    not depend on the rest of the batch. The cache holds at most 2,048 grids and is emptied when full.

    Threads may share one: looking up and entering a grid are single operations of a dict. Two threads that
    convolve the same grid at once only compute the same bits twice.
    """

    def __init__(self, network: GridNetwork) -> None:
        self._network = network
        self._features: dict[bytes, Tensor] = {}

    def act(
        self, observations: NDArray[np.float32], batch: Tensor, *, attention: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return the Q-values of observations [n, m], whose tensor is `batch`, and attention if available."""
        keys = keys_of(np.ascontiguousarray(observations[:, SCALARS:]))
        rows = [self._features_of(key, batch, index) for index, key in enumerate(keys)]
        features = rows[0] if len(rows) == 1 else torch.cat(rows)
        network = self._network
        if attention and isinstance(network, RelationalNetwork):
            return network.q_and_attention(batch, features)
        return network.q_values(batch, features), None

    def _features_of(self, key: bytes, batch: Tensor, index: int) -> Tensor:
        """Return the features [1, m] of the grid in this row of the batch."""
        features = self._features.get(key)
        if features is None:
            features = self._network.grid_cnn(batch[index : index + 1, SCALARS:])
            if len(self._features) >= _GRIDS_KEPT:
                self._features.clear()
            self._features[key] = features
        return features
