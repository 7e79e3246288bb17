"""The tables of learning results: of `python -m bench learning`, `company` and `exploit`, as committed."""

from collections.abc import Callable, Mapping

from bench.company.published import published as company_results
from bench.exploit.published import published as exploit_results
from bench.learning.configurations import CONFIGURATIONS
from bench.learning.published import published, split
from bench.learning.table import Interval, rows
from scripts.doc_tables.markdown import signed, table

NOTHING = "\u2013"


def _interval(value: float, bounds: Interval) -> str:
    return f"**{value:.0f}** ({bounds[0]:.0f} to {bounds[1]:.0f})"


def learning_runs() -> str:
    """List every reported configuration, over its seeds."""
    reported, _ = split(published())
    return table(
        (
            "Run",
            "Episodes",
            "Seeds",
            "Usual start",
            "Least",
            "Random starts",
            "Least",
            "Live 500",
            "1,000 starts",
            "Least",
            "Return",
            "Steps",
            "Processor time",
        ),
        [
            [
                row.what,
                f"{row.episodes:,}" if row.episodes else NOTHING,
                str(len(row.seeds)),
                _interval(row.survival[2], row.interval),
                f"{row.survival[0]:.0f}",
                _interval(row.anywhere[0], row.anywhere[2]) if row.anywhere else NOTHING,
                f"{row.anywhere[1]:.0f}" if row.anywhere else NOTHING,
                f"{row.completed:.0%}" if row.completed is not None else NOTHING,
                _interval(row.many[0], row.many[2]) if row.many else NOTHING,
                f"{row.many[1]:.0f}" if row.many else NOTHING,
                signed(round(row.median_return)),
                f"{row.median_steps:,.0f}" if row.median_steps else NOTHING,
                f"{row.median_cpu_seconds:.0f} s" if row.median_steps else NOTHING,
            ]
            for row in rows(reported)
        ],
    )


def learning_parts() -> str:
    """List the results of `egocentric` without each of its parts."""
    _, parts = split(published())
    made = {row.configuration: row for row in rows(parts)}
    return table(
        ("Learner", "Seeds", "Usual start", "Least", "Return"),
        [
            [
                made[name].what,
                str(len(made[name].seeds)),
                _interval(made[name].survival[2], made[name].interval),
                f"{made[name].survival[0]:.0f}",
                signed(round(made[name].median_return)),
            ]
            for name in CONFIGURATIONS
            if name in made
        ],
    )


def company() -> str:
    """List three agents trained together beside three copies of one trained alone, a row for each seed."""
    found = {(result.network_type, result.seed, result.trained): result for result in company_results()}
    pairs = [
        (network, str(seed), result, found[network, seed, "together"])
        for (network, seed, trained), result in found.items()
        if trained == "alone" and (network, seed, "together") in found
    ]
    return table(
        (
            "Network",
            "Seed",
            *("Three, usual start: trained alone", "together"),
            *("Three, random starts: trained alone", "together"),
            *("One, random starts: trained alone", "together"),
            *("Processor time: trained alone", "together"),
        ),
        [
            [
                f"`{network}`, {pair[0].episodes} episodes",
                seed,
                *(", ".join(map(str, one.three)) for one in pair),
                *(f"**{one.three_anywhere:.0f}**" for one in pair),
                *(f"{one.anywhere:.0f}" for one in pair),
                *(f"{one.cpu_seconds:.0f} s" for one in pair),
            ]
            for network, seed, *pair in pairs
        ],
    )


def exploited() -> str:
    """List what agents are paid in a world whose reward can be exploited, beside how long they live."""
    return table(
        ("Agent", "Survives", "Return", "Places used"),
        [
            [
                f"`{result.network_type}`, {result.episodes} episodes in that world, seed {result.seed}"
                if result.network_type
                else "the shipped agent, trained in the usual world",
                str(result.survived),
                f"{result.episode_return:,.0f}",
                str(result.used),
            ]
            for result in exploit_results()
        ],
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "learning-runs": learning_runs,
    "learning-parts": learning_parts,
    "learning-company": company,
    "learning-exploited": exploited,
}
