"""Step 64 worlds at once through Gymnasium: python docs/samples/vector_env.py"""

import gymnasium

envs = gymnasium.make_vec("hamlet_trio:Hamlet-random-v0", num_envs=64)
envs.action_space.seed(1)
observations, infos = envs.reset(seed=1)
ended = 0
for _ in range(500):
    observations, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
    ended += int(terminations.sum() + truncations.sum())
print(f"{observations.shape} observations, {ended} episodes ended")
envs.close()
