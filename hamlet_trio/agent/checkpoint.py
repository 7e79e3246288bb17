"""Checkpoints: a Q-network's weights and metadata in one file.

A file is a dict that `torch.save` wrote, with the keys of reference checkpoints (`q_network`,
`target_network`, `optimizer`, `epsilon`, `state_dim`, `action_dim`) and, in ours, `metadata`. A bare state
dict is read too.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from hamlet_trio.agent.metadata import (
    CheckpointMetadata,
    MetadataError,
    read_metadata,
    world_shape,
)
from hamlet_trio.agent.networks import Network, NetworkError, NetworkSpec, recognise, restore_network
from hamlet_trio.agent.safe_load import CheckpointError, read_bytes, unpack
from hamlet_trio.common.files import write_atomically
from hamlet_trio.common.text import printable
from hamlet_trio.world import ACTIONS, WorldConfig

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "CheckpointMetadata",
    "encode_checkpoint",
    "load_checkpoint",
    "parse_checkpoint",
    "save_checkpoint",
]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A network with its metadata.

    `network` is in eval mode when it was loaded. `target` and `optimizer` are state dicts from which a
    learner may continue; `epsilon` is the exploration rate that the run had reached.
    """

    network: Network
    metadata: CheckpointMetadata
    target: Mapping[str, Tensor] | None = None
    optimizer: Mapping[str, Any] | None = None
    epsilon: float = 0.0

    @property
    def spec(self) -> NetworkSpec:
        """Type, world shape and sizes of the network."""
        return self.network.spec

    def world_config(self) -> WorldConfig:
        """Return the world that the network was trained in, the usual one if the metadata name none.

        Raises `msgspec.ValidationError` for metadata that name an unusable world.
        """
        world = self.metadata.world
        return WorldConfig() if world is None else msgspec.convert(world, WorldConfig)


def load_checkpoint(
    path: str | Path,
    device: str | torch.device = "cpu",
    *,
    width: int | None = None,
    height: int | None = None,
) -> Checkpoint:
    """Read a checkpoint; its network is in eval mode on `device`, its other tensors on the CPU.

    With `width` and `height` it must be for a world of that shape; without, the shape is that of its
    metadata, else the square that fits. Nothing in the file is executed. Raises `CheckpointError`, whose
    message is one sentence beginning with the file's name, for a file that is missing, too large, damaged,
    foreign, tries to run code, or holds weights that fit no known network or are not finite.
    """
    path = Path(path)
    return parse_checkpoint(read_bytes(path), path.name, device, width=width, height=height)


def parse_checkpoint(
    data: bytes,
    name: str,
    device: str | torch.device = "cpu",
    *,
    width: int | None = None,
    height: int | None = None,
) -> Checkpoint:
    """As `load_checkpoint`, from the bytes of a file called `name`."""
    content = unpack(data, name)
    if not isinstance(content, dict):
        raise CheckpointError(f"{name} is not a checkpoint: it holds no mapping of names to weights.")
    if "q_network" not in content:
        content = {"q_network": content}
    weights = _weights(content["q_network"], name, "q_network")
    metadata = _metadata(content, name)
    stated = world_shape(metadata) if metadata else None
    if width is None or height is None:
        width, height = stated or (None, None)
    elif stated is not None and stated != (width, height):
        raise CheckpointError(
            f"{name} does not fit: it was trained in a world of {stated[0]} x {stated[1]} cells, "
            f"not of {width} x {height}."
        )
    heads = metadata.sizes.get("heads") if metadata else None
    try:
        spec = recognise(weights, width=width, height=height, heads=heads)
    except NetworkError as error:
        raise CheckpointError(f"{name} does not fit: {_lower(str(error))}") from error
    _check_agreement(content, metadata, spec, name)
    _check_finite(weights, name, "q_network")
    target = content.get("target_network")
    if target is not None:
        target = _weights(target, name, "target_network")
        if {key: tensor.shape for key, tensor in target.items()} != {
            key: tensor.shape for key, tensor in weights.items()
        }:
            raise CheckpointError(
                f"{name} is inconsistent: its target_network is not shaped as its q_network."
            )
        _check_finite(target, name, "target_network")
    network = restore_network(spec, weights).eval()
    _check_answers(network, name)
    return Checkpoint(
        network=network.to(device),
        metadata=metadata or _describe(spec),
        target=target,
        optimizer=_optimizer(content, name),
        epsilon=_epsilon(content, name),
    )


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the bytes of a checkpoint's file; equal checkpoints give equal bytes.

    The network type and sizes in the metadata are those of the network. Raises `CheckpointError` when
    weights are not finite, and `TypeError` for metadata that are not plain values.
    """
    spec = checkpoint.spec
    weights = checkpoint.network.state_dict()
    target = weights if checkpoint.target is None else checkpoint.target
    _check_finite(weights, "The checkpoint", "q_network")
    _check_finite(target, "The checkpoint", "target_network")
    metadata = msgspec.structs.replace(
        checkpoint.metadata, network_type=spec.network_type, sizes=spec.plain_sizes()
    )
    content = {
        "q_network": dict(weights),
        "target_network": dict(target),
        "optimizer": {} if checkpoint.optimizer is None else dict(checkpoint.optimizer),
        "epsilon": float(checkpoint.epsilon),
        "state_dim": spec.observation_size,
        "action_dim": spec.num_actions,
        "metadata": msgspec.to_builtins(metadata, order="deterministic"),
    }
    buffer = io.BytesIO()
    torch.save(_canonical(content, {}), buffer)
    return buffer.getvalue()


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically: a reader sees the older file or the new one.

    Raises `CheckpointError` when it cannot be written, such as on a full disk; the older file stays then.
    """
    path = Path(path)
    data = encode_checkpoint(checkpoint)
    try:
        write_atomically(path, data)
    except OSError as error:
        raise CheckpointError(
            f"{path.name} could not be saved: {error.strerror}; an older file of that name is unchanged."
        ) from error


