"""What a benchmark measured: figures with a value a round, and the report that is kept of them."""

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
    """One quantity, measured once a round; figures of one report belong together round by round.

    `beside` is what a figure stands next to for comparison: not ours, or ours without the load.
    """

    name: str
    unit: str
    values: list[float]
    beside: bool = False

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The least of the rounds."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The most of the rounds."""
        return max(self.values)


class Report(Struct, frozen=True, kw_only=True):
    """One benchmark, run once: all its figures have `rounds` values, of short measurements where `quick`."""

    benchmark: str
    machine: Machine
    rounds: int
    quick: bool = False
    figures: list[Figure]

    def find(self, name: str) -> Figure | None:
        """The figure of this name; None where it was left out."""
        return next((figure for figure in self.figures if figure.name == name), None)


def ratio(name: str, figure: Figure, other: Figure) -> Figure:
    """One figure over another, round by round."""
    values = [one / two for one, two in zip(figure.values, other.values, strict=True)]
    return Figure(name=name, unit="x", values=values)


def alternate(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measure all contenders in each round, every other round in the opposite order; values by name.

    So what drifts on the machine, such as its clock or its neighbours, meets all of them alike.
    """
    values: dict[str, list[float]] = {name: [] for name in contenders}
    for index in range(rounds):
        for name in list(contenders)[:: -1 if index % 2 else 1]:
            values[name].append(contenders[name]())
    return values


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def rounded(report: Report) -> Report:
    """A report with four significant digits."""
    figures = [
        msgspec.structs.replace(figure, values=[significant(value) for value in figure.values])
        for figure in report.figures
    ]
    return msgspec.structs.replace(report, figures=figures)


def significant(value: float) -> float:
    """The value with four significant digits; whole from 1,000 on."""
    return round(value) if abs(value) >= 10 ** (_DIGITS - 1) else float(f"{value:.{_DIGITS}g}")


def save(report: Report, folder: Path) -> Report:
    """Keep a report as `folder`/NAME.json, whole or not at all; returns it as kept, with four digits."""
    kept = rounded(report)
    folder.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n"
    write_atomically(folder / f"{report.benchmark}.json", text)
    return kept


def load(benchmark: str, folder: Path) -> Report | None:
    """The report that `save` kept; None if there is none. Raises `msgspec.DecodeError` for a damaged one."""
    path = folder / f"{benchmark}.json"
    return msgspec.json.decode(path.read_bytes(), type=Report) if path.is_file() else None
