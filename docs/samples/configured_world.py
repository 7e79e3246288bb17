"""A smaller, kinder world, and what happens when a value is not allowed."""

from hamlet_trio.world import ConfigError, WorldConfig, Worlds

config = WorldConfig(width=8, height=8, max_steps=200, loneliness_mood=1.0, num_agents=2)
worlds = Worlds(4, config, seed=1)
result = worlds.step([[0, 4]] * 4)  # in each world agent_0 goes up, agent_1 interacts
print(worlds.positions.shape, worlds.meters.shape, result.rewards.shape)

try:
    WorldConfig(max_steps=0)
except ConfigError as error:
    print(error)
