"""Write networks as agents of stable-baselines3, which its `DQN.load` reads."""

import io
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from hamlet_trio.agent.checkpoint import Checkpoint
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.networks import Network, NetworkSpec, QNetwork, build_network
from hamlet_trio.common.files import write_atomically
from hamlet_trio.common.text import printable
from hamlet_trio.envs.env_common import observation_limits
from hamlet_trio.exchange.comparison import ExchangeError, check_equal, q_values
from hamlet_trio.world import ACTIONS, WorldConfig

try:
    from gymnasium import spaces
    from stable_baselines3 import DQN
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
except ImportError as error:
    raise ExchangeError("stable-baselines3 is not installed; pip install 'hamlet-trio[bench]'.") from error

_LEARNT_WITH: Final = ("learning_rate", "gamma", "batch_size", "buffer_capacity")
"""The settings of a learner that the parameters of a checkpoint hold."""


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


def write_stable_baselines(checkpoint: Checkpoint, path: str | Path, config: WorldConfig) -> float:
    """Write a checkpoint as an agent for `DQN.load`; return the largest difference of Q-values.

    A `qnetwork` becomes stable-baselines3's own `MlpPolicy`, which can be loaded without Hamlet. Any other
    network becomes the features extractor `HamletQValues` with an identity behind it, for which Hamlet must
    be installed. The agent learns on with the checkpoint's settings and exploration rate, from rewards of the
    scale that the checkpoint learnt from. For a world of several agents its observations are those of
    `parallel_env`. The file is written once it was read back and seen to give the network's Q-values.

    Raises `ExchangeError` if the Q-values differ or a setting is not allowed, and `OSError` if the file
    cannot be written.
    """
    path = Path(path)
    network = checkpoint.network
    agent = _new_agent(checkpoint, config)
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


def _new_agent(checkpoint: Checkpoint, config: WorldConfig) -> DQN:
    """Return an agent without an environment, with random weights, as `DQN.load` makes one."""
    settings = _settings(checkpoint)
    agent = DQN(
        "MlpPolicy",
        None,  # type: ignore[arg-type]  # an environment is given to `load` or `set_env`
        device="cpu",
        policy_kwargs=_policy(checkpoint.network),
        learning_rate=settings.learning_rate,
        gamma=settings.gamma,
        batch_size=settings.batch_size,
        buffer_size=settings.buffer_capacity,
        # Actions are random until then, although this agent need not begin anew.
        learning_starts=settings.batch_size,
        train_freq=1,
        tau=settings.tau,
        target_update_interval=1,
        exploration_initial_eps=checkpoint.epsilon,
        exploration_final_eps=checkpoint.epsilon,
        _init_setup_model=False,
    )
    low, high = observation_limits(config)
    agent.observation_space = spaces.Box(low, high, dtype=np.float32)
    agent.action_space = spaces.Discrete(len(ACTIONS))
    agent.n_envs = 1
    agent._setup_model()
    return agent


def _settings(checkpoint: Checkpoint) -> LearnerConfig:
    """Return the settings that a checkpoint was trained with at last, as far as it tells them."""
    parameters = checkpoint.metadata.parameters
    known = {name: parameters[name] for name in _LEARNT_WITH if name in parameters}
    match checkpoint.optimizer:
        case {"param_groups": [{"lr": rate}]}:  # it falls in the course of a run
            known["learning_rate"] = rate
    try:
        return msgspec.convert(known, LearnerConfig)
    except msgspec.ValidationError as error:
        raise ExchangeError(f"The model's parameters cannot be used: {printable(error, 200)}.") from error


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
