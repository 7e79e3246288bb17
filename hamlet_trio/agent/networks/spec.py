"""What a Q-network is built from: its type, the shape of its world, and its sizes."""

import math
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from hamlet_trio.agent.names import NetworkType
from hamlet_trio.world import METERS, WorldConfig

SCALARS: Final = 2 + len(METERS)
"""Values before the grid: x, y and the meters."""

Widths: TypeAlias = tuple[int, ...]

_LARGEST_SIZE: Final = 1 << 20


class NetworkError(ValueError):
    """Weights or sizes that fit no known network; the message is a sentence that says what is wrong."""


class _Sizes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            for size in value if isinstance(value, tuple) else (value,):
                if not 1 <= size <= _LARGEST_SIZE:
                    raise NetworkError(
                        f"The network size {name} is {value}; it must be from 1 to {_LARGEST_SIZE}."
                    )


class EgocentricSizes(_Sizes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of each hidden layer."""

    hidden: Widths = (128, 128)


class OptionsSizes(_Sizes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number of places that options lead to, and the units of each hidden layer."""

    places: int = 8
    hidden: Widths = (128, 128)


class QNetworkSizes(_Sizes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of each hidden layer."""

    hidden: Widths = (128, 128)


class DuelingSizes(_Sizes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of each layer of the shared features, and of the hidden layers of either stream."""

    features: Widths = (256, 256, 128)
    value_hidden: Widths = (128,)
    advantage_hidden: Widths = (128,)


class SpatialSizes(_Sizes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Channels of the convolutions, units of what they are flattened to, of the meters' part, and after."""

    channels: Widths = (16, 32, 32)
    grid_features: int = 64
    meter_features: Widths = (64, 32)
    combined: Widths = (256, 128)


class SpatialDuelingSizes(_Sizes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As `SpatialSizes`, then as `DuelingSizes`."""

    channels: Widths = (16, 32, 32)
    grid_features: int = 64
    meter_features: Widths = (64, 32)
    features: Widths = (256, 256)
    value_hidden: Widths = (128,)
    advantage_hidden: Widths = (128,)


class RelationalSizes(_Sizes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of a meter's embedding (hidden, out), attention heads, feed-forward units; the rest as above."""

    embedding_hidden: int = 32
    embedding: int = 64
    heads: int = 4
    feed_forward: int = 128
    position_features: Widths = (32, 32)
    channels: Widths = (16, 32)
    grid_features: int = 64
    features: Widths = (256, 256)
    value_hidden: Widths = (128,)
    advantage_hidden: Widths = (128,)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embedding % self.heads:
            raise NetworkError(
                f"{self.heads} attention heads do not divide an embedding of {self.embedding} units; "
                "choose a number of heads that does."
            )


Sizes: TypeAlias = (
    EgocentricSizes
    | OptionsSizes
    | QNetworkSizes
    | DuelingSizes
    | SpatialSizes
    | SpatialDuelingSizes
    | RelationalSizes
)

SIZES_OF: Final[dict[NetworkType, type[Sizes]]] = {
    "egocentric": EgocentricSizes,
    "options": OptionsSizes,
    "qnetwork": QNetworkSizes,
    "dueling": DuelingSizes,
    "spatial": SpatialSizes,
    "spatial_dueling": SpatialDuelingSizes,
    "relational": RelationalSizes,
}


class NetworkSpec(Struct, frozen=True, kw_only=True):
    """All that is needed to build a network again.

    `observation_size` is 2 + 6 + `width` * `height` values; `num_actions` is the length of a row of Q-values.
    """

    network_type: NetworkType
    width: int
    height: int
    num_actions: int
    sizes: Sizes
    """The `Sizes` of the type."""

    def __post_init__(self) -> None:
        for name in ("width", "height", "num_actions"):
            value = getattr(self, name)
            if not 1 <= value <= _LARGEST_SIZE:
                raise NetworkError(f"The network's {name} is {value}; it must be from 1 to {_LARGEST_SIZE}.")
        if type(self.sizes) is not SIZES_OF[self.network_type]:
            raise NetworkError(f"The sizes given are not those of a {self.network_type} network.")

    @property
    def observation_size(self) -> int:
        """Values in one observation."""
        return SCALARS + self.width * self.height

    def fits(self, config: WorldConfig) -> bool:
        """Return whether the network can read a world of this configuration."""
        return (self.width, self.height) == (config.width, config.height)

    def misfit(self, name: str, config: WorldConfig) -> str:
        """Return the sentence for a model of this name whose network cannot read a world."""
        return (
            f"{name} reads a world of {self.width} x {self.height} cells; "
            f"this one has {config.width} x {config.height}."
        )

    def plain_sizes(self) -> dict[str, Any]:
        """Return the sizes as plain values: numbers and lists of numbers."""
        sizes = msgspec.structs.asdict(self.sizes)
        return {name: list(size) if isinstance(size, tuple) else size for name, size in sizes.items()}


def make_sizes(network_type: NetworkType, sizes: dict[str, Any]) -> Sizes:
    """Return the `Sizes` of a type from plain values; what is left out has its default.

    Raises `NetworkError` for an unknown type, an unknown size or one out of range.
    """
    if network_type not in SIZES_OF:
        raise NetworkError(f"There is no network type {network_type!r}; there are {', '.join(SIZES_OF)}.")
    try:
        return msgspec.convert(sizes, SIZES_OF[network_type])
    except msgspec.ValidationError as error:
        raise NetworkError(f"The sizes of a {network_type} network are wrong: {error}.") from error


def arrange(cells: int, width: int | None = None, height: int | None = None) -> tuple[int, int]:
    """Return width and height of a world of `cells` cells: those given, else those of a square.

    Raises `NetworkError` when the given ones do not fit, or none were given and no square has as many cells.
    """
    if width is not None and height is not None:
        if width * height != cells:
            raise NetworkError(
                f"The weights are for a world of {cells} cells ({SCALARS + cells} observation values), "
                f"not of {width} x {height} ({SCALARS + width * height} values)."
            )
        return width, height
    side = math.isqrt(max(cells, 0))
    if cells < 1 or side * side != cells:
        raise NetworkError(
            f"The weights take {SCALARS + cells} observation values, {SCALARS} and a grid of {cells} cells; "
            "that is no square, so say the world's width and height."
        )
    return side, side
