"""Building a Q-network from names and sizes, and recognising one from the keys and shapes of its weights."""

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import torch
from torch import Tensor, nn

from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks.egocentric import EgocentricNetwork
from hamlet_trio.agent.networks.layers import Network, Shapes
from hamlet_trio.agent.networks.options_network import OptionsNetwork
from hamlet_trio.agent.networks.perceptrons import DuelingNetwork, QNetwork
from hamlet_trio.agent.networks.relational import RelationalNetwork
from hamlet_trio.agent.networks.spatial import SpatialDuelingNetwork, SpatialNetwork
from hamlet_trio.agent.networks.spec import SCALARS, NetworkError, NetworkSpec, arrange, make_sizes
from hamlet_trio.common.text import printable

NETWORKS: Final[dict[NetworkType, type[Network]]] = {
    network.network_type: network
    for network in (
        EgocentricNetwork,
        OptionsNetwork,
        QNetwork,
        DuelingNetwork,
        SpatialNetwork,
        SpatialDuelingNetwork,
        RelationalNetwork,
    )
}

MAX_PARAMETERS: Final = 8_000_000
"""A network may have at most this many numbers; the largest reference network has a third of a million."""

_MAX_KEYS: Final = 512


def build_network(
    network_type: NetworkType,
    observation_size: int,
    num_actions: int,
    width: int,
    height: int,
    *,
    generator: torch.Generator | None = None,
    **sizes: Any,
) -> Network:
    """Build a network on the CPU with random weights.

    Sizes left out have the defaults of `networks.spec`. Weights are drawn from `generator`, else from one
    seeded with 0; torch's global generator is never touched. Raises `NetworkError` for an unknown type or
    size, an `observation_size` that is not 8 + `width` * `height`, or more than `MAX_PARAMETERS` parameters.
    """
    arrange(observation_size - SCALARS, width, height)
    spec = NetworkSpec(
        network_type=network_type,
        width=width,
        height=height,
        num_actions=num_actions,
        sizes=make_sizes(network_type, sizes),
    )
    return build_from_spec(spec, generator=generator)


def build_from_spec(spec: NetworkSpec, *, generator: torch.Generator | None = None) -> Network:
    """As `build_network`, from a spec."""
    outline = _outline(spec)
    _check_count(sum(parameter.numel() for parameter in outline.parameters()))
    network = _allocated(outline)
    network.initialise(torch.Generator().manual_seed(0) if generator is None else generator)
    return network


def restore_network(spec: NetworkSpec, state_dict: Mapping[str, Tensor]) -> Network:
    """Return a network on the CPU with the given weights, copied and as float32; they must fit the spec."""
    network = _allocated(_outline(spec))
    network.load_state_dict(state_dict)
    return network


def _outline(spec: NetworkSpec) -> Network:
    """Return the network on the meta device: shapes without memory, and no use of the global generator."""
    network_class: Any = NETWORKS[spec.network_type]
    with torch.device("meta"):
        network: Network = network_class(spec, spec.sizes)
    return network


def _allocated(outline: Network) -> Network:
    """Return the network with uninitialised memory on the CPU for its parameters and buffers.

    `nn.Module.to_empty` would do, but its first use imports 485 modules of torch's symbolic shapes: 0.4 s.
    """
    for module in outline.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape, device="cpu")))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, torch.empty(buffer.shape, device="cpu"))
    return outline


def recognise(
    state_dict: Mapping[str, Tensor],
    *,
    width: int | None = None,
    height: int | None = None,
    heads: int | None = None,
) -> NetworkSpec:
    """Return the spec of the network that weights belong to, from their keys and shapes.

    Weights tell how many cells the world has; `width` and `height` say how they are arranged (a square by
    default), `heads` how many attention heads a relational network has (four by default). Values are not
    looked at. Raises `NetworkError` when a key is missing or too many, a shape does not fit, there are more
    than `MAX_PARAMETERS` numbers, or the world is another one.
    """
    if not state_dict:
        raise NetworkError("There are no weights in it.")
    if len(state_dict) > _MAX_KEYS:
        raise NetworkError(
            f"It has {len(state_dict)} parameters; no known network has more than {_MAX_KEYS}."
        )
    shapes = {key: tuple(tensor.shape) for key, tensor in state_dict.items()}
    _check_count(sum(math.prod(shape) for shape in shapes.values()))
    network_class = _closest(shapes)
    cells, actions, sizes = network_class.read_shapes(shapes)
    if heads is not None and network_class is RelationalNetwork:
        sizes = make_sizes("relational", msgspec.to_builtins(sizes) | {"heads": heads})
    width, height = arrange(cells, width, height)
    spec = NetworkSpec(
        network_type=network_class.network_type, width=width, height=height, num_actions=actions, sizes=sizes
    )
    _compare(shapes, spec)
    return spec


def _check_count(count: int) -> None:
    if count > MAX_PARAMETERS:
        raise NetworkError(
            f"The network's parameters hold {count:,} numbers; more than {MAX_PARAMETERS:,} are refused."
        )


def _closest(shapes: Shapes) -> type[Network]:
    parts = {key.partition(".")[0] for key in shapes}
    best = max(NETWORKS.values(), key=lambda network: len(parts & network.parts) / len(parts | network.parts))
    if not parts & best.parts:
        found = ", ".join(sorted(parts)[:3])
        raise NetworkError(
            f"Its parameters ({printable(found)}) belong to no known network; "
            f"known are {', '.join(NETWORKS)}."
        )
    return best


def _compare(shapes: Shapes, spec: NetworkSpec) -> None:
    expected = {key: tuple(tensor.shape) for key, tensor in _outline(spec).state_dict().items()}
    kind = f"a {spec.network_type} network"
    for key in expected:
        if key not in shapes:
            raise NetworkError(f"The parameter {key} of {kind} is missing.")
    for key, shape in shapes.items():
        if key not in expected:
            raise NetworkError(f"The parameter {printable(key)} does not belong to {kind}.")
        if shape != expected[key]:
            raise NetworkError(
                f"The parameter {key} of {kind} has shape {list(shape)}; {list(expected[key])} is needed."
            )
