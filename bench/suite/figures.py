"""Hold what a benchmark measured: figures with one value for each round, and their report."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench import REPOSITORY
from bench.suite.machine import Machine
from hamlet_trio.common.files import write_atomically

RESULTS: Final = REPOSITORY / "bench" / "results"
PUBLISHED: Final = REPOSITORY / "bench" / "published"
_DIGITS: Final = 4


class Figure(Struct, frozen=True, kw_only=True):
    """Represent one quantity, measured once each round; figures of one report correspond round by round.

    `beside` marks a figure for comparison: not ours, or ours without the load.
    """

    name: str
    unit: str
    values: list[float]
    beside: bool = False

    @property
    def median(self) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """Return the least of the rounds."""
        return min(self.values)

    @property
    def high(self) -> float:
        """Return the most of the rounds."""
        return max(self.values)


class Report(Struct, frozen=True, kw_only=True):
    """Represent one run of a benchmark: each figure has `rounds` values, of short measurements if `quick`."""

    benchmark: str
    machine: Machine
    rounds: int
    quick: bool = False
    figures: list[Figure]

    def find(self, name: str) -> Figure | None:
        """Return the figure of this name, or None if it was left out."""
        return next((figure for figure in self.figures if figure.name == name), None)


def ratio(name: str, figure: Figure, other: Figure) -> Figure:
    """Divide one figure by another, round by round."""
    values = [one / two for one, two in zip(figure.values, other.values, strict=True)]
    return Figure(name=name, unit="x", values=values)


def alternate(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measure all contenders each round, every other round in reverse order; return values by name.

    Drift of the machine, such as its clock or its neighbours, then affects all of them alike.
    """
    values: dict[str, list[float]] = {name: [] for name in contenders}
    for index in range(rounds):
        for name in list(contenders)[:: -1 if index % 2 else 1]:
            values[name].append(contenders[name]())
    return values


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def rounded(report: Report) -> Report:
    """Return the report rounded to four significant digits."""
    figures = [
        msgspec.structs.replace(figure, values=[significant(value) for value in figure.values])
        for figure in report.figures
    ]
    return msgspec.structs.replace(report, figures=figures)


def significant(value: float) -> float:
    """Round to four significant digits, and to whole numbers from 1,000."""
    return round(value) if abs(value) >= 10 ** (_DIGITS - 1) else float(f"{value:.{_DIGITS}g}")


def save(report: Report, folder: Path) -> Report:
    """Save a report as `folder`/NAME.json, atomically; return it as saved, with four digits."""
    kept = rounded(report)
    folder.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n"
    write_atomically(folder / f"{report.benchmark}.json", text)
    return kept


def load(benchmark: str, folder: Path) -> Report | None:
    """Load a saved report, or None if there is none. Raises `msgspec.DecodeError` for a damaged one."""
    path = folder / f"{benchmark}.json"
    return msgspec.json.decode(path.read_bytes(), type=Report) if path.is_file() else None
