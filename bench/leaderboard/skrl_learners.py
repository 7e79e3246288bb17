"""DQN and PPO of skrl, with the network and the settings of stable-baselines3's as far as it has them."""

import logging
from typing import Any, Final

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from skrl.agents.torch.dqn import DQN, DQN_CFG
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, Model
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed

from bench.leaderboard.contest import BUDGET, Act, Environment

WORLDS: Final = 8
_QUIET: Final = {"write_interval": 0, "checkpoint_interval": 0}


class _Perceptron(Model):  # type: ignore[misc] # skrl is not typed
    """A perceptron as stable-baselines3's `MlpPolicy` makes it: two layers of 64 units."""

    def __init__(self, env: Any, outputs: int, activation: type[torch.nn.Module]) -> None:
        Model.__init__(
            self, observation_space=env.observation_space, action_space=env.action_space, device="cpu"
        )
        self.net = torch.nn.Sequential(
            torch.nn.Linear(self.num_observations, 64),
            activation(),
            torch.nn.Linear(64, 64),
            activation(),
            torch.nn.Linear(64, outputs),
        )

    def random_act(self, inputs: dict[str, Any], *, role: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
        # skrl's own draws from a fresh copy of the space's generator, the same actions each time.
        return torch.randint(self.action_space.n, (len(inputs["observations"]), 1)), {}

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
        return self.net(inputs["observations"]), {}


class _Values(DeterministicMixin, _Perceptron):  # type: ignore[misc] # skrl is not typed
    def __init__(self, env: Any, outputs: int, activation: type[torch.nn.Module]) -> None:
        _Perceptron.__init__(self, env, outputs, activation)
        DeterministicMixin.__init__(self)


class _Actions(CategoricalMixin, _Perceptron):  # type: ignore[misc] # skrl is not typed
    def __init__(self, env: Any, outputs: int, activation: type[torch.nn.Module]) -> None:
        _Perceptron.__init__(self, env, outputs, activation)
        CategoricalMixin.__init__(self)


def train(algorithm: str, environment: Environment, seed: int, settings: dict[str, Any]) -> tuple[Act, int]:
    """Train DQN or PPO for the whole budget; return its greedy policy and the steps that it took."""
    logging.getLogger("skrl").setLevel(logging.WARNING)
    set_seed(seed)
    # With next-step autoreset skrl would learn from the steps that only begin an episode.
    name = f"hamlet_trio:{environment}"
    env = wrap_env(gymnasium.make_vec(name, WORLDS, autoreset_mode="SameStep"), wrapper="gymnasium")
    agent, net = (_dqn if algorithm == "dqn" else _ppo)(env, settings)
    timesteps = BUDGET // WORLDS
    quiet = {"timesteps": timesteps, "headless": True, "disable_progressbar": True}
    SequentialTrainer(env=env, agents=agent, cfg=quiet).train()

    def act(observations: NDArray[np.float32]) -> NDArray[Any]:
        with torch.no_grad():
            return np.asarray(net(torch.as_tensor(observations)).argmax(dim=1))

    return act, timesteps * WORLDS


def _dqn(env: Any, settings: dict[str, Any]) -> tuple[DQN, torch.nn.Module]:
    models = {
        role: _Values(env, env.action_space.n, torch.nn.ReLU) for role in ("q_network", "target_q_network")
    }
    exploring = settings["exploration_fraction"]
    cfg = DQN_CFG(
        learning_rate=settings["learning_rate"],
        batch_size=settings["batch_size"],
        gradient_steps=settings["gradient_steps"],
        discount_factor=settings["gamma"],
        # It counts a step of all worlds as one.
        learning_starts=settings["learning_starts"] // WORLDS,
        polyak=1.0,
        target_update_interval=settings["target_update_interval"] * settings["gradient_steps"] // WORLDS,
        exploration_scheduler=lambda step, steps: max(0.05, 1 - 0.95 * step / (exploring * steps)),
        rewards_shaper=lambda rewards, step, steps: rewards * settings["reward_scale"],
        experiment=_QUIET,
    )
    memory = RandomMemory(
        memory_size=settings["buffer_size"] // WORLDS, num_envs=WORLDS, device="cpu", replacement=True
    )
    return _agent(DQN, env, models, memory, cfg), models["q_network"].net


def _ppo(env: Any, settings: dict[str, Any]) -> tuple[PPO, torch.nn.Module]:
    models = {
        "policy": _Actions(env, env.action_space.n, torch.nn.Tanh),
        "value": _Values(env, 1, torch.nn.Tanh),
    }
    cfg = PPO_CFG(
        rollouts=settings["n_steps"],
        learning_epochs=settings["n_epochs"],
        mini_batches=settings["n_steps"] * WORLDS // settings["batch_size"],
        learning_rate=settings["learning_rate"],
        discount_factor=settings["gamma"],
        entropy_loss_scale=settings["ent_coef"],
        value_loss_scale=0.5,
        value_clip=0.0,
        rewards_shaper=lambda rewards, step, steps: rewards * settings["reward_scale"],
        experiment=_QUIET,
    )
    memory = RandomMemory(memory_size=settings["n_steps"], num_envs=WORLDS, device="cpu")
    return _agent(PPO, env, models, memory, cfg), models["policy"].net


def _agent(made: type[Any], env: Any, models: dict[str, Any], memory: RandomMemory, cfg: Any) -> Any:
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    return made(models=models, memory=memory, cfg=cfg, device="cpu", **spaces)
