"""Score a policy as the leaderboard does: here, one that draws each action evenly."""

import gymnasium
import numpy as np

generator = np.random.default_rng(1)


def act(observations):
    """Return actions (n,) for observations (n, 72)."""
    return generator.integers(5, size=len(observations))


for name in ("Hamlet-v0", "Hamlet-random-v0"):
    envs = gymnasium.make_vec(f"hamlet_trio:{name}", num_envs=300)
    observations, _ = envs.reset(seed=1_000_000)  # episode i begins with the seed 1,000,000 + i
    survived, running = np.zeros(300), np.ones(300, dtype=bool)
    while running.any():
        observations, _, terminated, truncated, _ = envs.step(act(observations))
        survived += running
        running &= ~(terminated | truncated)
    print(f"{name}: survives {survived.mean():.1f} of 500 steps")
