"""Format figures as text and as a table for a terminal."""

from rich.table import Table

from bench.suite.figures import Figure, Report, significant
from bench.suite.goals import reached


def amount(value: float, unit: str) -> str:
    """Format a value with its unit."""
    shown = significant(value)
    text = f"{shown:,.0f}" if abs(shown) >= 100 else f"{shown:.3g}"
    return text if unit in ("", "x") else f"{text} {unit}"


def span(figure: Figure) -> str:
    """Format the least and the most of the rounds."""
    return f"{amount(figure.low, '')} to {amount(figure.high, '')}"


def table(report: Report) -> Table:
    """Format the report for a terminal, with its goals."""
    machine = report.machine
    made = Table(
        title=f"{report.benchmark}, {machine.processor}, {machine.cores} cores",
        caption=f"{report.rounds} rounds, from least to most" if report.rounds > 1 else "one round",
    )
    goals = {figure.name: goal for goal, figure in reached(report)}
    for column in ("figure", "median", "rounds", "target", "moonshot", "reached"):
        made.add_column(column, justify="left" if column == "figure" else "right", overflow="fold")
    for figure in report.figures:
        goal = goals.get(figure.name)
        made.add_row(
            figure.name,
            amount(figure.median, figure.unit),
            span(figure),
            "" if goal is None else amount(goal.target, figure.unit),
            "" if goal is None else amount(goal.moonshot, figure.unit),
            "" if goal is None else goal.verdict(figure),
            style="dim" if figure.beside else None,
        )
    return made
