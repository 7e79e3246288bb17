"""A Q-network over options: walks to places, each with the use of its place at the end."""

from functools import cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import linear

from hamlet_trio.agent.networks.backprop import Chain, split_dueling
from hamlet_trio.agent.networks.egocentric import FEATURES_OF_A_PLACE, METER_FEATURES, MapReader, in_numpy
from hamlet_trio.agent.networks.grid import keys_of
from hamlet_trio.agent.networks.layers import (
    Backprop,
    Network,
    Shapes,
    dimension,
    dueling,
    layer_outputs,
    perceptron,
    run_through,
)
from hamlet_trio.agent.networks.spec import SCALARS, NetworkError, NetworkSpec, OptionsSizes, Sizes
from hamlet_trio.world import ACTIONS, METERS, WorldConfig
from hamlet_trio.world.observation import OTHER_AGENT_CODE

# The feature of a place that says whether an action leads towards it, in the order of ACTIONS.
_TOWARD: Final = (5, 3, 4, 2, 7)
_TENTS: Final = 39  # of a meter, evenly spaced over its range
_WORSE: Final = 1.0  # by how much an action of no option is worth less than the worst option
_FIRST_PLACE: Final = 2
_ABSENT: Final = -1.0
_GRIDS_KEPT: Final = 4096


