"""Measure stable-baselines3's DQN on `Hamlet-v0`, with the same network, batch and one update a step."""

from time import process_time

import gymnasium
import numpy as np
from stable_baselines3 import DQN
from stable_baselines3.common.callbacks import BaseCallback

from bench.training.ours import BATCH, EPSILON

_HIDDEN = (128, 128)


class StableBaselines:
    """Train one model that continues from one measurement to the next, with updates so many at once."""

    def __init__(self, *, at_once: int = 1) -> None:
        self._at_once = at_once
        self._model = DQN(
            "MlpPolicy",
            gymnasium.make("hamlet_trio:Hamlet-v0"),
            buffer_size=10_000,
            learning_starts=BATCH,
            batch_size=BATCH,
            train_freq=at_once,
            gradient_steps=at_once,
            exploration_initial_eps=EPSILON,
            exploration_final_eps=EPSILON,
            policy_kwargs={"net_arch": list(_HIDDEN)},
            seed=1,
            device="cpu",
        )
        self._model.learn(4 * BATCH)

    def rate(self, seconds: float) -> float:
        """Return environment steps a second over `seconds` of processor time."""
        before, updates, began = self._model.num_timesteps, self._model._n_updates, process_time()
        self._model.learn(10**9, callback=_Until(began + seconds), reset_num_timesteps=False)
        steps = self._model.num_timesteps - before
        made = self._model._n_updates - updates
        assert made >= steps - self._at_once, "every step is followed by an update"
        return steps / (process_time() - began)


class _Until(BaseCallback):
    """End learning at a moment of processor time."""

    def __init__(self, end: float) -> None:
        super().__init__()
        self._end = end

    def _on_step(self) -> bool:
        return process_time() < self._end


class StableBaselinesActing:
    """Act greedily with its policy in one environment."""

    def __init__(self) -> None:
        self._environment = gymnasium.make("hamlet_trio:Hamlet-v0")
        self._model = DQN(
            "MlpPolicy", self._environment, policy_kwargs={"net_arch": list(_HIDDEN)}, seed=1, device="cpu"
        )

    def rate(self, seconds: float) -> float:
        """Return environment steps a second over `seconds` of processor time."""
        observation, _ = self._environment.reset(seed=1)
        began, steps = process_time(), 0
        while (elapsed := process_time() - began) < seconds:
            for _ in range(16):
                action, _ = self._model.predict(observation, deterministic=True)
                observation, _, terminated, truncated, _ = self._environment.step(np.int64(action))
                if terminated or truncated:
                    observation, _ = self._environment.reset()
            steps += 16
        return steps / elapsed
