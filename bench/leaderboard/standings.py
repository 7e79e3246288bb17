"""Entries side by side: interquartile means over seeds, with intervals."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench.leaderboard.contenders import CONTENDERS
from bench.leaderboard.contest import CAP, ENVIRONMENTS, Environment
from bench.leaderboard.entry import Entry

_RESAMPLES: Final = 2000

Estimate: TypeAlias = tuple[float, tuple[float, float] | None]
"""An interquartile mean and its 95 % interval; no interval of one seed."""


class Standing(Struct, frozen=True, kw_only=True):
    """A contender in one environment, over its seeds."""

    contender: str
    seeds: int
    steps: float
    survival: Estimate
    episode_return: Estimate
    completed: float
    least: float
    cpu_seconds: float


def standings(entries: Iterable[Entry], environment: Environment) -> list[Standing]:
    """Return one row a contender, the longest survival first."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.environment == environment:
            groups.setdefault(entry.contender, []).append(entry)
    rows = [_standing(name, found) for name, found in groups.items()]
    names = list(CONTENDERS)
    return sorted(rows, key=lambda row: (-row.survival[0], names.index(row.contender)))


def overall(entries: Iterable[Entry]) -> list[tuple[str, int, Estimate]]:
    """Return each contender, its seeds, and the share of 500 steps that it survives in both environments.

    Only seeds that were run in both count; the best comes first.
    """
    found: dict[str, dict[Environment, dict[int, float]]] = {}
    for entry in entries:
        seeds = found.setdefault(entry.contender, {}).setdefault(entry.environment, {})
        seeds[entry.seed] = entry.survival / CAP
    rows = []
    for name, by_environment in found.items():
        columns = [by_environment.get(environment, {}) for environment in ENVIRONMENTS]
        shared = sorted(set(columns[0]) & set(columns[1]))
        if shared:
            scores = np.array([[column[seed] for column in columns] for seed in shared])
            rows.append((name, len(shared), estimate(scores)))
    names = list(CONTENDERS)
    return sorted(rows, key=lambda row: (-row[2][0], names.index(row[0])))


def estimate(scores: NDArray[np.float64]) -> Estimate:
    """Return the interquartile mean of scores (seeds, tasks), with its interval by a stratified bootstrap.

    Agarwal et al. 2021, section 4: seeds are drawn with replacement within each task, each task by itself;
    the interval holds the middle 95 % of the interquartile means of 2,000 such draws.
    """
    seeds, tasks = scores.shape
    if seeds == 1:
        return interquartile_mean(scores.ravel()), None
    drawn = np.random.default_rng(0).integers(seeds, size=(_RESAMPLES, seeds, tasks))
    means = [interquartile_mean(one.ravel()) for one in scores[drawn, np.arange(tasks)]]
    low, high = np.percentile(means, [2.5, 97.5]).tolist()
    return interquartile_mean(scores.ravel()), (low, high)


def interquartile_mean(values: NDArray[np.float64]) -> float:
    """Return the mean of the middle half: a quarter of the values, rounded down, is cut off at either end."""
    cut = values.size // 4
    return float(np.sort(values)[cut : values.size - cut].mean())


def _standing(contender: str, entries: Sequence[Entry]) -> Standing:
    return Standing(
        contender=contender,
        seeds=len(entries),
        steps=float(np.median([entry.steps for entry in entries])),
        survival=estimate(np.array([[entry.survival] for entry in entries])),
        episode_return=estimate(np.array([[entry.episode_return] for entry in entries])),
        completed=float(np.mean([entry.completed for entry in entries])),
        least=min(entry.survival for entry in entries),
        cpu_seconds=float(np.median([entry.cpu_seconds for entry in entries])),
    )
