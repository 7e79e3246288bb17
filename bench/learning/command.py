"""`python -m bench learning`: makes the runs that are missing, then shows all there are."""

import argparse
import sys
from pathlib import Path
from typing import Final

import torch
from rich.console import Console

from bench import REPOSITORY
from bench.learning import ours
from bench.learning.behaviours import behave
from bench.learning.configurations import CONFIGURATIONS
from bench.learning.picture import picture
from bench.learning.published import MEASURED, encode, published, split
from bench.learning.results import Result, ResultFolder
from bench.learning.table import table
from hamlet_trio.common.files import write_atomically

RESULTS: Final = REPOSITORY / "bench" / "results" / "learning"
PICTURE: Final = REPOSITORY / "docs" / "images" / "learning.svg"


def make(configuration: str, episodes: int, seed: int, folder: ResultFolder) -> Result | None:
    """Make one run; None where it needs one that is not there yet.

    stable-baselines3 is given as many environment steps as the default learner made with the same seed, or
    ten times as many.
    """
    chosen = CONFIGURATIONS[configuration]
    if chosen.kind == "behaviour":
        return behave(configuration, seed)
    if chosen.kind == "ours":
        return ours.train(configuration, episodes, seed, recipe=chosen.recipe, settings=chosen.settings)
    default = folder.find("default", episodes, seed)
    if default is None:
        return None
    from bench.learning import baselines  # noqa: PLC0415 (an optional package, slow to import)

    return baselines.train(configuration, episodes, seed, steps=chosen.longer * default.steps)


def main(arguments: list[str]) -> None:
    """Make the runs asked for that are missing, and print the table of all results."""
    parser = argparse.ArgumentParser(prog="python -m bench learning", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"what to run, nothing without: {', '.join(CONFIGURATIONS)}",
    )
    parser.add_argument("--episodes", type=_numbers, default=[100], help="such as 100,300")
    parser.add_argument("--seeds", type=_numbers, default=list(range(7001, 7011)), help="such as 7001-7010")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--picture", type=Path, help="draw the learning curves as this SVG")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="put all results into measured.json, and draw the documentation's picture",
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in CONFIGURATIONS]
    if unknown:
        parser.error(f"there is no configuration {unknown[0]}; choose from {', '.join(CONFIGURATIONS)}")
    torch.set_num_threads(1)
    folder = ResultFolder(options.results)
    for name in options.names:
        for episodes in [0] if CONFIGURATIONS[name].kind == "behaviour" else options.episodes:
            for seed in options.seeds:
                _run(name, episodes, seed, folder)
    results = folder.all()
    console = Console()
    # A terminal says how wide it is; a file or a pipe does not, and folding there would help nobody.
    wide = Console(width=console.width if console.is_terminal else 150)
    reported, parts = split(results)
    wide.print(table(reported, "Greedy survival from the usual start, at most 500 steps, over seeds"))
    if parts:
        wide.print(table(parts, "The same with one part taken away"))
    if options.picture:
        options.picture.write_text(picture(reported), encoding="utf-8")
    if options.publish:
        write_atomically(MEASURED, encode(results))
        PICTURE.write_text(picture(split(published())[0]), encoding="utf-8")


def _run(name: str, episodes: int, seed: int, folder: ResultFolder) -> None:
    if folder.find(name, episodes, seed) is not None:
        return
    result = make(name, episodes, seed, folder)
    what = f"{name}, {episodes} episodes, seed {seed}"
    if result is None:
        print(f"{what}: left out, for it takes as many steps as default, which is not there", file=sys.stderr)
        return
    folder.save(result)
    print(
        f"{what}: lives {result.survival:g} steps, return {result.episode_return:.1f}, "
        f"{result.steps:,} steps, {result.cpu_seconds:.1f} CPU s in {result.wall_seconds:.1f} s",
        file=sys.stderr,
        flush=True,
    )


def _numbers(text: str) -> list[int]:
    """Numbers and ranges: 100,300 or 100-109."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise argparse.ArgumentTypeError(f"{part!r} is no number and no range such as 7001-7010")
        found += range(int(first), int(last or first) + 1)
    return found
