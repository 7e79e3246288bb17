"""Worlds of other places and sizes, and training steps, for several tests of learners."""

import msgspec
import numpy as np

from hamlet_trio.agent.learner import DQNLearner
from hamlet_trio.agent.networks import OptionsNetwork, build_network
from hamlet_trio.world import WorldConfig, Worlds

DEFAULT = WorldConfig()
_KEPT = [place for place in DEFAULT.affordances if place.name in {"Bed", "HomeMeal", "Job", "Bar"}]
FEWER = WorldConfig(
    affordances=tuple(_KEPT),
    meals=("HomeMeal",),
    meters=tuple(
        msgspec.structs.replace(
            meter, place=meter.place if meter.place in {place.name for place in _KEPT} else None
        )
        for meter in DEFAULT.meters
    ),
)
MOVED = WorldConfig(
    affordances=tuple(
        msgspec.structs.replace(place, x=7 - place.x, y=(place.y + 2) % 8) for place in DEFAULT.affordances
    )
)
WIDE = WorldConfig(
    width=11,
    height=3,
    start=(5, 1),
    affordances=tuple(
        msgspec.structs.replace(place, x=index + 2, y=index % 3)
        for index, place in enumerate(DEFAULT.affordances)
    ),
)


def network_for(world: WorldConfig) -> OptionsNetwork:
    """An untrained network of options to the places of a world."""
    codes = tuple(sorted(place.code for place in world.affordances))
    network = build_network(
        "options", world.observation_size, 5, world.width, world.height, places=len(codes)
    )
    assert isinstance(network, OptionsNetwork)
    network.set_places(world, codes)
    return network


def train(learner: DQNLearner, worlds: Worlds, steps: int) -> None:
    """Steps of both worlds; short episodes, so that terminations and truncations come."""
    for _ in range(steps):
        observations = worlds.observe()[:, 0]
        actions = learner.act(observations, 0.4)
        result = worlds.step(actions)
        learner.remember(
            observations=observations,
            actions=actions,
            rewards=result.rewards[:, 0],
            next_observations=worlds.observe()[:, 0],
            terminated=result.terminated[:, 0],
            truncated=result.truncated[:, 0],
        )
        learner.learn()
        over = np.flatnonzero(worlds.over)
        if over.size:
            worlds.reset(over, random_start=True)
