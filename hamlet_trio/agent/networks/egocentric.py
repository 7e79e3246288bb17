"""A Q-network that reads the map: where each place lies from where the agent stands."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from hamlet_trio.agent.networks.layers import (
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
_FEATURES_OF_A_PLACE: Final = 8
_LEVELS: Final = (0.2, 0.35, 0.5, 0.65, 0.8)
_STEEPNESS: Final = 6.0
_METERS_FROM: Final = 2 + _PLACES * _FEATURES_OF_A_PLACE
_LEVELS_FROM: Final = _METERS_FROM + len(METERS)
FEATURES: Final = _LEVELS_FROM + len(METERS) * len(_LEVELS)


class MapReader(nn.Module, SelfInitialising):
    """Turns observations [n, observation_size] into features [n, 102]; nothing in it is learnt.

    The features: the agent's cell; for each of the eight places how far it is to the right and down, on which
    side it lies, its Manhattan distance and whether the agent stands on it; each meter, and where it lies
    between 0.2 and 0.8, softly. All are between -1 and 1 in a square world.

    The observation shows the agent in place of what it stands on, so a place that is not seen is taken to be
    underfoot. That is right for one agent; where another agent hides a place, it is wrong while it does.
    """

    cells: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        # In the state dict, because the number of cells cannot be told from the other weights.
        self.register_buffer("cells", torch.zeros(spec.width * spec.height, 3))
        self._width, self._height = spec.width, spec.height

    def draw(self, generator: torch.Generator) -> None:
        """Fill in each cell's x, y and a one to count with; there is nothing random."""
        x = torch.arange(self._width).repeat(self._height)
        y = torch.arange(self._height).repeat_interleave(self._width)
        self.cells.copy_(torch.stack((x, y, torch.ones_like(x)), dim=1))

    def forward(self, observations: Tensor) -> Tensor:
        """The features of observations."""
        count = len(observations)
        scale = observations.new_tensor((max(self._width - 1, 1), max(self._height - 1, 1)))
        here = observations[:, :2] * scale
        codes = torch.arange(1, _PLACES + 1, device=observations.device, dtype=observations.dtype)
        grid = observations[:, SCALARS:].contiguous()
        # Written as numbers at once: turning truth values into numbers would take longer than the rest.
        is_place = torch.eq(
            grid[:, None],
            codes[None, :, None],
            out=observations.new_empty((count, _PLACES, grid.shape[1])),
        )
        seen = torch.mm(is_place.view(count * _PLACES, -1), self.cells).view(count, _PLACES, 3)
        there = torch.where(seen[:, :, 2:] > 0, seen[:, :, :2], here[:, None])
        offset = there - here[:, None]
        distance = offset.abs().sum(dim=2)
        meters = observations[:, 2:SCALARS]
        features = observations.new_empty((count, FEATURES))
        features[:, :2] = observations[:, :2] * 2 - 1
        places = features[:, 2:_METERS_FROM].view(count, _PLACES, _FEATURES_OF_A_PLACE)
        places[:, :, 0:2] = offset / scale
        # Half a cell of tolerance: x and y were divided and multiplied again.
        places[:, :, 2:4] = offset > 0.5
        places[:, :, 4:6] = offset < -0.5
        places[:, :, 6] = distance / scale.max() - 1
        places[:, :, 7] = distance < 0.5
        features[:, _METERS_FROM:_LEVELS_FROM] = meters * 2 - 1
        levels = torch.tanh((meters[:, :, None] - observations.new_tensor(_LEVELS)) * _STEEPNESS)
        features[:, _LEVELS_FROM:] = levels.flatten(1)
        return features


class EgocentricNetwork(Network):
    """A small dueling perceptron over what `MapReader` reads; Wang et al. 2016, section 3."""

    network_type = "egocentric"
    parts = frozenset({"map_reader", "trunk", "head"})

    def __init__(self, spec: NetworkSpec, sizes: EgocentricSizes) -> None:
        super().__init__(spec)
        self.map_reader = MapReader(spec)
        self.trunk = perceptron((FEATURES, *sizes.hidden), last_relu=True)
        self.head = nn.Linear((FEATURES, *sizes.hidden)[-1], 1 + spec.num_actions)

    def forward(self, observations: Tensor) -> Tensor:
        return self.values(self.prepare(observations))

    def prepare(self, observations: Tensor) -> Tensor:
        """The features that are read off the map."""
        features: Tensor = self.map_reader(observations)
        return features

    def values(self, prepared: Tensor) -> Tensor:
        """The Q-values of features."""
        hidden = run_through(self.trunk, prepared)
        values = linear(hidden, self.head.weight, self.head.bias)
        return dueling(values[:, :1], values[:, 1:])

    @staticmethod
    def read_shapes(shapes: Shapes) -> tuple[int, int, Sizes]:
        hidden = layer_outputs(shapes, "trunk")
        if not hidden:
            raise NetworkError("The parameter trunk.0.weight is missing.")
        cells = dimension(shapes, "map_reader.cells", 0)
        return cells, dimension(shapes, "head.weight", 0) - 1, EgocentricSizes(hidden=hidden)
