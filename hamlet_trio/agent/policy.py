"""A frozen Q-network that acts."""

import copy
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hamlet_trio.agent.checkpoint import Checkpoint
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import Network, NetworkSpec, RelationalNetwork, build_network
from hamlet_trio.agent.networks.spec import SCALARS
from hamlet_trio.world import ACTIONS


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
        """The greedy actions for observations (n, observation_size)."""
        weights = None
        with torch.inference_mode():
            batch = torch.from_numpy(observations).to(self._device)
            if attention and isinstance(self._network, RelationalNetwork):
                q_values, weights = self._network.q_and_attention(batch)
            else:
                q_values = self._network(batch)
            return PolicyOutput(
                actions=q_values.argmax(dim=1).cpu().numpy(),
                q_values=q_values.cpu().numpy(),
                attention=None if weights is None else weights.cpu().numpy(),
            )
