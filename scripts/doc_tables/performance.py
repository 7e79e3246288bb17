"""The tables of speed, from the committed reports of `python -m bench NAME --publish`."""

from collections.abc import Callable, Mapping
from functools import partial

from bench.__main__ import SPEED
from bench.suite.figures import PUBLISHED, Report, load
from bench.suite.goals import GOALS
from bench.suite.table import amount, span
from scripts.doc_tables.markdown import sentence, table

_UNMEASURED = "\u2013"


def _published() -> dict[str, Report]:
    found = {name: load(name, PUBLISHED) for name in SPEED}
    return {name: report for name, report in found.items() if report is not None}


def goals() -> str:
    """List every figure that has a goal, and how close it is."""
    reports = _published()
    rows = []
    for goal in GOALS:
        report = reports.get(goal.benchmark)
        figure = None if report is None else report.find(goal.figure)
        rows.append(
            [
                f"{goal.benchmark}: {goal.figure}",
                goal.peer or _UNMEASURED,
                amount(goal.target, goal.unit),
                amount(goal.moonshot, goal.unit),
                _UNMEASURED if figure is None else f"**{amount(figure.median, figure.unit)}**",
                _UNMEASURED if figure is None else span(figure),
                _UNMEASURED if figure is None else goal.verdict(figure),
            ]
        )
    return table(("Figure", "Known peer", "Target", "Moonshot", "Median", "Rounds", "Reached"), rows)


def machines() -> str:
    """List the machine of each report."""
    return table(
        ("Benchmark", "Processor", "Cores", "Memory", "System", "Rounds", "Versions"),
        [
            [
                name,
                report.machine.processor,
                str(report.machine.cores),
                f"{report.machine.memory_gb:g} GB",
                report.machine.system,
                str(report.rounds),
                ", ".join(f"{package} {number}" for package, number in report.machine.versions.items()),
            ]
            for name, report in _published().items()
        ],
    )


def figures(benchmark: str) -> str:
    """Show the picture and the figures of one benchmark."""
    report = load(benchmark, PUBLISHED)
    if report is None:
        return f"There are no published figures of `python -m bench {benchmark}`."
    picture = f"![{sentence(SPEED[benchmark])} The table below has the figures](images/bench-{benchmark}.svg)"
    rows = [[figure.name, amount(figure.median, figure.unit), span(figure)] for figure in report.figures]
    return f"{picture}\n\n{table(('Figure', 'Median', 'Least and most of the rounds'), rows)}"


TABLES: Mapping[str, Callable[[], str]] = {
    "performance-goals": goals,
    "performance-machines": machines,
    **{f"performance-{name}": partial(figures, name) for name in SPEED},
}
