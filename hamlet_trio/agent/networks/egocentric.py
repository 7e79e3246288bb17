"""A Q-network over features of the map relative to the agent."""

from functools import cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import linear

from hamlet_trio.agent.networks.backprop import Chain, DuelingBackprop
from hamlet_trio.agent.networks.layers import (
    Backprop,
    Network,
    SelfInitialising,
    Shapes,
    dimension,
    dueling,
    layer_outputs,
    perceptron,
    run_through,
)
from hamlet_trio.agent.networks.spec import SCALARS, EgocentricSizes, NetworkError, NetworkSpec, Sizes
from hamlet_trio.world import METERS

_PLACES: Final = 8  # codes of affordances in an observation's grid are 1 to 8
FEATURES_OF_A_PLACE: Final = 8
_LEVELS: Final = (0.2, 0.35, 0.5, 0.65, 0.8)
_LEVELS_ARRAY: Final = np.array(_LEVELS, dtype=np.float32)
_STEEPNESS: Final = 6.0
METER_FEATURES: Final = len(METERS) * (1 + len(_LEVELS))
FEATURES: Final = 2 + _PLACES * FEATURES_OF_A_PLACE + METER_FEATURES


class MapReader(nn.Module, SelfInitialising):
    """Turn observations [n, observation_size] into features [n, 102] without any learnt weights.

    The features: the agent's cell; for each of the eight places its offset to the right and down, the side on
    which it lies, its Manhattan distance and whether the agent stands on it; each meter, and its soft
    position between 0.2 and 0.8. All are between -1 and 1 in a square world.

    The observation shows the agent in place of what it stands on, so an unseen place is taken to be under the
    agent. With one agent that is right; while another agent hides a place, it is wrong.
    """

    cells: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        # In the state dict, because the number of cells cannot be told from the other weights.
        self.register_buffer("cells", torch.zeros(spec.width * spec.height, 3))
        self._width, self._height = spec.width, spec.height

    def draw(self, generator: torch.Generator) -> None:
        """Fill in each cell's x, y and 1; nothing is random."""
        x = torch.arange(self._width).repeat(self._height)
        y = torch.arange(self._height).repeat_interleave(self._width)
        self.cells.copy_(torch.stack((x, y, torch.ones_like(x)), dim=1))

    def forward(self, observations: Tensor) -> Tensor:
        """Return the features of observations."""
        places = self.read_places(observations)
        if in_numpy(observations):
            return torch.from_numpy(_joined(observations.numpy()[:, :SCALARS], places.numpy()))
        _, _, levels = _constants(self._width, self._height, observations.device)
        centred = observations[:, :SCALARS] * 2 - 1
        soft = torch.tanh((observations[:, 2:SCALARS, None] - levels) * _STEEPNESS)
        return torch.cat((centred[:, :2], places, centred[:, 2:], soft.flatten(1)), dim=1)

    def read_places(self, observations: Tensor) -> Tensor:
        """Return the features [n, places * 8] of places."""
        _, scale, _ = _constants(self._width, self._height, observations.device)
        located = self.locate(observations)
        # From the agent to the place; 0 for an unseen place, whose count is 0.
        agent = observations[:, None, :2] * scale
        offset = torch.addcmul(located[:, :, :2], agent, located[:, :, 2:], value=-1)
        return self.describe(offset, scale).flatten(1)

    def locate(self, observations: Tensor) -> Tensor:
        """Return x, y and 1 for each place [n, places, 3]; zeros for one under the agent."""
        codes, _, _ = _constants(self._width, self._height, observations.device)
        return self.find(observations, codes)

    def find(self, observations: Tensor, codes: Tensor) -> Tensor:
        """Return x, y and 1 for each place that is seen [n, places, 3], zeros for the others."""
        # Not `len`, which an export to ONNX would take for a constant.
        count, places = observations.shape[0], codes.shape[0]
        grid = observations[:, None, SCALARS:]
        # Written as numbers at once: converting booleans would take longer than the rest.
        is_place = torch.eq(grid, codes, out=observations.new_empty((count, places, grid.shape[2])))
        return torch.mm(is_place.view(count * places, -1), self.cells).view(count, places, 3)

    def describe(self, offset: Tensor, scale: Tensor) -> Tensor:
        """Return the features [n, places, 8] of places at offsets [n, places, 2] from the agent."""
        distance = offset.abs().sum(dim=2, keepdim=True)
        longest = float(max(self._width - 1, self._height - 1, 1))
        # Half a cell of tolerance for rounding: x and y were divided and multiplied again.
        return torch.cat(
            (offset / scale, offset > 0.5, offset < -0.5, distance / longest - 1, distance < 0.5), dim=2
        )


