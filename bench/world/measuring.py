"""Measure worlds of each size round by round, on one core."""

import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from time import process_time
from typing import Any, Final

import gymnasium
import numpy as np

from bench.suite.command import Effort, run
from bench.suite.figures import Figure, alternate
from bench.suite.machine import divide_cores, pin
from hamlet_trio.world import ACTIONS, Worlds

__all__ = ["measure", "run"]

SIZES: Final = (1, 64, 1024, 4096)
_VECTORS: Final = (64, 1024)
"""The sizes at which Gymnasium's vector environments of Hamlet-v0 are measured too."""
_UNIT: Final = "steps/s"
_TURNS: Final = 64  # actions are drawn beforehand, for so many steps


def measure(effort: Effort) -> list[Figure]:
    """Return the steps a second of each size, ours and theirs."""
    pin(0, [divide_cores().others[0]])
    seconds = effort.choose(0.1, 0.7)
    contenders: dict[str, Callable[[], float]] = {}
    for size in SIZES:
        name = "1 world" if size == 1 else f"{size:,} worlds"
        contenders[name] = partial(_ours, Worlds(size, seed=1), seconds, observe=False)
        contenders[f"{name}, observed"] = partial(_ours, Worlds(size, seed=1), seconds, observe=True)
        contenders[f"{name} of CartPole"] = partial(_vector, _cart_poles(size), size, seconds)
        if size in _VECTORS:
            for how, mode in (("make_vec", "vector_entry_point"), ("SyncVectorEnv", "sync")):
                vector = gymnasium.make_vec("hamlet_trio:Hamlet-v0", size, vectorization_mode=mode)
                contenders[f"{name}, {how}"] = partial(_vector, vector, size, seconds)
    contenders["1 world, Hamlet-v0"] = partial(_single, gymnasium.make("hamlet_trio:Hamlet-v0"), seconds)
    contenders["1 world, CartPole-v1"] = partial(_single, gymnasium.make("CartPole-v1"), seconds)
    if find_spec("minigrid") is not None:
        contenders["1 world, MiniGrid-Empty-8x8"] = partial(_single, _mini_grid(), seconds)
    effort.check(contenders)
    values = alternate({name: rate for name, rate in contenders.items() if effort.wants(name)}, effort.rounds)
    return [
        Figure(name=name, unit=_UNIT, values=found, beside="CartPole" in name or "MiniGrid" in name)
        for name, found in values.items()
    ]


def _ours(worlds: Worlds, seconds: float, *, observe: bool) -> float:
    actions = np.random.default_rng(1).integers(len(ACTIONS), size=(_TURNS, worlds.num_worlds))
    seen = np.empty((worlds.num_worlds, 1, worlds.observation_size), dtype=np.float32)
    worlds.reset()
    # Of one world, its one flag: to ask all of an array's costs as much as the step.
    any_over = (lambda: worlds.over[0]) if worlds.num_worlds == 1 else worlds.over.any
    began, turns = process_time(), 0
    while (elapsed := process_time() - began) < seconds:
        for chosen in actions:
            worlds.step(chosen)
            if any_over():
                worlds.reset(np.flatnonzero(worlds.over))
            if observe:
                worlds.observe(out=seen)
        turns += _TURNS
    return turns * worlds.num_worlds / elapsed


def _cart_poles(size: int) -> Any:
    return gymnasium.make_vec("CartPole-v1", num_envs=size, vectorization_mode="vector_entry_point")


def _vector(environments: Any, size: int, seconds: float) -> float:
    choices = environments.single_action_space.n
    actions = np.random.default_rng(1).integers(choices, size=(_TURNS, size))
    environments.reset(seed=1)
    began, turns = process_time(), 0
    while (elapsed := process_time() - began) < seconds:
        for chosen in actions:
            environments.step(chosen)
        turns += _TURNS
    return turns * size / elapsed


def _mini_grid() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gymnasium.make("minigrid:MiniGrid-Empty-8x8-v0")


def _single(environment: Any, seconds: float) -> float:
    actions = np.random.default_rng(1).integers(environment.action_space.n, size=_TURNS).tolist()
    environment.reset(seed=1)
    began, turns = process_time(), 0
    while (elapsed := process_time() - began) < seconds:
        for action in actions:
            _, _, terminated, truncated, _ = environment.step(action)
            if terminated or truncated:
                environment.reset()
        turns += _TURNS
    return turns / elapsed
