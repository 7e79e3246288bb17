"""Provide the command line of every benchmark of the suite."""

import argparse
from collections.abc import Callable, Iterable

from msgspec import Struct
from rich.console import Console

from bench.suite.figures import PUBLISHED, RESULTS, Figure, Report, save
from bench.suite.machine import this_machine
from bench.suite.picture import IMAGES, picture
from bench.suite.table import table


class UnknownContenderError(ValueError):
    """Raised when `--only` names an unknown contender; the message lists the known ones."""


class Effort(Struct, frozen=True, kw_only=True):
    """Say how thoroughly to measure; `only`, if not empty, names the contenders."""

    rounds: int
    quick: bool = False
    only: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Return whether a contender is to be measured."""
        return not self.only or name in self.only

    def check(self, names: Iterable[str]) -> None:
        """Raise `UnknownContenderError` unless all chosen contenders are known."""
        names = list(names)
        for name in self.only:
            if name not in names:
                raise UnknownContenderError(f"--only: there is no {name!r}; there are: {', '.join(names)}")

    def choose(self, quick: float, thorough: float) -> float:
        """Choose a duration of measuring."""
        return quick if self.quick else thorough


def tell(text: str) -> None:
    """Report progress on standard error."""
    Console(stderr=True).print(text, style="dim", highlight=False)


_ONLY = "contenders to measure, with commas between, or semicolons where a name has a comma; no goals then"

Measure = Callable[[Effort], list[Figure]]


def run(
    benchmark: str,
    description: str | None,
    measure: Measure,
    arguments: list[str],
    *,
    rounds: int,
    whole: bool = False,
) -> None:
    """Measure as the arguments say, print the table, and write the figures and the picture.

    `whole`: the benchmark has no separate contenders, so `--only` is refused. The figures go to
    bench/results/; with `--publish` also to where the documentation takes them from.
    """
    parser = argparse.ArgumentParser(prog=f"python -m bench {benchmark}", description=description)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--quick", action="store_true", help="one short round, to try it")
    parser.add_argument("--only", default="", help=_ONLY)
    parser.add_argument("--publish", action="store_true", help="put the figures into the documentation")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    separator = ";" if ";" in options.only else ","
    only = tuple(name.strip() for name in options.only.split(separator) if name.strip())
    if options.publish and (options.quick or only):
        parser.error("--publish takes whole measurements: leave out --quick and --only")
    if whole and only:
        parser.error(f"--only: {benchmark} is measured as a whole; leave it out")
    effort = Effort(rounds=1 if options.quick else options.rounds, quick=options.quick, only=only)
    machine = this_machine()  # before measuring pins this process to some of its cores
    try:
        figures = measure(effort)
    except UnknownContenderError as error:
        parser.error(str(error))
    report = Report(
        benchmark=benchmark,
        machine=machine,
        rounds=effort.rounds,
        quick=effort.quick,
        figures=figures,
    )
    console = Console()
    # A terminal says how wide it is; a file or a pipe does not, and folding there would help nobody.
    Console(width=console.width if console.is_terminal else 130).print(table(report))
    kept = save(report, RESULTS)
    (RESULTS / f"{benchmark}.svg").write_text(picture(kept), encoding="utf-8")
    if options.publish:
        save(kept, PUBLISHED)
        (IMAGES / f"bench-{benchmark}.svg").write_text(picture(kept), encoding="utf-8")