class PlaceReader(MapReader):
    """A `MapReader` of the places of one world, which knows where each of them lies.

    While the agent is alone, an unseen place is taken to be under the agent. Among other agents it is taken
    to be where the world has it, because any of them may hide it. A place that the world lacks is nowhere:
    all its features are 0.
    """

    places: Tensor

    def __init__(self, spec: NetworkSpec, places: int) -> None:
        super().__init__(spec)
        # The code, x and y of each place; in the state dict, because weights belong to the order of codes.
        self.register_buffer("places", torch.zeros(places, 3))
        self._known: dict[bytes, Tensor] = {}
        self._absent: NDArray[np.bool_] | None = None
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]

    def draw(self, generator: torch.Generator) -> None:
        """Fill in the cells, and codes from 1 on; nothing is random."""
        super().draw(generator)
        self.places.zero_()
        self.places[:, 0] = torch.arange(1, len(self.places) + 1)

    def read_places(self, observations: Tensor) -> Tensor:
        """As in `MapReader`, with the features of the last grids kept.

        With one agent in a world the agent's cell determines the grid, so there are few. Threads may share
        the network: looking up and entering a grid are single operations of a dict.
        """
        if observations.device.type != "cpu" or torch.compiler.is_exporting():
            return super().read_places(observations)
        keys = keys_of(observations[:, SCALARS:].numpy())
        rows = [self._known.get(key) for key in keys]
        missing = [index for index, row in enumerate(rows) if row is None]
        if missing:
            # Copied, so that a kept row does not keep its batch.
            read = super().read_places(observations[missing])
            if len(self._known) + len(missing) > _GRIDS_KEPT:
                self._known = {}
            for index, row in zip(missing, torch.split(read, 1), strict=True):
                rows[index] = self._known[keys[index]] = row.clone()
        found = [row for row in rows if row is not None]
        return found[0] if len(found) == 1 else torch.cat(found)

    def locate(self, observations: Tensor) -> Tensor:
        """As in `MapReader`."""
        located = self.find(observations, self.places[:, :1])
        others = observations[:, SCALARS:].eq(OTHER_AGENT_CODE).any(dim=1)
        if not torch.compiler.is_exporting() and not others.any():
            return located
        homes = torch.cat((self.places[:, 1:], torch.ones_like(self.places[:, :1])), dim=1)
        hidden = (located[:, :, 2:] < 0.5) & others[:, None, None]
        return torch.where(hidden, homes, located)

    def set_places(self, places: Tensor) -> None:
        """Replace the places by as many others."""
        self.places.copy_(places)
        _forget(self, None)

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Which of the places the world lacks; do not write to it."""
        if self._absent is None:
            self._absent = (self.places[:, 0] == _ABSENT).cpu().numpy()
        return self._absent

    def describe(self, offset: Tensor, scale: Tensor) -> Tensor:
        """As in `MapReader`."""
        return super().describe(offset, scale) * (self.places[:, :1] != _ABSENT)


def _forget(reader: nn.Module, _: object) -> None:
    """Drop what is kept of other places."""
    reader._known = {}  # type: ignore[assignment]  # that of a PlaceReader
    reader._absent = None  # type: ignore[assignment]


class OptionsNetwork(Network):
    """A dueling perceptron that values options and predicts their effects on the meters.

    An option is a shortest walk to a place followed by `interact` (Sutton, Precup and Singh 1999). `values`
    has a column for each place. `forward` makes Q-values of actions of them: an action has the value of the
    best option whose next action it may be, and an action of no option less than every option.

    Meters enter as tents as well, piecewise linear bumps a fortieth of the range apart, because the value of
    an option can depend on a little money. A second head predicts the change of each meter over an option.
    Nothing reads the predictions: learning them, an auxiliary task (Jaderberg et al. 2017), shapes the
    features.
    """

    network_type = "options"
    parts = frozenset({"place_reader", "trunk", "option_head"})

    def __init__(self, spec: NetworkSpec, sizes: OptionsSizes) -> None:
        super().__init__(spec)
        self.num_places = sizes.places
        self.place_reader = PlaceReader(spec, sizes.places)
        widths = (self.preprocessed_size + len(METERS) * _TENTS, *sizes.hidden)
        self.trunk = perceptron(widths, last_relu=True)
        self.option_head = nn.Linear(widths[-1], 1 + sizes.places * (1 + len(METERS)))

    def forward(self, observations: Tensor) -> Tensor:
        rows = self.preprocess(observations)
        return self.action_values(self.values(self.encode(rows)), rows)

    def preprocess(self, observations: Tensor) -> Tensor:
        """Return the features of places and meters."""
        features: Tensor = self.place_reader(observations)
        return features

    @property
    def preprocessed_size(self) -> int:
        """The number of features before the tents, which are cheaper to compute than to store."""
        return _FIRST_PLACE + self.num_places * FEATURES_OF_A_PLACE + METER_FEATURES

    def encode(self, rows: Tensor) -> Tensor:
        """Return the rows with the tents of their meters: 1 at a tent's centre, 0 from the next one's on."""
        shares = (self.meters(rows)[:, :, None] + 1) / 2
        tents = (1 - (shares - _centres(rows.device)).abs_().mul_(_TENTS + 1)).clamp_min_(0)
        return torch.cat((rows, tents.flatten(1)), dim=1)

    def values(self, encoded: Tensor) -> Tensor:
        """Return the values [n, places] of options."""
        outputs = linear(run_through(self.trunk, encoded), self.option_head.weight, self.option_head.bias)
        return dueling(outputs[:, :1], outputs[:, 1 : 1 + self.num_places])

    def action_values(self, values: Tensor, rows: Tensor) -> Tensor:
        """Return the Q-values [n, actions] of actions from those [n, places] of options."""
        least = values.amin(dim=1, keepdim=True) - _WORSE
        return torch.where(self.toward(rows), values[:, :, None], least[:, :, None]).amax(dim=1)

    def greedy(self, values: Tensor, rows: Tensor) -> NDArray[np.int64]:
        """As in `Network`: the first of the actions that may be next in the best of all options."""
        if not in_numpy(values):
            return super().greedy(values, rows)
        worth = values.numpy()
        if (absent := self.place_reader.absent).any():
            worth = np.where(absent, -np.inf, worth)
        is_best = worth == worth.max(axis=1, keepdims=True)
        toward = rows.numpy().take(toward_columns(self.num_places), axis=1) > 0.5
        actions: NDArray[np.int64] = (toward & is_best[:, :, None]).any(axis=1).argmax(axis=1)
        return actions

    def available(self, values: Tensor, rows: Tensor) -> Tensor:
        """Return the values of options, those to places that the world lacks as -inf."""
        if not self.place_reader.absent.any():
            return values
        return values.masked_fill(self.place_reader.places[:, 0] == _ABSENT, -torch.inf)

    def q_and_option_values(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return Q-values as `forward`, and the values of options, NaN for places that the world lacks."""
        rows = self.preprocess(observations)
        values = self.values(self.encode(rows))
        absent = self.place_reader.places[:, 0] == _ABSENT
        return self.action_values(values, rows), values.masked_fill(absent, torch.nan)

    def toward(self, rows: Tensor) -> Tensor:
        """Return which actions may be next in which options, bool [n, places, actions]."""
        columns = _toward_columns(self.num_places, rows.device)
        return (rows.index_select(1, columns) > 0.5).view(-1, self.num_places, len(ACTIONS))

    def meters(self, rows: Tensor) -> Tensor:
        """Return the meters [n, 6] of preprocessed rows, from -1 to 1."""
        first = _FIRST_PLACE + self.num_places * FEATURES_OF_A_PLACE
        return rows[:, first : first + len(METERS)]

    @property
    def codes(self) -> tuple[int, ...]:
        """The code of each option's place in observations; -1 for one that the world lacks."""
        return tuple(int(code) for code in self.place_reader.places[:, 0].tolist())

    def set_places(self, world: WorldConfig, codes: tuple[int, ...] | None = None) -> None:
        """Fit the options to the places of a world; `codes` redefines which places they lead to."""
        cells = {place.code: (place.x, place.y) for place in world.affordances}
        rows = [(code, *cells[code]) if code in cells else (_ABSENT, 0, 0) for code in codes or self.codes]
        self.place_reader.set_places(torch.tensor(rows, dtype=torch.float32))

    def backprop(self) -> "OptionsBackprop":
        """Return the written-out `values` and gradients."""
        return OptionsBackprop(Chain(*self.trunk, self.option_head, last_relu=False), self.num_places)

    @staticmethod
    def read_shapes(shapes: Shapes) -> tuple[int, int, Sizes]:
        hidden = layer_outputs(shapes, "trunk")
        if not hidden:
            raise NetworkError("The parameter trunk.0.weight is missing.")
        places = dimension(shapes, "place_reader.places", 0)
        return (
            dimension(shapes, "place_reader.cells", 0),
            len(ACTIONS),
            OptionsSizes(places=places, hidden=hidden),
        )


