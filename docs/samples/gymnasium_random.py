"""One random episode through Gymnasium."""

import gymnasium

env = gymnasium.make("hamlet_trio:Hamlet-v0")
env.action_space.seed(1)
observation, info = env.reset(seed=1)
steps, total = 0, 0.0
terminated = truncated = False
while not (terminated or truncated):
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    steps, total = steps + 1, total + float(reward)
print(f"{steps} steps, return {total:.1f}, ended by {info['failure_reason'] or 'the step limit'}")
print(f"observation {observation.shape} {observation.dtype}, money left {info['meters']['money']}")
