"""A world of one's own: its size, a place, a meter and the reward; and what is said of a wrong value."""

from hamlet_trio.world import Worlds
from hamlet_trio.world.world_file import WorldError, make_config

fields = {
    "width": 10,
    "height": 9,
    "max_steps": 200,
    "num_agents": 2,
    "affordances": {
        "Gym": False,
        "Lake": {"type": "Recreation", "code": 8, "x": 5, "y": 4, "effects": {"mood": 20, "energy": -5}},
    },
    "meters": {"social": {"drain": 0.3, "start": 80}, "mood": {"start": 60, "place": "Lake"}},
    "shaped": {"proximity_scale": 0.0, "mood": {"values": [1.0, 0.5, -0.3, -1.0]}},
}
worlds = Worlds(4, make_config(fields), seed=1)  # what `fields` leaves out is as in the usual world
result = worlds.step([[0, 4]] * 4)  # in each world agent_0 goes up; agent_1, beside it, uses the Lake
print(worlds.positions.shape, worlds.meters.shape, result.rewards.shape)
print("used:", worlds.config.affordances[result.interacted[0, 1]].name, "mood:", worlds.meters[0, :, 4])

try:
    make_config({"max_steps": 0})
except WorldError as error:
    print(error)