@cache
def toward_columns(places: int) -> NDArray[np.int64]:
    """Return the columns [places, actions] of preprocessed rows that are `OptionsNetwork.toward`."""
    columns: NDArray[np.int64] = np.arange(places)[:, None] * FEATURES_OF_A_PLACE + np.array(_TOWARD)
    return columns + _FIRST_PLACE


@cache
def _toward_columns(places: int, device: torch.device) -> Tensor:
    with torch.inference_mode(mode=False):
        return torch.from_numpy(toward_columns(places).ravel()).to(device)


@cache
def _centres(device: torch.device) -> Tensor:
    # An ordinary tensor, because the first call may be in inference mode.
    with torch.inference_mode(mode=False):
        return torch.arange(1, _TENTS + 1, device=device) / (_TENTS + 1)


class OptionsBackprop(Backprop):
    """One chain whose outputs are a value, the advantages of options and their predicted effects."""

    def __init__(self, chain: Chain, places: int) -> None:
        self._chain = chain
        self._places = places
        self._outputs = torch.empty(0)
        # What each output adds to the gradient of every option's value: 1 for the state's value, a share of
        # the mean advantage, nothing for effects.
        self._by_value = chain.outputs_like()
        self._by_value[0] = 1
        self._by_value[1 : 1 + places] = -1 / places

    def forward(self, preprocessed: Tensor) -> Tensor:
        """As in `Backprop`."""
        self._outputs = outputs = self._chain.forward(preprocessed)
        return dueling(outputs[:, :1], outputs[:, 1 : 1 + self._places])

    def forward_outputs(self, preprocessed: Tensor) -> None:
        """Do the same without the values, for what only takes those of some options by `of_options`."""
        self._outputs = self._chain.forward(preprocessed)

    def backward(self, gradient: Tensor) -> None:
        """As in `Backprop`, without a gradient of the predicted effects."""
        effects = gradient.new_zeros((len(gradient), self._places * len(METERS)))
        self._chain.backward(torch.cat((*split_dueling(gradient), effects), dim=1))

    def columns_of(self, options: Tensor) -> Tensor:
        """Return the columns [n, 7] of outputs that are the advantage and effects of options [n, 1]."""
        steps = torch.arange(len(METERS), device=options.device)
        effects = options * len(METERS) + steps + 1 + self._places
        return torch.cat((options + 1, effects), dim=1)

    def of_options(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values [b] and predicted effects [b, 6] of one option for each of the first b rows.

        `columns` [b, 7] are those of `columns_of`; the rows are those of the last `forward`.
        """
        outputs = self._outputs[: len(columns)]
        chosen = outputs.gather(1, columns)
        # As `dueling` adds them up, to the same bits.
        values = outputs[:, 0] + chosen[:, 0] - outputs[:, 1 : 1 + self._places].mean(dim=1)
        return values, chosen[:, 1:]

    def backward_of_options(self, columns: Tensor, by_values: Tensor, by_effects: Tensor) -> None:
        """As `backward`, from gradients [b] and [b, 6] by what `of_options` returned."""
        by_values = by_values.unsqueeze(1)
        gradient = by_values * self._by_value
        self._chain.backward(gradient.scatter_add_(1, columns, torch.cat((by_values, by_effects), dim=1)))
