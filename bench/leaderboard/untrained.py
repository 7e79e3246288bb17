"""Contenders that learn nothing: random play, the rule and the planner that know the world's rules."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from bench.leaderboard.contest import CAP, EPISODES, FIRST_SEED, Act, Environment, Score
from bench.learning.ceiling import follow_rule, search
from bench.learning.playing import Played, play_by_state
from hamlet_trio.world import ACTIONS, WorldConfig, Worlds


def random_play(seed: int) -> Act:
    """Return a policy that draws each action evenly."""
    generator = np.random.default_rng(seed)

    def act(observations: NDArray[np.float32]) -> NDArray[Any]:
        return generator.integers(len(ACTIONS), size=len(observations))

    return act


def follow_the_rule(environment: Environment) -> Score:
    """Fill the lowest meter; work first if that cannot be paid."""
    return _score(play_by_state(follow_rule, begin(environment)))


def plan(environment: Environment) -> Score:
    """Plan each life by a beam search over options with the world's own rules; show how far it is."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"planner in {environment}, steps planned", total=CAP)
        found = search(begin(environment), lambda steps: progress.update(task, completed=steps))
    return _score(found)


def begin(environment: Environment) -> Worlds:
    """Return worlds that begin the contest's episodes; these contenders read the state, not observations."""
    worlds = Worlds(EPISODES, WorldConfig(max_steps=CAP))
    seeds = range(FIRST_SEED, FIRST_SEED + EPISODES)
    worlds.reset(seeds=list(seeds), random_start=environment == "Hamlet-random-v0")
    return worlds


def _score(played: Played) -> Score:
    return Score(played.survival, played.episode_return, played.completed)
