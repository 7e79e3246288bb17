"""Ways to behave that learn nothing: what a learner has to be better than."""

from time import perf_counter, process_time
from typing import Final

import numpy as np

from bench.learning.playing import Act, Played, play
from bench.learning.results import Result, versions
from hamlet_trio.agent.exploration import EpsilonGreedy, Exploration, OptionExploration
from hamlet_trio.world import WorldConfig

_EPISODES: Final = 100


def behave(configuration: str, seed: int) -> Result:
    """`random` or `errands` play, a hundred episodes from the usual start and as many from random ones."""
    began, began_cpu = perf_counter(), process_time()
    config = WorldConfig()
    exploration: Exploration = (
        OptionExploration(np.random.SeedSequence(seed), config.width, config.height)
        if configuration == "errands"
        else EpsilonGreedy(np.random.SeedSequence(seed))
    )
    usual = _play(exploration, seed, random_start=False)
    anywhere = _play(exploration, seed, random_start=True)
    return Result(
        configuration=configuration,
        episodes=0,
        seed=seed,
        steps=0,
        updates=0,
        survival=usual.survival,
        episode_return=usual.episode_return,
        random_start_survival=anywhere.survival,
        curve=[],
        wall_seconds=perf_counter() - began,
        cpu_seconds=process_time() - began_cpu,
        versions=versions(),
    )


def _play(exploration: Exploration, seed: int, *, random_start: bool) -> Played:
    """Each episode by itself, for an errand belongs to one episode."""
    played = []
    for episode in range(_EPISODES):
        exploration.begin(1)
        # Seeds of random starts are the configuration's own, not those that learners are measured from.
        played.append(
            play(_acting(exploration), 1, seed=seed * _EPISODES + episode, random_start=random_start)
        )
    return Played(
        float(np.mean([one.survival for one in played])),
        float(np.mean([one.episode_return for one in played])),
    )


def _acting(exploration: Exploration) -> Act:
    def act(
        observations: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        _, actions = exploration.draw(observations, 1.0)
        exploration.record(observations, actions)
        return actions

    return act
