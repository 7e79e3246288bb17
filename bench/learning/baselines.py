"""Runs of stable-baselines3's DQN and PPO as they come, on `Hamlet-v0`."""

from time import perf_counter, process_time
from typing import Any, Final

import gymnasium
import numpy as np
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback

from bench.learning.playing import RANDOM_STARTS, Act, play, play_greedily
from bench.learning.results import Point, Result, versions

_EVALUATIONS: Final = 20


def train(configuration: str, episodes: int, seed: int, *, steps: int) -> Result:
    """Train DQN or PPO, as the configuration's name says, with its own defaults for so many steps.

    PPO fills whole rollouts, so it makes up to 2,047 steps more. `episodes` only names the run whose steps
    these are.
    """
    began, began_cpu = perf_counter(), process_time()
    made = DQN if "dqn" in configuration else PPO
    environment = gymnasium.make("hamlet_trio:Hamlet-v0")
    model = made("MlpPolicy", environment, seed=seed, device="cpu")

    def act(observations: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.asarray(model.predict(observations, deterministic=True)[0], dtype=np.int64)

    curve = _Curve(act, every=max(steps // _EVALUATIONS, 1))
    model.learn(steps, callback=curve)
    wall, cpu = perf_counter() - began, process_time() - began_cpu
    usual, anywhere, many = play_greedily(act)
    return Result(
        configuration=configuration,
        episodes=episodes,
        seed=seed,
        steps=model.num_timesteps,
        updates=int(model._n_updates),
        survival=usual.survival,
        episode_return=usual.episode_return,
        random_start_survival=anywhere.survival,
        random_starts=RANDOM_STARTS,
        random_start_completed=anywhere.completed,
        many_starts_survival=many.survival,
        curve=curve.points,
        wall_seconds=wall,
        cpu_seconds=cpu,
        versions=versions("stable-baselines3", "gymnasium"),
    )


class _Curve(BaseCallback):
    """Plays a greedy episode now and then."""

    def __init__(self, act: Act, every: int) -> None:
        super().__init__()
        self.points: list[Point] = []
        self._act, self._every, self._episodes = act, every, 0

    def _on_step(self) -> bool:
        self._episodes += int(np.count_nonzero(self.locals["dones"]))
        if self.n_calls % self._every == 0:
            played = play(self._act, 1)
            self.points.append(
                Point(
                    episode=self._episodes,
                    steps=self.num_timesteps,
                    survival=played.survival,
                    episode_return=played.episode_return,
                )
            )
        return True
