"""The cost of the history to the trainer: its share of a run's processor time.

It is measured within one run, because two runs differ by more than that on a busy machine. On the command
line the learning process itself writes the history, between two steps; behind a server another process does,
so this is the upper bound.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from bench.history.row import Row
from hamlet_trio.history import HistoryDatabase, Record
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.local_run import train_to_file
from hamlet_trio.training.recipe import DEFAULT_RECIPE, PLAIN_RECIPE, Recipe

_EPISODES: Final = 10
_SHORT_EPISODES: Final = 300


class TimedDatabase(HistoryDatabase):
    """Sum up the processor time of writing to a history."""

    seconds = 0.0

    def write(self, records: Sequence[Record]) -> None:
        """Write the records."""
        started = time.process_time()
        super().write(records)
        self.seconds += time.process_time() - started

    def close(self) -> None:
        """Close the file."""
        started = time.process_time()
        super().close()
        self.seconds += time.process_time() - started


def measure(quick: bool) -> list[Row]:
    """Measure the default learner, and a plain one with short episodes, which writes most often."""
    torch.set_num_threads(1)
    default = TrainingParameters(num_episodes=2 if quick else _EPISODES, seed=1)
    plain = TrainingParameters(
        num_episodes=20 if quick else _SHORT_EPISODES, seed=1, network_type="qnetwork", max_steps=20
    )
    return [
        _measure("default learner, episodes of up to 500 steps", default, DEFAULT_RECIPE),
        _measure("plain learner, episodes of 20 steps", plain, PLAIN_RECIPE),
    ]


def _measure(what: str, parameters: TrainingParameters, recipe: Recipe) -> Row:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = TimedDatabase(folder / "history.db")
        started = time.process_time()
        result = train_to_file(
            parameters,
            Settings(data_dir=str(folder / "data"), models_dir=str(folder), device="cpu", record_every=0),
            recipe=recipe,
            history=database,
        )
        seconds = time.process_time() - started
    speeds = f"{result.steps / (seconds - database.seconds):,.0f} to {result.steps / seconds:,.0f} steps/s"
    return Row(f"{what}: {speeds}", f"{100 * database.seconds / seconds:.2f} % slower", "under 2 %")
