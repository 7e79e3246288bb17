"""The Q-networks: build one, recognise one from its weights. Importing this imports torch."""

from hamlet_trio.agent.networks.building import (
    MAX_PARAMETERS,
    NETWORKS,
    build_from_spec,
    build_network,
    recognise,
    restore_network,
)
from hamlet_trio.agent.networks.egocentric import EgocentricNetwork
from hamlet_trio.agent.networks.grid import GridNetwork
from hamlet_trio.agent.networks.layers import Network
from hamlet_trio.agent.networks.options_network import OptionsNetwork
from hamlet_trio.agent.networks.perceptrons import DuelingNetwork, QNetwork
from hamlet_trio.agent.networks.relational import RelationalNetwork
from hamlet_trio.agent.networks.spatial import SpatialDuelingNetwork, SpatialNetwork
from hamlet_trio.agent.networks.spec import NetworkError, NetworkSpec

__all__ = [
    "MAX_PARAMETERS",
    "NETWORKS",
    "DuelingNetwork",
    "EgocentricNetwork",
    "GridNetwork",
    "Network",
    "NetworkError",
    "NetworkSpec",
    "OptionsNetwork",
    "QNetwork",
    "RelationalNetwork",
    "SpatialDuelingNetwork",
    "SpatialNetwork",
    "build_from_spec",
    "build_network",
    "recognise",
    "restore_network",
]
