"""DQN and PPO of stable-baselines3, with settings that were searched for: docs/leaderboard.md says how."""

from functools import partial
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium.wrappers import TransformReward
from numpy.typing import NDArray
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_util import make_vec_env

from bench.leaderboard.contest import BUDGET, Act, Environment

WORLDS: Final = 8


def train(algorithm: str, environment: Environment, seed: int, settings: dict[str, Any]) -> tuple[Act, int]:
    """Train DQN or PPO for the whole budget; return its greedy policy and the steps that it took.

    `reward_scale` among the settings multiplies the rewards that it learns from.
    """
    scale = settings.get("reward_scale", 1.0)
    envs = make_vec_env(
        f"hamlet_trio:{environment}",
        n_envs=WORLDS,
        seed=seed,
        wrapper_class=partial(_scaled, scale=scale),
    )
    made = {"dqn": DQN, "ppo": PPO}[algorithm]
    others = {name: value for name, value in settings.items() if name != "reward_scale"}
    model = made("MlpPolicy", envs, seed=seed, device="cpu", **others)
    model.learn(BUDGET)

    def act(observations: NDArray[np.float32]) -> NDArray[Any]:
        return np.asarray(model.predict(observations, deterministic=True)[0])

    return act, model.num_timesteps


def _scaled(env: gymnasium.Env[Any, Any], scale: float) -> gymnasium.Env[Any, Any]:
    return TransformReward(env, lambda reward: scale * float(reward))
