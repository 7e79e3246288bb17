"""`python -m bench company`: makes the runs that are missing, then shows all there are."""

import argparse
import sys
from pathlib import Path
from typing import Final, get_args

import msgspec
import torch
from rich.console import Console
from rich.table import Table

from bench import REPOSITORY
from bench.company.measuring import CompanyResult, Training, measure
from bench.company.published import MEASURED, encode
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.common.files import write_atomically

RESULTS: Final = REPOSITORY / "bench" / "results" / "company"


def main(arguments: list[str]) -> None:
    """Make the runs asked for that are missing, and print all results of these settings."""
    parser = argparse.ArgumentParser(prog="python -m bench company", description=__doc__)
    parser.add_argument("--network", choices=get_args(NetworkType), default="egocentric")
    parser.add_argument("--episodes", type=int, default=120)
    parser.add_argument("--seeds", type=int, nargs="+", default=[8001, 8002, 8003, 8004, 8005])
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--publish", action="store_true", help=f"write all results to {MEASURED.name}")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.results.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for trained in get_args(Training):
            path = options.results / f"{options.network}-{options.episodes}-{trained}-{seed}.json"
            if not path.exists():
                result = measure(trained, options.network, options.episodes, seed)
                write_atomically(path, msgspec.json.encode(result))
                print(f"{result.key}: three live {result.three}", file=sys.stderr, flush=True)
    results = [
        msgspec.json.decode(path.read_bytes(), type=CompanyResult)
        for path in sorted(options.results.glob("*.json"))
    ]
    _print(results)
    if options.publish:
        write_atomically(MEASURED, encode(results))


def _print(results: list[CompanyResult]) -> None:
    table = Table(title="Three copies in one world, each place serving one agent a step")
    for column in ("network", "trained", "seed", "alone", "three", "random: alone", "three", "CPU s"):
        table.add_column(column, justify="left" if column in ("network", "trained") else "right")
    for result in results:
        table.add_row(
            f"{result.network_type}, {result.episodes}",
            result.trained,
            str(result.seed),
            str(result.alone),
            ", ".join(map(str, result.three)),
            f"{result.anywhere:.0f}",
            f"{result.three_anywhere:.0f}",
            f"{result.cpu_seconds:.0f}",
        )
    Console(width=120).print(table)
