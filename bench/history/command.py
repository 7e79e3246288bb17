"""The command line of the benchmark: each part prints its measurements with their targets."""

import argparse
from collections.abc import Callable, Sequence
from typing import Final

from bench.history import reading, writing
from bench.history.row import Row

PARTS: Final[dict[str, Callable[[bool], list[Row]]]] = {
    "writing": writing.measure,
    "reading": reading.measure,
}


def main(arguments: Sequence[str]) -> None:
    """Measure the parts named, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m bench history", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the work, to see that it runs")
    options = parser.parse_args(arguments)
    for name in options.parts or PARTS:
        if name not in PARTS:
            parser.error(f"there is no part {name}; there are {', '.join(PARTS)}")
        for row in PARTS[name](options.quick):
            print(row, flush=True)
