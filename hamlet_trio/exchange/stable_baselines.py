"""Write networks as agents of stable-baselines3, which its `DQN.load` reads."""

import io
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from hamlet_trio.agent.checkpoint import Checkpoint
from hamlet_trio.agent.networks import Network, NetworkSpec, QNetwork, build_network
from hamlet_trio.common.files import write_atomically
from hamlet_trio.exchange.comparison import ExchangeError, check_equal, q_values
from hamlet_trio.world import WorldConfig

try:
    from gymnasium import spaces
    from stable_baselines3 import DQN
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
except ImportError as error:
    raise ExchangeError("stable-baselines3 is not installed; pip install 'hamlet-trio[bench]'.") from error

from hamlet_trio.envs.gymnasium_env import HamletEnv


class HamletQValues(BaseFeaturesExtractor):
    """A network of Hamlet's as a features extractor of stable-baselines3: its features are the Q-values."""

    def __init__(self, observation_space: spaces.Box, spec: dict[str, Any]) -> None:
        """Build the network of a spec in plain values, as `plain_spec` gives them, with random weights."""
        super().__init__(observation_space, features_dim=spec["num_actions"])
        self.network = build_network(
            spec["network_type"],
            observation_space.shape[0],
            spec["num_actions"],
            spec["width"],
            spec["height"],
            **spec["sizes"],
        )

    def forward(self, observations: Tensor) -> Tensor:
        """Return the Q-values [n, actions] of observations."""
        values: Tensor = self.network(observations)
        return values


def plain_spec(spec: NetworkSpec) -> dict[str, Any]:
    """Return a network's spec as plain values."""
    fields: dict[str, Any] = msgspec.to_builtins(spec)
    return fields | {"sizes": spec.plain_sizes()}


def write_stable_baselines(checkpoint: Checkpoint, path: Path, config: WorldConfig) -> float:
    """Write a checkpoint as an agent for `DQN.load`; return the largest difference of Q-values.

    A `qnetwork` becomes stable-baselines3's own `MlpPolicy`, which can be loaded without Hamlet. Any other
    network becomes the features extractor `HamletQValues` with an identity behind it, for which Hamlet must
    be installed. The file is written once it was read back and seen to give the network's Q-values.

    Raises `ExchangeError` if the Q-values differ, and `OSError` if the file cannot be written.
    """
    network = checkpoint.network
    agent = DQN(
        "MlpPolicy", HamletEnv(config=config), device="cpu", policy_kwargs=_policy(network), buffer_size=1
    )
    for part in (agent.policy.q_net, agent.policy.q_net_target):
        _fill(part, network)
    buffer = io.BytesIO()
    agent.save(buffer)
    data = buffer.getvalue()
    loaded = DQN.load(io.BytesIO(data), device="cpu")
    difference = check_equal(
        network, config, lambda rows: q_values(loaded.policy.q_net, rows), "The agent of stable-baselines3"
    )
    write_atomically(path, data)
    return difference


def _policy(network: Network) -> dict[str, Any]:
    """Return the arguments of the policy that has the network's shape."""
    if isinstance(network, QNetwork):
        return {"net_arch": network.spec.plain_sizes()["hidden"]}
    return {
        "net_arch": [],
        "features_extractor_class": HamletQValues,
        "features_extractor_kwargs": {"spec": plain_spec(network.spec)},
    }


def _fill(part: Any, network: Network) -> None:
    """Give a Q-network of stable-baselines3 the network's weights."""
    if isinstance(network, QNetwork):
        part.q_net.load_state_dict(network.layers.state_dict())
        return
    part.features_extractor.network.load_state_dict(network.state_dict())
    identity = part.q_net[0]
    assert isinstance(identity, nn.Linear)
    with torch.no_grad():
        identity.weight.copy_(torch.eye(network.spec.num_actions))
        identity.bias.zero_()
