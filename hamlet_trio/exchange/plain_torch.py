"""Read perceptrons that were trained elsewhere, from the plain state dict that `torch.save` wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
from torch import Tensor, nn

from hamlet_trio.agent.checkpoint import Checkpoint
from hamlet_trio.agent.metadata import CheckpointMetadata
from hamlet_trio.agent.networks import NetworkError, restore_network
from hamlet_trio.agent.networks.building import recognise
from hamlet_trio.agent.safe_load import read_bytes, unpack
from hamlet_trio.common.text import printable
from hamlet_trio.exchange.comparison import ExchangeError, check_equal, q_values
from hamlet_trio.world import ACTIONS, WorldConfig
from hamlet_trio.world.config import config_or_usual

_WRAPPED: Final = ("state_dict", "model_state_dict")
"""The names under which programs save a state dict beside other things."""


def read_perceptron(path: str | Path, config: WorldConfig | None = None) -> Checkpoint:
    """Read a multilayer perceptron's state dict as a checkpoint of the network type `qnetwork`.

    The file holds linear layers in the order of their application, whatever they are called: weights
    [units, inputs], each followed by its bias [units]. The first takes the observations of the world
    `config` (the usual one by default), the last gives the Q-values of the five actions in the order of
    `ACTIONS`. Between them must be ReLU, which a state dict does not tell. The state dict may lie beside
    other things, as `state_dict` or `model_state_dict`.

    Nothing in the file is executed. Raises `CheckpointError` for a file that is missing, damaged or tries to
    run code, `ExchangeError` for weights that are no such perceptron, or not for this world, and `TypeError`
    for a `config` that is none.
    """
    path = Path(path)
    content = unpack(read_bytes(path), path.name)
    return from_state_dict(content, config, name=path.name)


def holds_weights_alone(path: Path) -> bool:
    """Return whether a file holds a state dict and nothing else; raises `CheckpointError` if unreadable."""
    content = unpack(read_bytes(path), path.name)
    return isinstance(content, Mapping) and all(isinstance(value, Tensor) for value in content.values())


def from_state_dict(
    state_dict: object, config: WorldConfig | None = None, *, name: str = "the state dict"
) -> Checkpoint:
    """As `read_perceptron`, from a state dict in memory, called `name` in messages."""
    config = config_or_usual(config)
    layers = _layers(state_dict, name)
    renamed = {
        f"layers.{2 * index}.{part}": tensor
        for index, pair in enumerate(layers)
        for part, tensor in zip(("weight", "bias"), pair, strict=True)
    }
    inputs, actions = layers[0][0].shape[1], layers[-1][0].shape[0]
    if inputs != config.observation_size or actions != len(ACTIONS):
        raise ExchangeError(
            f"{name} maps {inputs} values to {actions}; a network for this world maps the "
            f"{config.observation_size} values of an observation to the Q-values of {len(ACTIONS)} actions."
        )
    try:
        spec = recognise(renamed, width=config.width, height=config.height)
    except NetworkError as error:
        raise ExchangeError(f"{name} is no perceptron that can be played: {error}") from error
    network = restore_network(spec, renamed).eval()
    other = _sequential(layers)
    check_equal(network, config, lambda rows: q_values(other, rows), "The checkpoint")
    metadata = CheckpointMetadata(
        network_type=spec.network_type, sizes=spec.plain_sizes(), world=msgspec.to_builtins(config)
    )
    return Checkpoint(network=network, metadata=metadata)


def _layers(content: object, name: str) -> list[tuple[Tensor, Tensor]]:
    """Return weight and bias of each linear layer, in order."""
    if isinstance(content, Mapping):
        content = next((content[key] for key in _WRAPPED if isinstance(content.get(key), Mapping)), content)
    if not isinstance(content, Mapping) or not content:
        raise ExchangeError(f"{name} is no state dict: it holds no mapping of names to weights.")
    for key, value in content.items():
        if isinstance(value, Mapping):
            raise ExchangeError(
                f"{name} is no state dict: {printable(str(key))} holds a mapping in place of a weight; save "
                "the state dict alone, or as `state_dict`."
            )
    keys = [printable(str(key)) for key in content]
    tensors = list(content.values())
    layers: list[tuple[Tensor, Tensor]] = []
    for index in range(0, len(keys), 2):
        named, pair = " and ".join(keys[index : index + 2]), tensors[index : index + 2]
        units = layers[-1][0].shape[0] if layers else None
        if not _is_linear(pair, units):
            raise ExchangeError(
                f"{name} is no plain perceptron: {named} must be the weight and bias of a linear layer that "
                "takes what the layer before it gives."
            )
        weight, bias = pair
        if not (torch.isfinite(weight).all() and torch.isfinite(bias).all()):
            raise ExchangeError(f"{name} is useless: {named} hold numbers that are not finite.")
        layers.append((weight.float(), bias.float()))
    return layers


def _is_linear(pair: list[Any], inputs: int | None) -> bool:
    """Return whether these are weight and bias of a linear layer of so many inputs, None for any number."""
    if len(pair) < 2 or not all(isinstance(part, Tensor) and part.is_floating_point() for part in pair):
        return False
    weight, bias = pair
    if weight.dim() != 2 or bias.shape != weight.shape[:1] or not weight.numel():
        return False
    return inputs is None or weight.shape[1] == inputs


def _sequential(layers: list[tuple[Tensor, Tensor]]) -> nn.Sequential:
    """Return the perceptron as torch's own modules."""
    modules: list[nn.Module] = []
    for weight, bias in layers:
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data.copy_(weight)
        linear.bias.data.copy_(bias)
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])