def in_numpy(rows: Tensor) -> bool:
    """Return whether numpy may compute with these rows: of few rows its calls cost less than torch's."""
    return rows.device.type == "cpu" and rows.dtype == torch.float32 and not torch.compiler.is_exporting()


def _joined(scalars: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `MapReader.forward` of observations without their grids, equal to the bit."""
    count, width = places.shape
    features = np.empty((count, 2 + width + METER_FEATURES), dtype=np.float32)
    centred = scalars * 2 - 1
    features[:, :2] = centred[:, :2]
    features[:, 2 : 2 + width] = places
    features[:, 2 + width : SCALARS + width] = centred[:, 2:]
    soft = (scalars[:, 2:, None] - _LEVELS_ARRAY) * np.float32(_STEEPNESS)
    # numpy's own tanh differs in the last bit.
    torch.from_numpy(soft).tanh_()
    features[:, SCALARS + width :] = soft.reshape(count, -1)
    return features


@cache
def _constants(width: int, height: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return codes [8, 1] of the places, the longest way [2] in x and y, and the levels [5] of meters."""
    # Cached: building them takes a fifth of the time of one observation. Ordinary tensors, because the first
    # call may be in inference mode.
    with torch.inference_mode(mode=False):
        return (
            torch.arange(1.0, _PLACES + 1, device=device)[:, None],
            torch.tensor((max(width - 1.0, 1.0), max(height - 1.0, 1.0)), device=device),
            torch.tensor(_LEVELS, device=device),
        )


class EgocentricNetwork(Network):
    """A small dueling perceptron over the features of `MapReader`; Wang et al. 2016, section 3."""

    network_type = "egocentric"
    parts = frozenset({"map_reader", "trunk", "head"})

    def __init__(self, spec: NetworkSpec, sizes: EgocentricSizes) -> None:
        super().__init__(spec)
        self.map_reader = MapReader(spec)
        self.trunk = perceptron((FEATURES, *sizes.hidden), last_relu=True)
        self.head = nn.Linear((FEATURES, *sizes.hidden)[-1], 1 + spec.num_actions)

    def forward(self, observations: Tensor) -> Tensor:
        return self.values(self.preprocess(observations))

    def preprocess(self, observations: Tensor) -> Tensor:
        """Return the features of the map."""
        features: Tensor = self.map_reader(observations)
        return features

    @property
    def preprocessed_size(self) -> int:
        """The number of features: reading the map takes longer than storing them."""
        return FEATURES

    def values(self, preprocessed: Tensor) -> Tensor:
        """Return the Q-values of features."""
        hidden = run_through(self.trunk, preprocessed)
        values = linear(hidden, self.head.weight, self.head.bias)
        return dueling(values[:, :1], values[:, 1:])

    def backprop(self) -> Backprop:
        """Return the written-out `values` and gradients."""
        return DuelingBackprop(Chain(*self.trunk, self.head, last_relu=False))

    @staticmethod
    def read_shapes(shapes: Shapes) -> tuple[int, int, Sizes]:
        hidden = layer_outputs(shapes, "trunk")
        if not hidden:
            raise NetworkError("The parameter trunk.0.weight is missing.")
        cells = dimension(shapes, "map_reader.cells", 0)
        return cells, dimension(shapes, "head.weight", 0) - 1, EgocentricSizes(hidden=hidden)