def _weights(content: object, name: str, part: str) -> dict[str, Tensor]:
    """Return the named tensors of a state dict, of any floating type."""
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{name} is not a checkpoint: its {part} holds no weights.")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{name} is not a checkpoint: its {part} holds other things than named tensors."
            )
        if not value.is_floating_point() or value.layout != torch.strided:
            raise CheckpointError(
                f"{name} does not fit: the parameter {printable(key)} is not made of real numbers."
            )
    return content


def _check_finite(weights: Mapping[str, Tensor], name: str, part: str) -> None:
    for key, tensor in weights.items():
        if not torch.isfinite(tensor.float()).all():
            raise CheckpointError(f"{name} is useless: {part} has numbers that are not finite, in {key}.")


def _check_answers(network: Network, name: str) -> None:
    """Refuse finite weights so large that Q-values overflow, on the extremes of observations."""
    size = network.spec.observation_size
    extremes = torch.stack((torch.zeros(size), torch.ones(size), torch.full((size,), 10.0)))
    with torch.inference_mode():
        if not torch.isfinite(network(extremes)).all():
            raise CheckpointError(f"{name} is useless: its weights are so large that Q-values overflow.")


def _metadata(content: Mapping[str, Any], name: str) -> CheckpointMetadata | None:
    if "metadata" not in content:
        return None
    try:
        return read_metadata(content["metadata"])
    except MetadataError as error:
        raise CheckpointError(f"{name} {error}.") from error


def _describe(spec: NetworkSpec) -> CheckpointMetadata:
    return CheckpointMetadata(format_version=0, network_type=spec.network_type, sizes=spec.plain_sizes())


def _check_agreement(
    content: Mapping[str, Any], metadata: CheckpointMetadata | None, spec: NetworkSpec, name: str
) -> None:
    if spec.num_actions != len(ACTIONS):
        raise CheckpointError(
            f"{name} does not fit: it chooses among {spec.num_actions} actions; the world has {len(ACTIONS)}."
        )
    if metadata is not None and metadata.network_type != spec.network_type:
        raise CheckpointError(
            f"{name} is inconsistent: its metadata say {metadata.network_type}, "
            f"its weights {spec.network_type}."
        )
    for key, needed in (("state_dim", spec.observation_size), ("action_dim", spec.num_actions)):
        stated = content.get(key, needed)
        if not isinstance(stated, int) or stated != needed:
            raise CheckpointError(
                f"{name} is inconsistent: its {key} is not the {needed} that its weights were made for."
            )


def _optimizer(content: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    optimizer = content.get("optimizer")
    if optimizer is not None and not isinstance(optimizer, dict):
        raise CheckpointError(f"{name} is inconsistent: its optimizer is no state dict.")
    return optimizer or None


def _epsilon(content: Mapping[str, Any], name: str) -> float:
    epsilon = content.get("epsilon", 0.0)
    if not isinstance(epsilon, (int, float)) or not 0 <= epsilon <= 1:
        raise CheckpointError(f"{name} is inconsistent: its epsilon is not a number from 0 to 1.")
    return float(epsilon)


def _canonical(value: Any, strings: dict[str, str]) -> Any:
    """Return a copy whose pickle depends on its content alone.

    The pickler writes a repeated object as a reference, so the bytes would depend on which equal strings,
    tuples and tensors are one object: here all equal strings are one object, and nothing else is.
    """
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True).contiguous().clone()
    if isinstance(value, str):
        return strings.setdefault(value, str(value))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {_canonical(key, strings): _canonical(item, strings) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_canonical(item, strings) for item in value)
    if isinstance(value, list):
        return [_canonical(item, strings) for item in value]
    raise TypeError(f"A checkpoint holds tensors and plain values; {type(value).__name__} is neither.")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
