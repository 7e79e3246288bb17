"""Ways to behave that learn nothing: what a learner has to be better than, and what it could reach."""

from collections.abc import Callable
from time import perf_counter, process_time
from typing import Final

import numpy as np

from bench.learning.ceiling import follow_rule, search
from bench.learning.playing import (
    MANY_STARTS,
    MANY_STARTS_SEED,
    RANDOM_START_SEED,
    RANDOM_STARTS,
    Act,
    Played,
    begin,
    play,
    play_by_state,
)
from bench.learning.results import Result, versions
from hamlet_trio.agent.exploration import EpsilonGreedy, Exploration, OptionExploration
from hamlet_trio.world import WorldConfig, Worlds

_EPISODES: Final = 100
_BY_STATE: Final[dict[str, Callable[[Worlds], Played]]] = {
    "rule": lambda worlds: play_by_state(follow_rule, worlds),
    "search": search,
}
"""Those that look into the world's state; the same for every seed."""


def behave(configuration: str, seed: int) -> Result:
    """Play in a way that learns nothing, from the usual start and from random ones."""
    began, began_cpu = perf_counter(), process_time()
    many: float | None = None
    if configuration in _BY_STATE:
        usual, anywhere = (
            _BY_STATE[configuration](begin(count, seed=RANDOM_START_SEED, random_start=random_start))
            for count, random_start in ((1, False), (RANDOM_STARTS, True))
        )
        if configuration == "rule":
            # Searching from so many starts would take five minutes.
            starts = begin(MANY_STARTS, seed=MANY_STARTS_SEED, random_start=True)
            many = _BY_STATE[configuration](starts).survival
    else:
        config = WorldConfig()
        exploration: Exploration = (
            OptionExploration(np.random.SeedSequence(seed), config.width, config.height)
            if configuration == "option-exploration"
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
        random_starts=RANDOM_STARTS if configuration in _BY_STATE else _EPISODES,
        random_start_completed=anywhere.completed,
        many_starts_survival=many,
        curve=[],
        wall_seconds=perf_counter() - began,
        cpu_seconds=process_time() - began_cpu,
        versions=versions(),
    )


def _play(exploration: Exploration, seed: int, *, random_start: bool) -> Played:
    """Play each episode by itself, because an option belongs to one episode."""
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
        float(np.mean([one.completed for one in played])),
    )


def _acting(exploration: Exploration) -> Act:
    def act(
        observations: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        _, actions = exploration.draw(observations, 1.0)
        exploration.record(observations, actions)
        return actions

    return act
