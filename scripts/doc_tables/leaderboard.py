"""The tables of the leaderboard, from the committed results of `python -m bench leaderboard`."""

from collections.abc import Callable, Mapping
from functools import partial

from bench.leaderboard.contenders import CONTENDERS
from bench.leaderboard.contest import Environment
from bench.leaderboard.entry import published
from bench.leaderboard.standings import Estimate, overall, standings
from scripts.doc_tables.markdown import code, number, signed, table

NOTHING = "\u2013"


def _standings(environment: Environment) -> str:
    return table(
        ("Contender", "Seeds", "Survival", "Least", "Live 500", "Return", "Steps", "Processor time"),
        [
            [
                CONTENDERS[row.contender].what,
                str(row.seeds) if CONTENDERS[row.contender].seeded else NOTHING,
                _steps(row.survival),
                f"{row.least:.0f}",
                f"{row.completed:.0%}",
                _signed(row.episode_return),
                f"{row.steps:,.0f}" if row.steps else NOTHING,
                f"{row.cpu_seconds:.0f} s" if row.steps else NOTHING,
            ]
            for row in standings(published(), environment)
        ],
    )


def _overall() -> str:
    return table(
        ("Contender", "Decides from", "Seeds", "Share of 500 steps survived"),
        [
            [
                CONTENDERS[name].what,
                CONTENDERS[name].given,
                str(seeds) if CONTENDERS[name].seeded else NOTHING,
                _share(found),
            ]
            for name, seeds, found in overall(published())
        ],
    )


def _commands() -> str:
    shown = {entry.contender for entry in published()}
    return table(
        ("Contender", "Command", "Settings"),
        [
            [
                contender.what,
                code(f"python -m bench leaderboard {name}"),
                ", ".join(
                    f"{code(setting)} {number(value)}" for setting, value in contender.settings.items()
                ),
            ]
            for name, contender in CONTENDERS.items()
            if name in shown
        ],
    )


def _steps(found: Estimate) -> str:
    value, interval = found
    return f"**{value:.0f}**" + ("" if interval is None else f" ({interval[0]:.0f} to {interval[1]:.0f})")


def _signed(found: Estimate) -> str:
    value, interval = found
    if interval is None:
        return signed(round(value))
    return f"{signed(round(value))} ({signed(round(interval[0]))} to {signed(round(interval[1]))})"


def _share(found: Estimate) -> str:
    value, interval = found
    return f"**{value:.2f}**" + ("" if interval is None else f" ({interval[0]:.2f} to {interval[1]:.2f})")


TABLES: Mapping[str, Callable[[], str]] = {
    "leaderboard-overall": _overall,
    "leaderboard-usual": partial(_standings, "Hamlet-v0"),
    "leaderboard-random": partial(_standings, "Hamlet-random-v0"),
    "leaderboard-commands": _commands,
}
