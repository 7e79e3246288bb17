"""Evaluation: the survival and return of a policy."""

import msgspec
import numpy as np
from msgspec import Struct

from hamlet_trio.agent.exploration import EpsilonGreedy
from hamlet_trio.agent.policy import Policy
from hamlet_trio.world import FAILURE_REASONS, WorldConfig, Worlds
from hamlet_trio.world.config import config_or_usual

_WORLDS_AT_ONCE = 1024
_RANDOM_STARTS_SEED = 4_174_203_519  # of no run: a run derives its seeds by hashing its own


class EpisodeResult(Struct, frozen=True, kw_only=True):
    """One agent's episode: steps survived, undiscounted return, and why it ended before `max_steps`."""

    length: int
    episode_return: float = msgspec.field(name="return")
    failure_reason: str | None


class Evaluation(Struct, frozen=True, kw_only=True):
    """The results of a policy: means over the rows of `episodes`; msgspec converts them to JSON."""

    mean_length: float
    mean_return: float
    epsilon: float
    seed: int
    episodes: list[EpisodeResult]


def evaluate(
    policy: Policy,
    config: WorldConfig | None = None,
    *,
    episodes: int,
    seed: int,
    epsilon: float = 0.0,
    max_steps: int | None = None,
    random_start: bool = False,
) -> Evaluation:
    """Play `episodes` episodes with a policy, each in a world of its own, all at once.

    With probability `epsilon` an action is random. Episodes begin at the configured start, from which a
    greedy policy plays the same episode every time, or with `random_start` anywhere. `max_steps` replaces the
    configuration's. With several agents in a world each agent's episode is a row of the result.
    The same arguments give the same result.

    Raises:
        TypeError: when `config` is no configuration.
        ValueError: when there are no episodes, epsilon is not from 0 to 1, or the policy is for a world of
            another shape.
        ConfigError: for a `max_steps` that is not allowed.
    """
    config = config_or_usual(config)
    if max_steps is not None:
        config = msgspec.structs.replace(config, max_steps=max_steps)
    if episodes < 1:
        raise ValueError(f"episodes is {episodes}; it must be 1 or more.")
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon is {epsilon}; it must be from 0 to 1.")
    if (policy.spec.width, policy.spec.height) != (config.width, config.height):
        raise ValueError(
            f"The policy is for a world of {policy.spec.width} x {policy.spec.height} cells; "
            f"this one has {config.width} x {config.height}."
        )
    policy = policy.in_world(config)
    exploration = EpsilonGreedy(np.random.SeedSequence(seed, spawn_key=(0,)))
    rows: list[EpisodeResult] = []
    for first in range(0, episodes, _WORLDS_AT_ONCE):
        count = min(_WORLDS_AT_ONCE, episodes - first)
        world_seed = int(np.random.SeedSequence((seed, first), spawn_key=(1,)).generate_state(1)[0])
        worlds = Worlds(count, config, seed=world_seed)
        worlds.reset(random_start=random_start)
        rows += _play(policy, worlds, exploration, epsilon=epsilon)
    return Evaluation(
        mean_length=float(np.mean([row.length for row in rows])),
        mean_return=float(np.mean([row.episode_return for row in rows])),
        epsilon=epsilon,
        seed=seed,
        episodes=rows,
    )


def evaluate_starts(
    policy: Policy, config: WorldConfig, *, usual: int, random: int
) -> tuple[list[EpisodeResult], list[EpisodeResult]]:
    """Play greedily from the configured start and from random ones, which are the same for every policy.

    All episodes are played at once; returns the rows of `usual` and of `random` ones.
    """
    worlds = Worlds(usual + random, config, seed=_RANDOM_STARTS_SEED)
    if random:
        worlds.reset(np.arange(usual, usual + random), random_start=True)
    rows = _play(policy.in_world(config), worlds, EpsilonGreedy(0), epsilon=0.0)
    split = usual * config.num_agents
    return rows[:split], rows[split:]


def _play(
    policy: Policy, worlds: Worlds, exploration: EpsilonGreedy, *, epsilon: float
) -> list[EpisodeResult]:
    """Play one episode in each world to its end; finished ones leave the batch."""
    returns = np.zeros((worlds.num_worlds, worlds.num_agents))
    lengths = np.zeros((worlds.num_worlds, worlds.num_agents), dtype=np.int64)
    active = np.arange(worlds.num_worlds)
    while active.size:
        observations = worlds.observe(active).reshape(-1, worlds.observation_size)
        actions = policy.choose(observations)
        if epsilon > 0:
            explores, explored = exploration.draw(observations, epsilon)
            actions = np.where(explores, explored, actions)
        playing = worlds.alive[active]
        result = worlds.step(actions.reshape(active.size, -1), active)
        returns[active] += result.rewards
        lengths[active] += playing
        active = active[~worlds.over[active]]
    return [
        EpisodeResult(length=length, episode_return=total, failure_reason=FAILURE_REASONS[code])
        for length, total, code in zip(
            lengths.ravel().tolist(), returns.ravel().tolist(), worlds.failure.ravel().tolist(), strict=True
        )
    ]
