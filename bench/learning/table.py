"""Results side by side: medians and spread over seeds."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import numpy as np
from msgspec import Struct
from rich.table import Table

from bench.learning.configurations import CONFIGURATIONS
from bench.learning.results import Result

_RESAMPLES: Final = 2000

Interval: TypeAlias = tuple[float, float]


class Row(Struct, frozen=True, kw_only=True):
    """A configuration at a number of episodes, over its seeds.

    `survival` has minimum, quartiles and maximum. Intervals are of the median, see `interval`. `anywhere` is
    the mean survival from the 300 random starts: its median over seeds, the least, and the interval; `many`
    the same from 1,000 others; None where that was not measured.
    """

    configuration: str
    episodes: int
    seeds: list[int]
    survival: tuple[float, float, float, float, float]
    interval: Interval
    anywhere: tuple[float, float, Interval] | None
    many: tuple[float, float, Interval] | None
    completed: float | None
    median_return: float
    median_steps: float
    median_cpu_seconds: float

    @property
    def what(self) -> str:
        """The configuration in words."""
        return CONFIGURATIONS[self.configuration].what


def interval(values: Sequence[float]) -> Interval:
    """Return the 95 % interval of the median of one value a seed.

    A percentile bootstrap, stratified as Agarwal et al. 2021, section 4.1, have it: seeds are drawn with
    replacement within one configuration and number of episodes. Of few seeds it is too narrow.
    """
    drawn = np.random.default_rng(0).choice(np.array(values), size=(_RESAMPLES, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5]).tolist()
    return low, high


def rows(results: Iterable[Result]) -> list[Row]:
    """One row a configuration and number of episodes, in the order of `CONFIGURATIONS`."""
    groups: dict[tuple[int, str], list[Result]] = {}
    names = list(CONFIGURATIONS)
    for result in results:
        groups.setdefault((result.episodes, result.configuration), []).append(result)
    order = sorted(groups, key=lambda key: (key[0], names.index(key[1])))
    return [_row(name, episodes, groups[episodes, name]) for episodes, name in order]


def _row(configuration: str, episodes: int, results: list[Result]) -> Row:
    survival = [result.survival for result in results]
    low, first, median, third, high = np.percentile(survival, [0, 25, 50, 75, 100]).tolist()
    comparable = [result for result in results if result.random_start_completed is not None]
    anywhere = [result.random_start_survival for result in comparable]
    many = [result.many_starts_survival for result in results if result.many_starts_survival is not None]
    completed = [result.random_start_completed for result in comparable]
    return Row(
        configuration=configuration,
        episodes=episodes,
        seeds=sorted(result.seed for result in results),
        survival=(low, first, median, third, high),
        interval=interval(survival),
        anywhere=_spread(anywhere),
        many=_spread(many),
        completed=float(np.median(np.array(completed, dtype=float))) if completed else None,
        median_return=float(np.median([result.episode_return for result in results])),
        median_steps=float(np.median([result.steps for result in results])),
        median_cpu_seconds=float(np.median([result.cpu_seconds for result in results])),
    )


def _spread(values: Sequence[float]) -> tuple[float, float, Interval] | None:
    return (float(np.median(values)), min(values), interval(values)) if values else None


def table(results: Iterable[Result], title: str) -> Table:
    """The table for a terminal."""
    made = Table(title=title)
    made.add_column("run", overflow="fold")
    for column in (
        *(
            "episodes",
            "seeds",
            "median",
            "least",
            "random starts",
            "least",
            "live 500",
            "1,000 starts",
            "least",
        ),
        *("return", "steps", "CPU s"),
    ):
        made.add_column(column, justify="right", overflow="fold")
    for row in rows(results):
        anywhere, many, completed = row.anywhere, row.many, row.completed
        made.add_row(
            row.what,
            str(row.episodes or ""),
            str(len(row.seeds)),
            f"{row.survival[2]:.0f} ({row.interval[0]:.0f}-{row.interval[1]:.0f})",
            f"{row.survival[0]:.0f}",
            f"{anywhere[0]:.0f} ({anywhere[2][0]:.0f}-{anywhere[2][1]:.0f})" if anywhere else "",
            f"{anywhere[1]:.0f}" if anywhere else "",
            f"{completed:.0%}" if completed is not None else "",
            f"{many[0]:.0f} ({many[2][0]:.0f}-{many[2][1]:.0f})" if many else "",
            f"{many[1]:.0f}" if many else "",
            f"{row.median_return:.0f}",
            f"{row.median_steps:,.0f}" if row.median_steps else "",
            f"{row.median_cpu_seconds:.0f}",
        )
    return made
