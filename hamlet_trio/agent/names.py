"""The names of the Q-networks, for parts that must not wait for torch to be imported."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

NetworkType = Literal[
    "egocentric", "options", "qnetwork", "dueling", "spatial", "spatial_dueling", "relational"
]

NETWORK_TYPES: Final[Mapping[NetworkType, str]] = MappingProxyType(
    {
        "egocentric": "a small dueling perceptron that reads off the map where each place lies",
        "options": "values walks to places, each with the use of its place, instead of single steps",
        "qnetwork": "a multilayer perceptron over the whole observation",
        "dueling": "a multilayer perceptron that adds a state value and action advantages",
        "spatial": "a convolution over the grid joined with a perceptron over position and meters",
        "spatial_dueling": "the spatial network with a state value and action advantages",
        "relational": "attention among the six meters, joined with the grid and the position; dueling",
    }
)
"""Every network type with what it is, in one line."""
