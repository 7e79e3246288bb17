"""Results side by side: medians and spread over seeds."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from msgspec import Struct
from rich.table import Table

from bench.learning.configurations import CONFIGURATIONS
from bench.learning.results import Result

TARGETS: Final = {
    100: "median ≥ 160, none under 100",
    300: "median ≥ 240",
    1000: "median ≥ 400",
}
"""What the default learner is to reach, by episodes."""


class Row(Struct, frozen=True, kw_only=True):
    """A configuration at so many episodes over its seeds; `survival` has minimum, quartiles and maximum.

    `seeds` are those it was trained with; everything named median is over them.
    """

    configuration: str
    episodes: int
    seeds: list[int]
    survival: tuple[float, float, float, float, float]
    median_return: float
    median_random_start: float
    median_steps: float
    median_cpu_seconds: float

    @property
    def what(self) -> str:
        """The configuration in words."""
        return CONFIGURATIONS[self.configuration].what

    @property
    def target(self) -> str:
        """What it is to reach, if anything."""
        return TARGETS.get(self.episodes, "") if self.configuration == "default" else ""


def rows(results: Iterable[Result]) -> list[Row]:
    """One row a configuration and number of episodes, in the order of `CONFIGURATIONS`."""
    groups: dict[tuple[int, str], list[Result]] = {}
    names = list(CONFIGURATIONS)
    for result in results:
        groups.setdefault((result.episodes, result.configuration), []).append(result)
    order = sorted(groups, key=lambda key: (key[0], names.index(key[1])))
    return [_row(name, episodes, groups[episodes, name]) for episodes, name in order]


def _row(configuration: str, episodes: int, results: list[Result]) -> Row:
    low, first, median, third, high = np.percentile(
        [result.survival for result in results], [0, 25, 50, 75, 100]
    ).tolist()
    return Row(
        configuration=configuration,
        episodes=episodes,
        seeds=sorted(result.seed for result in results),
        survival=(low, first, median, third, high),
        median_return=float(np.median([result.episode_return for result in results])),
        median_random_start=float(np.median([result.random_start_survival for result in results])),
        median_steps=float(np.median([result.steps for result in results])),
        median_cpu_seconds=float(np.median([result.cpu_seconds for result in results])),
    )


def table(results: Iterable[Result], title: str) -> Table:
    """The table for a terminal."""
    made = Table(title=title)
    made.add_column("run", overflow="fold")
    for column in (
        *("episodes", "seeds", "median", "min, quartiles, max"),
        *("return", "random starts", "steps", "CPU s"),
    ):
        made.add_column(column, justify="right", overflow="fold")
    made.add_column("target", overflow="fold")
    for row in rows(results):
        low, first, median, third, high = row.survival
        made.add_row(
            row.what,
            str(row.episodes or ""),
            str(len(row.seeds)),
            f"{median:.0f}",
            f"{low:.0f}, {first:.0f}-{third:.0f}, {high:.0f}",
            f"{row.median_return:.0f}",
            f"{row.median_random_start:.0f}",
            f"{row.median_steps:,.0f}" if row.median_steps else "",
            f"{row.median_cpu_seconds:.0f}",
            row.target,
        )
    return made
