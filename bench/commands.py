"""Time the command line beside an interpreter that does nothing."""

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from typing import Final

from bench import REPOSITORY
from bench.suite.command import Effort, run
from bench.suite.figures import Figure, alternate
from bench.suite.machine import divide_cores, pin

_NOTHING: Final = "python -c pass"
_MODELS: Final = "hamlet models"
_FIRST: Final = "hamlet models, not cached"
_COMMANDS: Final = {
    "hamlet --help": ("-m", "hamlet_trio.cli", "--help"),
    _MODELS: ("-m", "hamlet_trio.cli", "models"),
    _FIRST: ("-m", "hamlet_trio.cli", "models"),
    _NOTHING: ("-c", "pass"),
}


def measure(effort: Effort) -> list[Figure]:
    """Return the seconds from start to end of each command."""
    effort.check(_COMMANDS)
    pin(0, [divide_cores().others[0]])
    lines = {name: line for name, line in _COMMANDS.items() if effort.wants(name)}
    with tempfile.TemporaryDirectory() as folder:
        # Nothing is cached in a folder that is not there.
        folders = {name: f"{folder}/none" if name == _FIRST else folder for name in lines}
        if _MODELS in lines:
            _time(lines[_MODELS], folder)
        values = alternate(
            {name: partial(_time, line, folders[name]) for name, line in lines.items()}, effort.rounds
        )
    return [
        Figure(name=name, unit="s", values=found, beside=name == _NOTHING) for name, found in values.items()
    ]


def _time(line: tuple[str, ...], data_dir: str) -> float:
    began = time.perf_counter()
    variables = os.environ | {
        "HAMLET_MODELS_DIR": str(REPOSITORY / "models"),
        "HAMLET_DATA_DIR": data_dir,
    }
    command = [sys.executable, *line]
    subprocess.run(command, check=True, capture_output=True, env=variables, cwd=REPOSITORY)  # noqa: S603
    return time.perf_counter() - began


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    run("commands", __doc__, measure, arguments, rounds=9)
