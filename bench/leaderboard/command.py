"""`python -m bench leaderboard`: makes the runs that are missing, then shows all there are."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Final

import torch
from rich.console import Console
from rich.table import Table

from bench import REPOSITORY
from bench.leaderboard.contenders import CONTENDERS, Contender, module_of
from bench.leaderboard.contest import ENVIRONMENTS, SEEDS, Act, Environment, Score, score
from bench.leaderboard.entry import MEASURED, Entry, EntryFolder, encode
from bench.leaderboard.standings import Estimate, standings
from bench.leaderboard.untrained import follow_the_rule, plan, random_play
from bench.learning.results import versions
from hamlet_trio.common.files import write_atomically

RESULTS: Final = REPOSITORY / "bench" / "results" / "leaderboard"


def main(arguments: list[str]) -> None:
    """Make the runs asked for that are missing, and print the standings of all results."""
    parser = argparse.ArgumentParser(prog="python -m bench leaderboard", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CONTENDERS)}; none without")
    parser.add_argument("--environment", choices=ENVIRONMENTS, help="only this one")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="such as 1 2 3")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--publish", action="store_true", help=f"write all results to {MEASURED.name}")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in CONTENDERS]
    if unknown:
        parser.error(f"there is no contender {unknown[0]}; choose from {', '.join(CONTENDERS)}")
    torch.set_num_threads(1)
    folder = EntryFolder(options.results)
    wanted = [options.environment] if options.environment else list(ENVIRONMENTS)
    for name in options.names:
        for seed in options.seeds if CONTENDERS[name].seeded else [0]:
            _complete(name, seed, wanted, folder)
    console = Console()
    for environment in ENVIRONMENTS:
        console.print(_table(folder.all(), environment))
    if options.publish:
        write_atomically(MEASURED, encode(folder.all()))


def _complete(name: str, seed: int, wanted: list[Environment], folder: EntryFolder) -> None:
    missing = [environment for environment in wanted if not folder.has(name, environment, seed)]
    for entry in make(name, seed, missing):
        folder.save(entry)
        print(
            f"{name} in {entry.environment}, seed {seed}: survives {entry.survival:.1f} steps, "
            f"{entry.cpu_seconds:.0f} CPU s",
            file=sys.stderr,
            flush=True,
        )


def make(name: str, seed: int, environments: list[Environment]) -> Iterator[Entry]:
    """Train and score a contender in these environments, once for both where it learns for both."""
    contender = CONTENDERS[name]
    trained: tuple[Act, int] | None = None
    seconds = 0.0
    for environment in environments:
        if trained is None or not contender.both:
            began = process_time()
            trained = _trained(contender, environment, seed)
            seconds = process_time() - began
        act, steps = trained
        found = _played(contender, environment) if not contender.seeded else score(act, environment)
        yield Entry(
            contender=name,
            environment=environment,
            seed=seed,
            steps=steps,
            survival=round(found.survival, 2),
            episode_return=round(found.episode_return, 2),
            completed=round(found.completed, 4),
            cpu_seconds=round(seconds, 1),
            versions=versions(*contender.packages),
        )


def _trained(contender: Contender, environment: Environment, seed: int) -> tuple[Act, int]:
    """Return the policy and the steps that it learnt from; of contenders that read the state, random play."""
    if contender.kind in ("random", "rule", "planner"):
        return random_play(seed), 0
    train = module_of(contender.kind)
    if contender.kind == "own":
        made: tuple[Act, int] = train(seed, contender.settings)
    else:
        made = train(contender.algorithm, environment, seed, contender.settings)
    return made


def _played(contender: Contender, environment: Environment) -> Score:
    return plan(environment) if contender.kind == "planner" else follow_the_rule(environment)


def _table(entries: list[Entry], environment: Environment) -> Table:
    table = Table(title=environment)
    table.add_column("contender")
    for column in ("seeds", "survival", "least", "live 500", "return", "steps", "CPU s"):
        table.add_column(column, justify="right")
    for row in standings(entries, environment):
        table.add_row(
            row.contender,
            str(row.seeds),
            _estimate(row.survival),
            f"{row.least:.0f}",
            f"{row.completed:.0%}",
            _estimate(row.episode_return),
            f"{row.steps:,.0f}",
            f"{row.cpu_seconds:.0f}",
        )
    return table


def _estimate(found: Estimate) -> str:
    value, interval = found
    return f"{value:.0f}" if interval is None else f"{value:.0f} ({interval[0]:.0f} to {interval[1]:.0f})"
