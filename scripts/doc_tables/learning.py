"""The tables of learning results, from the committed results of `python -m bench learning`."""

from collections.abc import Callable, Mapping

from bench.learning.configurations import CONFIGURATIONS
from bench.learning.published import published, split
from bench.learning.table import Row, rows
from scripts.doc_tables.markdown import signed, table


def _survival(row: Row) -> list[str]:
    low, first, median, third, high = row.survival
    return [f"**{median:.0f}**", f"{low:.0f}", f"{first:.0f} to {third:.0f}", f"{high:.0f}"]


def learning_runs() -> str:
    """List every reported configuration, over its seeds."""
    reported, _ = split(published())
    return table(
        (
            "Run",
            "Episodes",
            "Seeds",
            "Median",
            "Least",
            "Quartiles",
            "Most",
            "Return",
            "Random starts",
            "Steps",
        ),
        [
            [
                row.what,
                f"{row.episodes:,}" if row.episodes else "\u2013",
                str(len(row.seeds)),
                *_survival(row),
                signed(round(row.median_return)),
                f"{row.median_random_start:.0f}",
                f"{row.median_steps:,.0f}" if row.median_steps else "\u2013",
            ]
            for row in rows(reported)
        ],
    )


def learning_targets() -> str:
    """Compare the default learner with its targets, and list the time it took."""
    reported, _ = split(published())
    return table(
        ("Episodes", "Target", "Reached", "Seeds", "Processor time of a run, median"),
        [
            [
                f"{row.episodes:,}",
                row.target,
                f"median {row.survival[2]:.0f}, least {row.survival[0]:.0f}",
                str(len(row.seeds)),
                f"{row.median_cpu_seconds:.0f} s",
            ]
            for row in rows(reported)
            if row.target
        ],
    )


def learning_parts() -> str:
    """List the results of the default learner without each of its parts."""
    _, parts = split(published())
    made = {row.configuration: row for row in rows(parts)}
    return table(
        ("Learner", "Seeds", "Median", "Least", "Quartiles", "Most", "Return", "Random starts"),
        [
            [
                made[name].what,
                str(len(made[name].seeds)),
                *_survival(made[name]),
                signed(round(made[name].median_return)),
                f"{made[name].median_random_start:.0f}",
            ]
            for name in CONFIGURATIONS
            if name in made
        ],
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "learning-runs": learning_runs,
    "learning-targets": learning_targets,
    "learning-parts": learning_parts,
}
