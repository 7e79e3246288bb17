"""A thousand worlds stepped at once, as arrays: how long does random play live?"""

import numpy as np

from hamlet_trio.world import Worlds

worlds = Worlds(1000, seed=1)
worlds.reset()
rng = np.random.default_rng(1)
running = np.arange(worlds.num_worlds)
while len(running):
    result = worlds.step(rng.integers(0, 5, len(running)), worlds=running)
    over = (result.terminated | result.truncated).all(axis=1)
    running = running[~over]
print(f"random play lives {worlds.steps.mean():.1f} steps on average")
